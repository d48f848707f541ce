"""Commands made ready for statements: texts of values and masks instead of units. Pure; nothing here is awaited."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from connectors.postgres import sink_values
from connectors.postgres.sink_tables import Layout, Names, SinkTable, Units
from connectors.postgres.sink_values import Document, decode_document, decode_values, text_of, texts_of
from schemas.messages import Command, Unit

NO_ROW_ID = "[]"
LAYOUTS_KEPT = 1024
NOTHING: Mapping[str, Any] = {}
_encode = msgspec.json.Encoder().encode
Keys = tuple[str | None, ...]
Side = Literal["base", "set"]


class MalformedCommandError(ValueError):
    """A command that fits no row of its table. The message is the sentence for its echo."""


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A command as its table's statements take it.

    `local_id` and `keys` (the texts of the key columns) are None for a create whose key the table makes. `mask` has a
    character per unit (update) or per column (delete): "1" where the command speaks of it. `base` and `set` are values
    by column: of an update as they were decoded, else as texts. `inserted` are the columns that a create sets.
    """

    command: Command
    local_id: str | None
    keys: Keys | None
    units: Units
    base: Mapping[str, Any] = NOTHING
    set: Mapping[str, Any] = NOTHING
    mask: str = ""
    inserted: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, str]:
        """Sorts rows by key: numbers by size, text by length and then by code point."""
        local_id = self.local_id or ""
        return (len(local_id), local_id)


def prepare(command: Command, table: SinkTable) -> Prepared:
    """A command made ready. Raises MalformedCommandError."""
    try:
        return _PREPARE[command.op](command, table)
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        if isinstance(error, MalformedCommandError):
            raise
        raise MalformedCommandError(f"the command cannot be read: {error}") from error


def bare(command: Command, table: SinkTable) -> Prepared:
    """A command of which only the row it names is of interest, if it names one that can be looked for."""
    try:
        keys = key_texts(command.local_id, table)
    except (msgspec.DecodeError, ValueError):
        keys = None
    return Prepared(command, command.local_id if keys else None, keys, table.spec.units)


def _update(command: Command, table: SinkTable) -> Prepared:
    keys = key_texts(command.local_id, table)
    if keys is None:
        raise MalformedCommandError("it does not say which row it is for")
    layout, base, wanted = _known(command.units, table) or _looked_up(command.units, table)
    return Prepared(command, command.local_id, keys, layout.units, base, wanted, layout.mask)


def _known(units: tuple[Unit, ...], table: SinkTable) -> tuple[Layout, dict[str, Any], dict[str, Any]] | None:
    """The values of units over the same columns as those of an earlier command; None if there was none.

    Each side is decoded as one object. That the units begin with the same columns says that they are cut alike.
    """
    try:
        base = decode_values(_joined([unit.base for unit in units]))  # type: ignore[misc]
        wanted = decode_values(_joined([unit.set for unit in units]))  # type: ignore[misc]
    except (msgspec.DecodeError, TypeError):
        return None
    names = tuple(base)
    layout = table.layouts.get(names)
    if layout is None or tuple(wanted) != names or len(layout.starts) != len(units):
        return None
    for unit, start in zip(units, layout.starts, strict=True):
        if not unit.base.startswith(start):  # type: ignore[union-attr]
            return None
    return layout, base, wanted


def _joined(objects: list[str]) -> str:
    return objects[0] if len(objects) == 1 else f"{{{','.join([text[1:-1] for text in objects])}}}"


def _looked_up(units: tuple[Unit, ...], table: SinkTable) -> tuple[Layout, dict[str, Any], dict[str, Any]]:
    """The same for units that have to be looked at one by one; remembers their layout."""
    named = [_columns(unit) for unit in units]
    placed, places = _layout(named, table)
    mask = ["0"] * len(placed)
    for columns in named:
        mask[places[columns] if columns in places else places[frozenset(columns)]] = "1"
    starts = tuple("{" + _encode(columns[0]).decode() for columns in named)
    layout = Layout(placed, "".join(mask), starts)
    flat = tuple(name for columns in named for name in columns)
    if len(set(flat)) == len(flat):
        if len(table.layouts) >= LAYOUTS_KEPT:
            table.layouts.clear()
        table.layouts[flat] = layout
    sides = [[decode_values(text) for text in texts] for texts in zip(*((u.base, u.set) for u in units), strict=True)]
    base, wanted = ({name: value for part in side for name, value in part.items()} for side in sides)
    return layout, base, wanted


def _columns(unit: Unit) -> tuple[str, ...]:
    if unit.base is None or unit.set is None:
        raise MalformedCommandError("an update without a base or without values to set")
    base, wanted = decode_document(unit.base), decode_document(unit.set)
    if base.keys() != wanted.keys() or not base:
        raise MalformedCommandError("a unit whose base and values to set are not over the same columns")
    return tuple(base)


def _layout(named: list[tuple[str, ...]], table: SinkTable) -> tuple[Units, Mapping[Names, int]]:
    """The table's units; the command's own where it was planned with others (the mapping changed since then)."""
    if all(unit in table.unit_places or frozenset(unit) in table.unit_places for unit in named):
        return table.spec.units, table.unit_places
    _require_columns((name for unit in named for name in unit), table)
    if sum(map(len, named)) != len({name for unit in named for name in unit}):
        raise MalformedCommandError("a column is in two of its units")
    units = tuple(sorted(tuple(sorted(unit)) for unit in named))
    return units, {frozenset(unit): place for place, unit in enumerate(units)}


