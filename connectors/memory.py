"""A system in memory: for tests, trials, and as the plainest example of a connector.

    crm = connectors.memory.system("crm")
    crm.create_table("contacts", {"id": "integer", "email": "text"}, ["id"], generated=True)
    crm.insert("contacts", email="ada@example.org")

The project file names it with `connector: memory`; whoever asks for the same name in the same process gets the same
data. Settings: `name` (the system's own name by default), `tables` (made if they are missing):
`{contacts: {columns: {id: integer, email: text}, key: [id], generated: true}}`.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import Batch, ColumnInfo, Problem, Removal, TableInfo, TableSpec
from connectors.errors import RefusedError
from connectors.memory_sink import MemorySink
from connectors.memory_tables import ConstraintError, Entry, MemorySystem, Table, encode
from schemas.messages import Change

BATCH_ROWS = 1000
_TABLE_SETTINGS = frozenset({"columns", "key", "generated", "required", "unique", "references"})
_systems: dict[str, MemorySystem] = {}


def system(name: str) -> MemorySystem:
    """The data of the system with this name; empty at first."""
    return _systems.setdefault(name, MemorySystem())


def forget(name: str) -> None:
    """Let go of a system's data. Connectors that are open keep theirs."""
    _systems.pop(name, None)


def connector(system_name: str, pipeline: str, options: Mapping[str, Any]) -> "MemoryConnector":
    """The entry point. Raises RefusedError for settings that are unknown or unfit."""
    unknown = sorted(set(options) - {"name", "tables"})
    if unknown:
        what = f"setting systems.{system_name}.{unknown[0]}"
        raise RefusedError(system_name, what, "the memory connector has no such setting", "It knows name, tables.")
    data = system(str(options.get("name", system_name)))
    for table, settings in dict(options.get("tables") or {}).items():
        _make(system_name, data, table, settings)
    return MemoryConnector(system_name, data)


def _make(system_name: str, data: MemorySystem, table: str, settings: Any) -> None:
    if table in data.tables:
        return
    what = f"setting systems.{system_name}.tables.{table}"
    remedy = "Write {columns: {id: integer}, key: [id]}."
    if not isinstance(settings, Mapping) or not {"columns", "key"} <= set(settings):
        raise RefusedError(system_name, what, "it needs columns and key", remedy)
    unknown = sorted(set(settings) - _TABLE_SETTINGS)
    if unknown:
        raise RefusedError(system_name, what, f"{unknown[0]} is no setting of a table", remedy)
    rules = {name: value for name, value in settings.items() if name not in ("columns", "key", "required", "unique")}
    required = frozenset(settings.get("required", ()))
    unique = tuple(tuple(names) for names in settings.get("unique", ()))
    data.create_table(table, settings["columns"], settings["key"], required=required, unique=unique, **rules)


@dataclass(frozen=True, slots=True)
class MemoryPosition:
    """A place in the log, and the entities whose first load was complete there."""

    seq: int
    loaded: frozenset[str]


@dataclass(slots=True)
class MemoryConnector:
    """The in-memory system as `connectors.base.Connector`."""

    system: str
    data: MemorySystem

    async def discover(self, specs: Sequence[TableSpec]) -> Mapping[str, TableInfo]:
        found = {spec.entity: self.data.tables.get(spec.table) for spec in specs}
        asked = {spec.entity: spec for spec in specs}
        return {entity: self._info(table, asked[entity]) for entity, table in found.items() if table is not None}

    async def install(self, specs: Sequence[TableSpec]) -> Sequence[str]:
        for spec in specs:
            self._require(spec)
        missing = [spec for spec in specs if self.data.captured.get(spec.entity) != spec.table]
        self.data.captured.update({spec.entity: spec.table for spec in missing})
        return [f"table {spec.table} of {self.system} is captured as {spec.entity}" for spec in missing]

    async def restart(self, entities: Sequence[str]) -> None:
        self.data.restart(frozenset(entities))

    async def uninstall(self) -> Sequence[str]:
        done = [f"table {table} of {self.system} is captured no more" for table in self.data.captured.values()]
        self.data.captured.clear()
        self.data.loaded.clear()
        self.data.fence.clear()
        self.data.ahead.clear()
        self.data.parked.clear()
        return done

    async def check(self, specs: Sequence[TableSpec]) -> Sequence[Problem]:
        return [problem for spec in specs for problem in self._problems(spec)]

    def _problems(self, spec: TableSpec) -> Iterator[Problem]:
        if spec.table not in self.data.tables:
            yield Problem(self.system, spec.entity, f"there is no table {spec.table}", "Create it.")
        elif self.data.captured.get(spec.entity) != spec.table:
            yield Problem(self.system, spec.entity, f"table {spec.table} is not captured", "Run `duplex apply`.")
        elif (refusal := self._unremovable(spec)) is not None:
            remedy = "Mend that, or give this system another way in `on_delete`."
            yield Problem(self.system, spec.entity, f"deleted rows of table {spec.table}: {refusal}", remedy)

    def _require(self, spec: TableSpec) -> None:
        table = self.data.tables.get(spec.table)
        what = f"entity {spec.entity}, table {spec.table}"
        if table is None:
            raise RefusedError(self.system, what, "there is no such table", "Correct its name, or create it.")
        missing = sorted({*spec.columns, *spec.constants, *(spec.key or ())} - set(table.columns))
        if missing:
            raise RefusedError(self.system, what, f"it has no column {missing[0]}", "Correct the mapping.")
        if (refusal := self._unremovable(spec)) is not None:
            raise RefusedError(self.system, what, refusal, "Mend that, or give this system another way in `on_delete`.")

    def _unremovable(self, spec: TableSpec) -> str | None:
        """Why deleted rows cannot be marked or archived as the mapping says."""
        removal, table = spec.removal, self.data.tables[spec.table]
        if removal.mode == "inactive":
            return _unmarkable(removal, table, spec.columns)
        if removal.mode != "archive" or removal.archive is None:
            return None
        archive = self.data.tables.get(removal.archive)
        if archive is None:
            return f"there is no table {removal.archive} to archive deleted rows in"
        missing = [name for name in (*table.key, *spec.columns) if name not in archive.columns]
        return f"its archive {removal.archive} has no column {missing[0]}" if missing else None

    async def rows(self, spec: TableSpec) -> AsyncIterator[Sequence[str]]:
        images = [encode(row) for row in self.data.tables[spec.table].rows.values()]
        for start in range(0, len(images), BATCH_ROWS):
            yield images[start : start + BATCH_ROWS]

    def _info(self, table: Table, spec: TableSpec) -> TableInfo:
        key_columns = {*table.key, *table.required}
        columns = tuple(
            ColumnInfo(name, kind, name not in key_columns, table.generated and name in table.key)
            for name, kind in table.columns.items()
        )
        refusal = f"its key is ({', '.join(table.key)})" if spec.key not in (None, table.key) else None
        return TableInfo(table.name, columns, table.key, _fingerprint(table), refusal or self._unremovable(spec))

    def open_source(self, specs: Sequence[TableSpec]) -> "MemorySource":
        return MemorySource(self.system, self.data, specs)

    def open_sink(self, specs: Sequence[TableSpec]) -> "MemorySink":
        return MemorySink(self.system, self.data, specs)

    async def close(self) -> None:
        """Nothing is held open."""


