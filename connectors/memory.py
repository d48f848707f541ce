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

from connectors.base import Batch, ColumnInfo, Effect, Problem, TableInfo, TableSpec
from connectors.errors import RefusedError
from connectors.memory_tables import ConstraintError, Entry, Key, MemorySystem, Row, Table, decode, encode
from schemas.messages import Change, Command, Origin, Outcome, Unit

BATCH_ROWS = 1000
LONGEST_WAIT_S = 600.0
NO_ROW_ID = "[]"
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
        keys = {spec.entity: spec.key for spec in specs}
        return {entity: _info(table, keys[entity]) for entity, table in found.items() if table is not None}

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
        self.data.parked.clear()
        return done

    async def check(self, specs: Sequence[TableSpec]) -> Sequence[Problem]:
        return [problem for spec in specs for problem in self._problems(spec)]

    def _problems(self, spec: TableSpec) -> Iterator[Problem]:
        if spec.table not in self.data.tables:
            yield Problem(self.system, spec.entity, f"there is no table {spec.table}", "Create it.")
        elif self.data.captured.get(spec.entity) != spec.table:
            yield Problem(self.system, spec.entity, f"table {spec.table} is not captured", "Run `duplex apply`.")

    def _require(self, spec: TableSpec) -> None:
        table = self.data.tables.get(spec.table)
        what = f"entity {spec.entity}, table {spec.table}"
        if table is None:
            raise RefusedError(self.system, what, "there is no such table", "Correct its name, or create it.")
        missing = sorted({*spec.columns, *spec.constants, *(spec.key or ())} - set(table.columns))
        if missing:
            raise RefusedError(self.system, what, f"it has no column {missing[0]}", "Correct the mapping.")

    async def rows(self, spec: TableSpec) -> AsyncIterator[Sequence[str]]:
        images = [encode(row) for row in self.data.tables[spec.table].rows.values()]
        for start in range(0, len(images), BATCH_ROWS):
            yield images[start : start + BATCH_ROWS]

    def open_source(self, specs: Sequence[TableSpec]) -> "MemorySource":
        return MemorySource(self.system, self.data, specs)

    def open_sink(self, specs: Sequence[TableSpec]) -> "MemorySink":
        return MemorySink(self.system, self.data, specs)

    async def close(self) -> None:
        """Nothing is held open."""


def _info(table: Table, key: tuple[str, ...] | None) -> TableInfo:
    key_columns = {*table.key, *table.required}
    columns = tuple(
        ColumnInfo(name, kind, name not in key_columns, table.generated and name in table.key)
        for name, kind in table.columns.items()
    )
    refusal = f"its key is ({', '.join(table.key)})" if key not in (None, table.key) else None
    return TableInfo(table.name, columns, table.key, _fingerprint(table), refusal)


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


