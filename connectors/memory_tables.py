"""The in-memory system's data: tables with keys and constraints, and one log of their changes in commit order.

Made for tests and trials: it behaves as a database does where that matters to duplex (whole-row images, key changes,
generated keys, constraints that refuse a write) and forgets everything with the process.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

from connectors.errors import ConnectorsError
from schemas import identifiers
from schemas.messages import Command, Operation, Origin
from schemas.project import column_types

Row = dict[str, Any]
Key = tuple[Any, ...]
_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(eq=False)
class ConstraintError(ConnectorsError):
    """A row that a table does not take. `missing` says that only a row which it refers to is not there yet."""

    table: str
    why: str
    missing: bool = False

    def __str__(self) -> str:
        return f"{self.table}: {self.why}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change in the log: the table, the keys before and after, the whole row before and after as JSON text."""

    seq: int
    table: str
    entity: str
    op: Operation
    local_id: str
    before_id: str | None
    before: str | None
    after: str | None
    ts_us: int
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Archived:
    """A row that a command deleted, kept as JSON object text, where its entity names no table for that."""

    entity: str
    local_id: str
    row: str
    command: str


@dataclass(slots=True)
class Table:
    """A table. `columns` names each column's type as Postgres would; `references` names a table by column.

    `generated`: the single key column counts up where a new row leaves it out. `check` gives the reason against a
    row, if there is one.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    generated: bool = False
    required: frozenset[str] = frozenset()
    unique: tuple[tuple[str, ...], ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Row], str | None] | None = None
    rows: dict[Key, Row] = field(default_factory=dict)
    last: int = 0

    def typed(self, values: Mapping[str, Any]) -> Row:
        """The values as their columns hold them. Raises ConstraintError for an unknown column or an unfit value."""
        unknown = sorted(set(values) - set(self.columns))
        if unknown:
            raise ConstraintError(self.name, f"there is no column {unknown[0]}")
        return {name: self._typed(name, value) for name, value in values.items()}

    def _typed(self, name: str, value: Any) -> Any:
        try:
            return None if value is None else _CASTS.get(column_types.parse(self.columns[name]).kind, _as_is)(value)
        except (ValueError, TypeError, InvalidOperation, msgspec.DecodeError) as error:
            raise ConstraintError(self.name, f"{value!r} does not fit column {name} ({self.columns[name]})") from error

    def key_of(self, row: Mapping[str, Any]) -> Key:
        return tuple(row[name] for name in self.key)

    def key_in(self, local_id: str) -> Key:
        """The key that a local id stands for. Raises ConstraintError if it is none of this table."""
        values = decode(local_id)
        if not isinstance(values, list) or len(values) != len(self.key):
            raise ConstraintError(self.name, f"{local_id} is not a key of ({', '.join(self.key)})")
        return self.key_of(self.typed(dict(zip(self.key, values, strict=True))))


def _as_is(value: Any) -> Any:
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != Decimal(str(value)):
        raise ValueError(value)
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


_CASTS: dict[str, Callable[[Any], Any]] = {
    "integer": _whole,
    "numeric": lambda value: Decimal(str(value)),
    "float": float,
    "boolean": _truth,
    "text": _text,
}


def encode(value: Any) -> str:
    """JSON text; decimals are written as numbers, exactly."""
    return _encoder.encode(value).decode()


def decode(text: str) -> Any:
    """The value of JSON text; numbers with a point are Decimals."""
    return _decoder.decode(text)


class MemorySystem:
    """The data of one system, shared by everyone who asks for it by name.

    `insert`, `update`, `upsert` and `delete` are a user's edits, each a transaction of its own, in one thread.
    """

    def __init__(self, clock_us: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self.tables: dict[str, Table] = {}
        self.captured: dict[str, str] = {}
        self.log: list[Entry] = []
        self.seq = 0
        self.low_mark = 0
        self.loaded: set[str] = set()
        self.fence: dict[tuple[str, int], int] = {}
        self.ahead: dict[tuple[str, int, str], int] = {}
        self.parked: dict[str, tuple[Command, str, float]] = {}
        self.archive: list[Archived] = []
        self._clock_us = clock_us
        self._readers: set[asyncio.Event] = set()

    def create_table(self, name: str, columns: Mapping[str, str], key: Iterable[str], **rules: Any) -> Table:
        """Make an empty table; `rules` are the other attributes of `Table`."""
        self.tables[name] = Table(name, dict(columns), tuple(key), **rules)
        return self.tables[name]

    def insert(self, table: str, **values: Any) -> Key:
        """Add a row; returns its key. Raises ConstraintError."""
        return self.write(table, None, self.new_row(table, values))

    def update(self, table: str, key: Key | Any, **values: Any) -> Key:
        """Change a row, the key columns included; returns its key. Raises KeyError, ConstraintError."""
        found = self.tables[table]
        old = _key(key)
        return self.write(table, old, found.rows[old] | found.typed(values))

    def delete(self, table: str, key: Key | Any) -> None:
        """Remove a row. Raises KeyError."""
        self.write(table, _key(key), None)

    def upsert(self, table: str, **values: Any) -> Key:
        """Update the row with these values' key, or insert it. Raises ConstraintError."""
        found = self.tables[table]
        typed = found.typed(values)
        key = found.key_of(typed) if all(name in typed for name in found.key) else None
        return self.insert(table, **values) if key not in found.rows else self.update(table, key, **values)

    def new_row(self, table: str, values: Mapping[str, Any]) -> Row:
        """A whole row of these values. Raises ConstraintError."""
        found = self.tables[table]
        row: Row = dict.fromkeys(found.columns) | found.typed(values)
        if found.generated and row[found.key[0]] is None:
            found.last += 1
            row[found.key[0]] = found.last
        return row

    def write(self, table: str, old: Key | None, row: Row | None, origin: Origin | None = None) -> Key:
        """Put `row` in the place of the row with key `old` (None: no row, on either side), and log it.

        Returns the key afterwards. Raises ConstraintError; then nothing has changed.
        """
        found = self.tables[table]
        before = None if old is None else found.rows[old]
        if row is not None:
            self._require(found, old, row)
        else:
            self._require_unused(found, before or {})
        new = old if row is None else found.key_of(row)
        if old is not None:
            del found.rows[old]
        if row is not None and new is not None:
            found.rows[new] = row
            if found.generated:
                found.last = max(found.last, new[0])
        assert new is not None
        if origin is not None or before != row:
            self.note(table, old if old is not None else new, before, row, origin)
        return new

    def archive_row(self, table: str, key: Key, into: str | None, archived: Archived, origin: Origin) -> None:
        """Move a row to the table `into`, as far as both have its columns, or else to `archive`.

        Raises ConstraintError; then nothing has changed.
        """
        row = self.tables[table].rows[key]
        if into is not None:
            kept = self.new_row(into, {name: row[name] for name in row if name in self.tables[into].columns})
            self._require(self.tables[into], None, kept)
        self.write(table, key, None, origin)
        if into is None:
            self.archive.append(archived)
        else:
            self.write(into, None, kept)

    def note(self, table: str, key: Key, before: Row | None, after: Row | None, origin: Origin | None) -> None:
        """Log a change of a captured table; an echo also where nothing changed."""
        found = self.tables[table]
        for entity in [entity for entity, name in self.captured.items() if name == table]:
            new = key if after is None else found.key_of(after)
            kind: Literal["c", "u", "d"] = "d" if after is None else "u" if before is not None else "c"
            local_id, before_id = identifiers.local_id(new), identifiers.local_id(key)
            self._append(
                Entry(
                    seq=self.seq + 1,
                    table=table,
                    entity=entity,
                    op=kind,
                    local_id=local_id,
                    before_id=before_id if before_id != local_id else None,
                    before=None if before is None else encode(before),
                    after=None if after is None else encode(after),
                    ts_us=self._clock_us(),
                    origin=origin,
                )
            )

    def note_nowhere(self, table: str, entity: str, local_id: str, origin: Origin) -> None:
        """Log the echo of a command whose row is not there."""
        entry = Entry(self.seq + 1, table, entity, "d", local_id, None, None, None, self._clock_us(), origin)
        self._append(entry)

    def _append(self, entry: Entry) -> None:
        self.seq = entry.seq
        self.log.append(entry)
        for reader in self._readers:
            reader.set()

    def restart(self, entities: frozenset[str]) -> None:
        """Load these entities again, and forget which of their commands were carried out."""
        self.loaded -= entities
        self.fence = {place: offset for place, offset in self.fence.items() if place[0] not in entities}
        self.ahead = {record: offset for record, offset in self.ahead.items() if record[0] not in entities}
        self.parked = {name: one for name, one in self.parked.items() if one[0].entity not in entities}

    def acknowledge(self, seq: int, loaded: Iterable[str]) -> None:
        """Let go of the log up to `seq`; these entities' first load is complete."""
        self.low_mark = max(self.low_mark, seq)
        self.log = [entry for entry in self.log if entry.seq > self.low_mark]
        self.loaded.update(loaded)

    async def changed_since(self, seq: int) -> None:
        """Wait until the log goes beyond `seq`."""
        event = asyncio.Event()
        self._readers.add(event)
        try:
            if self.seq <= seq:
                await event.wait()
        finally:
            self._readers.discard(event)

    def _require(self, table: Table, old: Key | None, row: Row) -> None:
        for name in (*table.key, *table.required):
            if row.get(name) is None:
                raise ConstraintError(table.name, f"column {name} must have a value")
        if table.key_of(row) != old and table.key_of(row) in table.rows:
            raise ConstraintError(table.name, f"({', '.join(table.key)}) is taken")
        for names in table.unique:
            self._require_free(table, old, names, [row[name] for name in names])
        for name, target in table.references.items():
            if row[name] is not None and (row[name],) not in self.tables[target].rows:
                raise ConstraintError(table.name, f"column {name} refers to no row of {target}", missing=True)
        reason = table.check(row) if table.check else None
        if reason:
            raise ConstraintError(table.name, reason)

    def _require_free(self, table: Table, old: Key | None, names: tuple[str, ...], values: list[Any]) -> None:
        others = (row for key, row in table.rows.items() if key != old)
        if None not in values and any([row[name] for name in names] == values for row in others):
            raise ConstraintError(table.name, f"({', '.join(names)}) is taken")

    def _require_unused(self, table: Table, row: Row) -> None:
        for other in self.tables.values():
            for name, target in other.references.items():
                if target == table.name and any((found[name],) == table.key_of(row) for found in other.rows.values()):
                    raise ConstraintError(table.name, f"a row of {other.name} refers to it", missing=True)


def _key(key: Key | Any) -> Key:
    return key if isinstance(key, tuple) else (key,)