def _delete(command: Command, table: SinkTable) -> Prepared:
    base = command.units[0].base if len(command.units) == 1 else None
    if base is None:
        raise MalformedCommandError("a delete that does not say which row it expects")
    keys = key_texts(command.local_id, table)
    if keys is None:
        raise MalformedCommandError("it does not say which row it is for")
    document = decode_document(base)
    units = table.spec.units
    if not document.keys() <= table.mapped:
        units = (tuple(sorted(_require_columns(document, table))),)
    mask = "".join("1" if name in document else "0" for unit in units for name in unit)
    return Prepared(command, command.local_id, keys, units, texts_of(document, table.carried), mask=mask)


def _create(command: Command, table: SinkTable) -> Prepared:
    wanted = command.units[0].set if len(command.units) == 1 else None
    if wanted is None:
        raise MalformedCommandError("a create that does not say which row it wants")
    document = table.constants | decode_document(wanted)
    _require_columns(document, table)
    document |= {
        name: value for name, value in _key_document(command.local_id, table).items() if _is_null(document.get(name))
    }
    document = {name: value for name, value in document.items() if _is_set(table, name, value)}
    texts = texts_of(document, table.carried)
    known = [document[name] for name in table.key if not _is_null(document.get(name))]
    whole = len(known) == len(table.key)
    local_id = command.local_id or (_encode(known).decode() if whole else None)
    keys = tuple(texts[name] for name in table.key) if whole else None
    inserted = tuple(name for name in table.columns if name in document)
    return Prepared(command, local_id, keys, table.spec.units, set=texts, inserted=inserted)


_PREPARE: Mapping[str, Callable[[Command, SinkTable], Prepared]] = {"c": _create, "u": _update, "d": _delete}


def _is_set(table: SinkTable, name: str, value: msgspec.Raw) -> bool:
    """Whether a create writes this column. One that may not be null is left to the table if it has a value for it."""
    column = table.columns[name]
    return not column.generated and not (_is_null(value) and column.not_null and column.omissible)


def _is_null(value: msgspec.Raw | None) -> bool:
    return value is None or bytes(value) == sink_values.NULL


def _require_columns(names: Iterable[str], table: SinkTable) -> list[str]:
    found = list(names)
    missing = sorted(set(found) - set(table.columns))
    if missing:
        raise MalformedCommandError(f"{table.spec.table} has no column {', '.join(missing)}")
    return found


def key_texts(local_id: str | None, table: SinkTable) -> Keys | None:
    """The texts of the key columns; None where there is no local id. Raises MalformedCommandError, DecodeError."""
    if local_id is None:
        return None
    if table.plain_key:
        (key,) = sink_values.decode_list(local_id) if local_id.count(",") == 0 else (None,)
        if key.__class__ is str:
            return (key,)
        if key.__class__ is int and key:
            return (str(key),)
    document = _key_document(local_id, table)
    return tuple(text_of(document[name], table.carried[name]) for name in table.key)


def _key_document(local_id: str | None, table: SinkTable) -> Document:
    values = [] if local_id is None else sink_values.decode_raw_list(local_id)
    if local_id is not None and len(values) != len(table.key):
        raise MalformedCommandError(f"{local_id} is not a key of {table.spec.table} ({', '.join(table.key)})")
    return dict(zip(table.key, values, strict=False))


def columns(items: Sequence[Prepared], side: Side, table: SinkTable, units: Units) -> list[list[str | None]]:
    """One array of texts for each column of these units: what updates expect, or what they set."""
    rows = [item.base if side == "base" else item.set for item in items]

    def of(name: str) -> list[str | None]:
        return sink_values.column(
            [row.get(name) for row in rows], table.carried[name], lambda place: _raw(items[place], side, name)
        )

    return [of(name) for unit in units for name in unit]


def _raw(item: Prepared, side: Side, name: str) -> msgspec.Raw:
    texts = [unit.base if side == "base" else unit.set for unit in item.command.units]
    found = [document for text in texts if name in (document := decode_document(text or "{}"))]
    return found[-1][name]


def key_columns(items: Sequence[Prepared], table: SinkTable) -> list[list[str | None]]:
    """One array of texts for each key column; nulls for commands that name no row."""
    return [[item.keys[place] if item.keys else None for item in items] for place in range(len(table.key))]


def set_columns(items: Sequence[Prepared], names: Sequence[str]) -> list[list[str | None]]:
    """One array of texts for each of these columns of creates."""
    return [[item.set.get(name) for item in items] for name in names]


def base_columns(items: Sequence[Prepared], units: Units) -> list[list[str | None]]:
    """One array of texts for each column of these units: what deletes expect."""
    return [[item.base.get(name) for item in items] for unit in units for name in unit]


def narrowed(units: Units, masks: Iterable[str]) -> tuple[Units, Mapping[str, str]]:
    """The units that at least one of these masks speaks of, and each mask over them alone."""
    kinds = set(masks)
    used = [place for place in range(len(units)) if any(mask[place] == "1" for mask in kinds)]
    return tuple(units[place] for place in used), {mask: "".join(mask[place] for place in used) for mask in kinds}


def waves(prepared: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """The commands in order, cut so that no row occurs twice in a wave: within one, order says nothing."""
    names = [(item.command.entity, item.local_id or item.command.record_id) for item in prepared]
    start, seen = 0, set(names)
    if len(seen) < len(names):
        seen = set()
        for place, name in enumerate(names):
            if name in seen:
                yield list(prepared[start:place])
                start, seen = place, set()
            seen.add(name)
    if names:
        yield list(prepared[start:])
