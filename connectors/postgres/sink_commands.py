"""Commands made ready for statements: values by column and masks instead of units. Pure; nothing here is awaited."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from connectors.postgres.sink_tables import Layout, Names, SinkTable, Units
from connectors.postgres.sink_values import Document, Raws, array, decode_document, is_null
from schemas.messages import Command, Unit

NO_ROW_ID = "[]"
Side = Literal["base", "set"]
Shape = tuple[int, ...]


class MalformedCommandError(ValueError):
    """A command that fits no row of its table. The message is the sentence for its echo."""


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A command as its table's statements take it.

    `local_id` and `keys` (the values of the key columns) are None for a create whose key the table makes. `mask` has a
    character per unit (update) or per column (delete): "1" where the command speaks of it. `base` and `set` are the
    values of the columns `names`, which for a create are those that it sets; an empty one stands for nulls.
    """

    command: Command
    local_id: str | None
    keys: Raws | None
    units: Units
    mask: str = ""
    names: tuple[str, ...] = ()
    base: Raws = ()
    set: Raws = ()

    @property
    def order(self) -> tuple[int, str]:
        """Sorts rows by key: numbers by size, text by length and then by code point."""
        local_id = self.local_id or ""
        return (len(local_id), local_id)


Refuse = Callable[[Command, MalformedCommandError], None]


def prepare_all(commands: Sequence[Command], tables: Mapping[str, SinkTable], refuse: Refuse) -> list[Prepared]:
    """The commands made ready, in order; those that are malformed are refused instead.

    Updates of the same units are read together, unless one of them cannot be read.
    """
    found: dict[int, Prepared] = {}
    for (entity, shape), places in _alike(commands, tables).items():
        group = [commands[place] for place in places]
        try:
            found |= zip(places, _updates(group, shape or (), tables[entity]), strict=True)
        except (msgspec.DecodeError, ValueError, TypeError):
            one_by_one = zip(places, _one_by_one(group, tables[entity], refuse), strict=True)
            found |= {place: item for place, item in one_by_one if item is not None}
    return [found[place] for place in sorted(found)]


def _alike(commands: Sequence[Command], tables: Mapping[str, SinkTable]) -> dict[tuple[str, Shape | None], list[int]]:
    """Places of commands by entity and the units they speak of; None for what is not to be read together."""
    alike: dict[tuple[str, Shape | None], list[int]] = {}
    for place, command in enumerate(commands):
        shape = _shape(command, tables[command.entity].starts) if command.op == "u" else None
        alike.setdefault((command.entity, shape), []).append(place)
    return alike


def _shape(command: Command, starts: Mapping[str, int]) -> Shape | None:
    try:
        return tuple([starts[unit.base[: unit.base.find(":")]] for unit in command.units])  # type: ignore[index, union-attr]
    except (KeyError, TypeError, AttributeError):
        return None


def _updates(commands: Sequence[Command], shape: Shape, table: SinkTable) -> list[Prepared]:
    """Updates of the same units. Raises ValueError, DecodeError or TypeError if any of them is malformed."""
    if not shape:
        raise ValueError("nothing is known of what they have in common")
    layout = table.layout(shape)
    keys = zip(*table.key_reader([command.local_id for command in commands]), strict=True)  # type: ignore[misc]
    bases = zip(*_read(layout, [[unit.base for unit in command.units] for command in commands]), strict=True)
    sets = zip(*_read(layout, [[unit.set for unit in command.units] for command in commands]), strict=True)
    units, mask, names = layout.units, layout.mask, layout.names
    return [
        Prepared(command, command.local_id, key, units, mask, names, base, wanted)
        for command, key, base, wanted in zip(commands, keys, bases, sets, strict=True)
    ]


def _read(layout: Layout, texts: Iterable[Sequence[Any]]) -> list[Raws]:
    """Column by column, what stands in these units of many commands."""
    by_unit = zip(*texts, strict=True)
    return [column for reader, unit in zip(layout.readers, by_unit, strict=True) for column in reader(unit)]


def _one_by_one(commands: Sequence[Command], table: SinkTable, refuse: Refuse) -> Iterator[Prepared | None]:
    for command in commands:
        try:
            yield prepare(command, table)
        except MalformedCommandError as error:
            refuse(command, error)
            yield None


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
        keys = key_values(command.local_id, table)
    except MalformedCommandError:
        keys = None
    return Prepared(command, command.local_id if keys else None, keys, table.spec.units)


