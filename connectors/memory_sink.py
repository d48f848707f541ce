"""The in-memory system's sink: commands into tables, one write at a time, each with its echo."""

import time
from collections.abc import Sequence

from connectors.base import Effect, Removal, TableSpec
from connectors.memory_tables import Archived, ConstraintError, Key, MemorySystem, Row, Table, decode, encode
from schemas.messages import Command, Origin, Outcome, Unit

LONGEST_WAIT_S = 600.0
NO_ROW_ID = "[]"


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
            if command.offset > fence.get(place, -1) and not self._went_ahead(command):
                effects[command.id] = self._carry_out(command, patient=True)
            self._data.fence[place] = max(command.offset, self._data.fence.get(place, -1))
        return [effects.get(command.id, Effect(command.id, None)) for command in commands]

    async def apply_ahead(self, commands: Sequence[Command]) -> Sequence[Effect]:
        """Carry out those that can be, though earlier ones wait; the others leave nothing."""
        effects = []
        for command in commands:
            fenced = command.offset <= self._data.fence.get((command.entity, command.partition), -1)
            if not fenced and not self._went_ahead(command) and self._goes_ahead(command):
                self._data.ahead[command.entity, command.partition, command.record_id] = command.offset
                effects.append(Effect(command.id, "applied"))
        return effects

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

    def _went_ahead(self, command: Command) -> bool:
        record = (command.entity, command.partition, command.record_id)
        return command.offset <= self._data.ahead.get(record, -1)

    def _goes_ahead(self, command: Command) -> bool:
        """Whether a command was carried out. Not deletes, nor what the table does not take as it is."""
        spec = self._specs.get(command.entity)
        if spec is None or command.op == "d":
            return False
        table = self._data.tables[spec.table]
        try:
            if not self._is_open(command, spec, table):
                return False
            (self._create if command.op == "c" else self._update)(command, spec, table)
        except ConstraintError:
            return False
        return True

    @staticmethod
    def _is_open(command: Command, spec: TableSpec, table: Table) -> bool:
        """Whether the row is there that an update is for, or none that is in the way of a create."""
        if command.op == "u":
            return table.key_in(command.local_id or NO_ROW_ID) in table.rows
        key = _row_of(spec, table, table.typed(_wanted(command, spec, table)))
        return key not in table.rows or _is_gone(table, table.rows[key], spec.removal)

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
        values = _wanted(command, spec, table)
        wanted = table.typed(values)
        key = _row_of(spec, table, wanted)
        if key not in table.rows:
            self._data.write(table.name, None, self._data.new_row(table.name, values), _origin(command))
        elif _is_gone(table, table.rows[key], spec.removal):
            set_values = {name: value for name, value in wanted.items() if name not in table.key}
            back = table.typed({str(spec.removal.column): spec.removal.restore})
            self._data.write(table.name, key, table.rows[key] | set_values | back, _origin(command))
        else:
            self._echo_row(command, table, key)

    def _update(self, command: Command, spec: TableSpec, table: Table) -> None:
        key = table.key_in(command.local_id or NO_ROW_ID)
        row = table.rows.get(key)
        if row is None:
            self._echo_nowhere(command, table)
            return
        if _is_gone(table, row, spec.removal):
            self._echo_row(command, table, key)
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
        elif all(row[name] == value for name, value in base.items()) and not _is_gone(table, row, spec.removal):
            self._remove(command, spec, table, key)
        else:
            self._echo_row(command, table, key)

    def _remove(self, command: Command, spec: TableSpec, table: Table, key: Key) -> None:
        removal, row = spec.removal, table.rows[key]
        if removal.mode == "inactive":
            self._data.write(table.name, key, row | _marked(table, removal), _origin(command))
        elif removal.mode == "archive":
            self._data.archive_row(table.name, key, removal.archive, _archived(command, row), _origin(command))
        else:
            self._data.write(table.name, key, None, _origin(command))

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


def _wanted(command: Command, spec: TableSpec, table: Table) -> Row:
    """The columns that a create sets."""
    values = dict(spec.constants) | _values(table, command.units[0].set)
    if command.local_id is not None:
        values |= dict(zip(table.key, table.key_in(command.local_id), strict=True))
    return values


def _row_of(spec: TableSpec, table: Table, wanted: Row) -> Key | None:
    """The key of the row that a create makes, where it is known, or brings back."""
    return _known_key(table, wanted) or _resting(table, spec, wanted)


def _is_gone(table: Table, row: Row, removal: Removal) -> bool:
    return removal.mode == "inactive" and _marked(table, removal).items() <= row.items()


def _marked(table: Table, removal: Removal) -> Row:
    return table.typed({str(removal.column): removal.value})


def _known_key(table: Table, wanted: Row) -> Key | None:
    """The key that a create knows beforehand."""
    return table.key_of(wanted) if all(wanted.get(name) is not None for name in table.key) else None


def _resting(table: Table, spec: TableSpec, wanted: Row) -> Key | None:
    """The first row with the natural key of a create that counts as gone."""
    names = spec.match if all(wanted.get(name) is not None for name in spec.match) else ()
    found = [key for key, row in table.rows.items() if names and all(row[name] == wanted[name] for name in names)]
    return min((key for key in found if _is_gone(table, table.rows[key], spec.removal)), default=None)


def _archived(command: Command, row: Row) -> Archived:
    return Archived(command.entity, command.local_id or NO_ROW_ID, encode(row), command.id)


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