def _unmarkable(removal: Removal, table: Table, mapped: Sequence[str]) -> str | None:
    """Why a column cannot mark deleted rows."""
    name = removal.column
    if name is None or name not in table.columns:
        return f"it has no column {name} to mark deleted rows with"
    if name in table.key:
        return f"column {name}, which marks deleted rows, belongs to its key"
    if name in mapped:
        return f"column {name} marks deleted rows, so it cannot be mapped to a field"
    if removal.value == removal.restore:
        return f"column {name} is to hold the same value in deleted rows and in others"
    try:
        table.typed({name: removal.value})
        table.typed({name: removal.restore})
    except ConstraintError as error:
        return f"column {name} cannot hold what marks deleted rows: {error.why}"
    return None


def _fingerprint(table: Table) -> str:
    return hashlib.sha256(encode(table.columns).encode()).hexdigest()[:16]


class MemorySource:
    """Reads the log; the rows of an entity that was never loaded first, as one snapshot."""

    def __init__(self, system: str, data: MemorySystem, specs: Sequence[TableSpec]) -> None:
        self._system = system
        self._data = data
        self._specs = {spec.entity: spec for spec in specs}

    async def read(self, after: MemoryPosition | None) -> AsyncIterator[Batch]:
        """The log beyond the last acknowledged position, in batches, for ever."""
        data = self._data
        seq = max(data.low_mark, after.seq if after else 0)
        loaded = data.loaded | (after.loaded if after else set())
        while True:
            entries = [entry for entry in data.log if entry.seq > seq][:BATCH_ROWS]
            waiting = [entity for entity in data.captured if entity in self._specs and entity not in loaded]
            if entries:
                seq = entries[-1].seq
                ours = [self._change(entry) for entry in entries if entry.entity in self._specs]
                yield Batch(ours, MemoryPosition(seq, frozenset(loaded)))
            elif waiting:
                loaded = loaded | {waiting[0]}
                yield Batch(self._snapshot(waiting[0], seq), MemoryPosition(seq, frozenset(loaded)))
            else:
                await data.changed_since(seq)

    async def ack(self, position: MemoryPosition) -> None:
        """Let go of the log up to a position."""
        self._data.acknowledge(position.seq, position.loaded)

    async def close(self) -> None:
        """Nothing is held open."""

    def _snapshot(self, entity: str, seq: int) -> list[Change]:
        """Every row as it is, then the marker; numbered like the last entry, which they come after and never beat."""
        table = self._data.tables[self._specs[entity].table]
        rows = [
            Entry(seq, table.name, entity, "r", encode(list(key)), None, None, encode(row), _now_us())
            for key, row in table.rows.items()
        ]
        end = Entry(seq, table.name, entity, "l", "", None, None, None, _now_us())
        return [self._change(entry) for entry in (*rows, end)]

    def _change(self, entry: Entry) -> Change:
        return Change(
            system=self._system,
            entity=entry.entity,
            table=entry.table,
            incarnation=1,
            seq=entry.seq,
            op=entry.op,
            local_id=entry.local_id,
            before_id=entry.before_id,
            before=entry.before,
            after=entry.after,
            types=_fingerprint(self._data.tables[entry.table]),
            ts_us=entry.ts_us,
            transaction=entry.seq,
            origin=entry.origin,
        )


def _now_us() -> int:
    return time.time_ns() // 1000
