"""Commands made ready for statements: JSON documents and masks instead of units. Pure; nothing here is awaited."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from connectors.postgres.sink_tables import Names, SinkTable, Units
from schemas.messages import Command, Unit

Document = dict[str, msgspec.Raw]
NO_ROW_ID = "[]"
_NULL = b"null"
_objects: msgspec.json.Decoder[Document] = msgspec.json.Decoder(Document)
_arrays: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class MalformedCommandError(ValueError):
    """A command that fits no row of its table. The message is the sentence for its echo."""


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A command as its table's statements take it.

    `local_id` and `keys` (a JSON object of the key columns) are None for a create whose key the table makes. `mask`
    has a character per unit (update) or per column (delete): "1" where the command speaks of it. `inserted` are the
    columns that a create sets.
    """

    command: Command
    local_id: str | None
    keys: str | None
    units: Units
    base: str = "{}"
    set: str = "{}"
    mask: str = ""
    inserted: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, str]:
        """Sorts rows by key: numbers by size, text by length and then by code point."""
        return (len(self.local_id or ""), self.local_id or "")


def prepare(command: Command, table: SinkTable) -> Prepared:
    """A command made ready. Raises MalformedCommandError."""
    try:
        return {"c": _create, "u": _update, "d": _delete}[command.op](command, table)
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        if isinstance(error, MalformedCommandError):
            raise
        raise MalformedCommandError(f"the command cannot be read: {error}") from error


def bare(command: Command, table: SinkTable) -> Prepared:
    """A command of which only the row it names is of interest, if it names one that can be looked for."""
    try:
        keys = _keys(command.local_id, table)
    except (msgspec.DecodeError, MalformedCommandError):
        keys = None
    return Prepared(command, command.local_id if keys else None, keys, table.spec.units)


def _update(command: Command, table: SinkTable) -> Prepared:
    """The documents are put together as text: decoding only tells which columns a unit is over, and that it is JSON."""
    named = [_columns(unit) for unit in command.units]
    units, places = _layout(named, table)
    mask = ["0"] * len(units)
    for columns in named:
        mask[places[columns] if columns in places else places[frozenset(columns)]] = "1"
    bases = ",".join([unit.base.strip()[1:-1] for unit in command.units if unit.base])
    sets = ",".join([unit.set.strip()[1:-1] for unit in command.units if unit.set])
    keys = _required_keys(command, table)
    return Prepared(command, command.local_id, keys, units, f"{{{bases}}}", f"{{{sets}}}", "".join(mask))


def _columns(unit: Unit) -> tuple[str, ...]:
    if unit.base is None or unit.set is None:
        raise MalformedCommandError("an update without a base or without values to set")
    base, wanted = _objects.decode(unit.base), _objects.decode(unit.set)
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
    document = _objects.decode(base)
    units = table.spec.units
    if not document.keys() <= table.mapped:
        units = (tuple(sorted(_require_columns(document, table))),)
    mask = "".join("1" if name in document else "0" for unit in units for name in unit)
    return Prepared(command, command.local_id, _required_keys(command, table), units, _text(document), mask=mask)


def _create(command: Command, table: SinkTable) -> Prepared:
    wanted = command.units[0].set if len(command.units) == 1 else None
    if wanted is None:
        raise MalformedCommandError("a create that does not say which row it wants")
    document = table.constants | _objects.decode(wanted)
    _require_columns(document, table)
    keys = _key_document(command.local_id, table)
    document |= {name: value for name, value in keys.items() if _is_null(document.get(name))}
    document = {name: value for name, value in document.items() if _is_set(table, name, value)}
    known = {name: document[name] for name in table.key if not _is_null(document.get(name))}
    inserted = tuple(name for name in table.columns if name in document)
    whole = len(known) == len(table.key)
    local_id = command.local_id or (_encode(list(known.values())).decode() if whole else None)
    return Prepared(
        command, local_id, _text(known) if whole else None, table.spec.units, set=_text(document), inserted=inserted
    )


def _is_set(table: SinkTable, name: str, value: msgspec.Raw) -> bool:
    """Whether a create writes this column. One that may not be null is left to the table if it has a value for it."""
    column = table.columns[name]
    return not column.generated and not (_is_null(value) and column.not_null and column.omissible)


def _is_null(value: msgspec.Raw | None) -> bool:
    return value is None or bytes(value) == _NULL


def _require_columns(names: Iterable[str], table: SinkTable) -> list[str]:
    found = list(names)
    missing = sorted(set(found) - set(table.columns))
    if missing:
        raise MalformedCommandError(f"{table.spec.table} has no column {', '.join(missing)}")
    return found


def _required_keys(command: Command, table: SinkTable) -> str:
    keys = _keys(command.local_id, table)
    if keys is None:
        raise MalformedCommandError("it does not say which row it is for")
    return keys


def _keys(local_id: str | None, table: SinkTable) -> str | None:
    if local_id is None:
        return None
    document = _key_document(local_id, table)
    return f"{{{table.key_name}:{local_id.strip()[1:-1]}}}" if len(table.key) == 1 else _text(document)


def _key_document(local_id: str | None, table: SinkTable) -> Document:
    values = [] if local_id is None else _arrays.decode(local_id)
    if values and len(values) != len(table.key):
        raise MalformedCommandError(f"{local_id} is not a key of {table.spec.table} ({', '.join(table.key)})")
    return dict(zip(table.key, values, strict=False))


def _text(document: Mapping[str, msgspec.Raw]) -> str:
    return _encode(document).decode()


def documents(texts: Iterable[str]) -> str:
    """One JSON array of these JSON texts."""
    return f"[{','.join(texts)}]"


def waves(prepared: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """The commands in order, cut so that no row occurs twice in a wave: within one, order says nothing."""
    wave: list[Prepared] = []
    seen: set[tuple[str, str]] = set()
    for item in prepared:
        name = (item.command.entity, item.local_id or item.command.record_id)
        if name in seen:
            yield wave
            wave, seen = [], set()
        wave.append(item)
        seen.add(name)
    if wave:
        yield wave