class MemorySink:
    """Carries out commands, under the rules of `connectors.base.Sink`."""

    def __init__(self, system: str, data: MemorySystem, specs: Sequence[TableSpec]) -> None:
        self._system = system
        self._data = data
        self._specs = {spec.entity: spec for spec in specs}

    async def apply(self, commands: Sequence[Command]) -> Sequence[Effect]:
        """Carry out a batch; nothing else runs meanwhile."""
        fence = dict(self._data.fence)
        effects = {}
        for command in commands:
            place = (command.entity, command.partition)
            if command.offset > fence.get(place, -1):
                effects[command.id] = self._carry_out(command, patient=True)
                self._data.fence[place] = max(command.offset, self._data.fence.get(place, -1))
        return [effects.get(command.id, Effect(command.id, None)) for command in commands]

    async def retry_parked(self) -> Sequence[Effect]:
        """Try the commands that wait for a row they refer to once more."""
        effects = []
        for command, _, parked_at in list(self._data.parked.values()):
            patient = time.monotonic() - parked_at < LONGEST_WAIT_S
            effect = self._carry_out(command, patient)
            if effect.outcome is not None:
                del self._data.parked[command.id]
                effects.append(effect)
        return effects

    async def close(self) -> None:
        """Nothing is held open."""

    def _carry_out(self, command: Command, patient: bool) -> Effect:
        spec = self._specs.get(command.entity)
        if spec is None:
            return Effect(command.id, "failed", f"{self._system} holds no entity {command.entity} in this project")
        table = self._data.tables[spec.table]
        try:
            {"c": self._create, "u": self._update, "d": self._delete}[command.op](command, spec, table)
        except ConstraintError as error:
            if error.missing and patient:
                self._data.parked.setdefault(command.id, (command, str(error), time.monotonic()))
                return Effect(command.id, None, str(error))
            self._echo_as_is(command, table, "failed", str(error))
            return Effect(command.id, "failed", str(error))
        return Effect(command.id, "applied")

    def _create(self, command: Command, spec: TableSpec, table: Table) -> None:
        values = dict(spec.constants) | _values(table, command.units[0].set)
        if command.local_id is not None:
            values |= dict(zip(table.key, table.key_in(command.local_id), strict=True))
        if all(values.get(name) is not None for name in table.key) and table.key_of(table.typed(values)) in table.rows:
            self._echo_row(command, table, table.key_of(table.typed(values)))
            return
        self._data.write(table.name, None, self._data.new_row(table.name, values), _origin(command))

    def _update(self, command: Command, spec: TableSpec, table: Table) -> None:
        key = table.key_in(command.local_id or NO_ROW_ID)
        row = table.rows.get(key)
        if row is None:
            self._echo_nowhere(command, table)
            return
        wanted = dict(row)
        for unit in command.units:
            base, values = _pair(table, unit)
            if all(row[name] == value for name, value in base.items()):
                wanted |= values
        self._data.write(table.name, key, wanted, _origin(command))

    def _delete(self, command: Command, spec: TableSpec, table: Table) -> None:
        key = table.key_in(command.local_id or NO_ROW_ID)
        row = table.rows.get(key)
        base = _values(table, command.units[0].base)
        if row is None:
            self._echo_nowhere(command, table)
        elif all(row[name] == value for name, value in base.items()):
            self._data.write(table.name, key, None, _origin(command))
        else:
            self._echo_row(command, table, key)

    def _echo_row(
        self, command: Command, table: Table, key: Key, outcome: Outcome = "applied", error: str | None = None
    ) -> None:
        row: Row = table.rows[key]
        self._data.note(table.name, key, row, row, _origin(command, outcome, error))

    def _echo_as_is(self, command: Command, table: Table, outcome: Outcome, error: str | None) -> None:
        try:
            key = table.key_in(command.local_id or NO_ROW_ID)
        except ConstraintError:
            key = ()
        if key in table.rows:
            self._echo_row(command, table, key, outcome, error)
        else:
            self._echo_nowhere(command, table, outcome, error)

    def _echo_nowhere(
        self, command: Command, table: Table, outcome: Outcome = "applied", error: str | None = None
    ) -> None:
        origin = _origin(command, outcome, error)
        self._data.note_nowhere(table.name, command.entity, command.local_id or NO_ROW_ID, origin)


def _pair(table: Table, unit: Unit) -> tuple[Row, Row]:
    base, values = _values(table, unit.base), _values(table, unit.set)
    if base.keys() != values.keys():
        raise ConstraintError(table.name, "a unit whose base and values to set are not over the same columns")
    return base, values


def _values(table: Table, text: str | None) -> Row:
    if text is None:
        raise ConstraintError(table.name, "the command does not say which row it expects or wants")
    return table.typed(decode(text))


def _origin(command: Command, outcome: Outcome = "applied", error: str | None = None) -> Origin:
    return Origin(command=command.id, record_id=command.record_id, hop=command.hop, outcome=outcome, error=error)