def _update(command: Command, table: SinkTable) -> Prepared:
    documents = [_unit(unit) for unit in command.units]
    units, places = _layout([tuple(base) for base, _ in documents], table)
    mask = ["0"] * len(units)
    for base, _ in documents:
        mask[places[tuple(base)] if tuple(base) in places else places[frozenset(base)]] = "1"
    bases = {name: value for base, _ in documents for name, value in base.items()}
    sets = {name: value for _, wanted in documents for name, value in wanted.items()}
    values, wanted = tuple(bases.values()), tuple(sets[name] for name in bases)
    keys = _required_keys(command, table)
    return Prepared(command, command.local_id, keys, units, "".join(mask), tuple(bases), values, wanted)


def _unit(unit: Unit) -> tuple[Document, Document]:
    if unit.base is None or unit.set is None:
        raise MalformedCommandError("an update without a base or without values to set")
    base, wanted = decode_document(unit.base), decode_document(unit.set)
    if base.keys() != wanted.keys() or not base:
        raise MalformedCommandError("a unit whose base and values to set are not over the same columns")
    return base, wanted


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
    document = decode_document(base)
    units = table.spec.units
    if not document.keys() <= table.mapped:
        units = (tuple(sorted(_require_columns(document, table))),)
    mask = "".join("1" if name in document else "0" for unit in units for name in unit)
    keys = _required_keys(command, table)
    return Prepared(command, command.local_id, keys, units, mask, tuple(document), tuple(document.values()))


def _create(command: Command, table: SinkTable) -> Prepared:
    wanted = command.units[0].set if len(command.units) == 1 else None
    if wanted is None:
        raise MalformedCommandError("a create that does not say which row it wants")
    document = table.constants | decode_document(wanted)
    _require_columns(document, table)
    named = key_values(command.local_id, table) or ()
    document |= {name: value for name, value in zip(table.key, named, strict=False) if is_null(document.get(name))}
    document = {name: document[name] for name in table.columns if name in document and _is_set(table, name, document)}
    known = tuple(document[name] for name in table.key if not is_null(document.get(name)))
    keys = known if len(known) == len(table.key) else None
    local_id = command.local_id or (array(keys) if keys else None)
    names, values = tuple(document), tuple(document.values())
    return Prepared(command, local_id, keys, table.spec.units, names=names, set=values)


_PREPARE: Mapping[str, Callable[[Command, SinkTable], Prepared]] = {"c": _create, "u": _update, "d": _delete}


def _is_set(table: SinkTable, name: str, document: Document) -> bool:
    """Whether a create writes this column. One that may not be null is left to the table if it has a value for it."""
    column = table.columns[name]
    return not column.generated and not (is_null(document[name]) and column.not_null and column.omissible)


def _require_columns(names: Iterable[str], table: SinkTable) -> list[str]:
    found = list(names)
    missing = sorted(set(found) - set(table.columns))
    if missing:
        raise MalformedCommandError(f"{table.spec.table} has no column {', '.join(missing)}")
    return found


def _required_keys(command: Command, table: SinkTable) -> Raws:
    keys = key_values(command.local_id, table)
    if keys is None:
        raise MalformedCommandError("it does not say which row it is for")
    return keys


def key_values(local_id: str | None, table: SinkTable) -> Raws | None:
    """The values of the key columns; None where there is no local id. Raises MalformedCommandError."""
    if local_id is None:
        return None
    try:
        return tuple(value for (value,) in table.key_reader([local_id]))
    except (msgspec.DecodeError, ValueError) as error:
        what = f"{local_id} is not a key of {table.spec.table} ({', '.join(table.key)})"
        raise MalformedCommandError(what) from error


def columns(items: Sequence[Prepared], side: Side, names: Iterable[str]) -> list[str]:
    """A JSON array for each of these columns: what the commands expect there, or what they set."""
    rows = [item.base if side == "base" else item.set for item in items]
    own = items[0].names
    if all(item.names is own or item.names == own for item in items):
        found = dict(zip(own, zip(*rows, strict=True), strict=False))
        nothing = [None] * len(items)
        return [array(found.get(name, nothing)) for name in names]
    documents = [dict(zip(item.names, row, strict=False)) for item, row in zip(items, rows, strict=True)]
    return [array([document.get(name) for document in documents]) for name in names]


def key_columns(items: Sequence[Prepared], table: SinkTable) -> list[str]:
    """A JSON array for each key column; nulls for commands that name no row."""
    nothing = (None,) * len(table.key)
    return [array(column) for column in zip(*(item.keys or nothing for item in items), strict=True)]


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
