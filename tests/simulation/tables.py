"""One system of the simulated world: a table with one row of the record, its log, and what its sink does to it.

A row is locked while it is read and written, so whoever writes has seen the row as it is. Beside each cell the
table keeps, for the oracle alone, when it was written and by which act.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from streams.merge.events import Planned
from streams.merge.values import Row, Value
from tests.simulation.lenses import Piece, SimpleLens
from tests.simulation.tokens import Token, token


class Entry(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A log entry. `act` is the oracle's: who did it."""

    system: str
    sequence: int
    local_id: str
    before_id: str | None
    after: Row | None
    ts_us: int
    command: str | None = None
    failed: str | None = None
    act: int | None = None
    load: bool = False


class Cell(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What the oracle knows of one field of a row: what it shows, since when, and whose act it is (None: a sink's)."""

    token: Token
    at: int
    act: int | None


@dataclass
class Mistakes:
    """Faults that can be planted in the world around the merge."""

    column_compare: bool = False
    no_fence: bool = False
    silent_when_nothing: bool = False
    blind_delete: bool = False
    state_first: bool = False
    stale_state: bool = False
    blind_write: bool = False
    blind_create: bool = False
    trigger_unseen: bool = False
    unfair_failure: bool = False
    fence_in_memory: bool = False
    no_condition: bool = False
    crash_before_result: bool = False
    unnumbered_looks: bool = False


@dataclass
class Effects:
    """What the sinks did, for the floors."""

    rejected: int = 0
    normalised: int = 0
    failed: int = 0
    fenced: int = 0
    writes: list[tuple[str, dict[str, Value]]] = field(default_factory=list)


Trigger = Callable[["Table", Planned, Row], tuple[Row, int] | None]


@dataclass
class Table:
    """A system's table, log and sink."""

    name: str
    lens: SimpleLens
    mistakes: Mistakes
    new_keys: bool
    loud: frozenset[str] = frozenset()
    banned: Callable[[Value], bool] | None = None
    referenced: bool = False
    row: dict[str, Value] | None = None
    local_id: str = "[1]"
    keys: int = 1
    log: list[Entry] = field(default_factory=list)
    cells: dict[str, Cell] = field(default_factory=dict)
    absent_since: int = 0
    ever_present: bool = False
    fence: int = -1
    effects: Effects = field(default_factory=Effects)
    altered: tuple[tuple[str, Piece, bool], ...] = field(init=False)

    def __post_init__(self) -> None:
        columns = [(column, piece, column in self.loud) for piece in self.lens.pieces for column in piece.columns]
        self.altered = tuple((column, piece, loud) for column, piece, loud in columns if loud or piece.alters)

    def forbids(self, values: Iterable[Value]) -> bool:
        """Whether the table's constraint is against any of these."""
        return self.banned is not None and any(map(self.banned, values))

    def normal(self, row: Row) -> dict[str, Value]:
        """The row as the table keeps it: as the lens says, and in upper case where a trigger of its own says so."""
        kept = dict(row)
        for column, piece, loud in self.altered:
            if column in kept:
                value = piece.normal(kept[column])
                kept[column] = value.upper() if loud and isinstance(value, str) else value
        return kept

    def user_writes(
        self, after: Row | None, now: int, ts_us: int, act: int, new_id: str | None = None, load: bool = False
    ) -> None:
        """A user's statement, committed: the row as it was left, and the log entry of the trigger.

        `load`: it was written before there was a trigger, and is read by the initial load.
        """
        before_id = None
        if self.row is None and after is not None and self.new_keys:
            self._next_key()
        elif new_id is not None:
            before_id, self.local_id = self.local_id, new_id
        self._put(None if after is None else self.normal(after), now, act)
        self._append(ts_us, before_id=before_id, act=act, load=load)

    def next_id(self) -> str:
        """A key that no row has had."""
        self.keys += 1
        return f"[{self.keys}]"

    def apply(self, command: Planned, name: str, offset: int, now: int, ts_us: int, trigger: Trigger) -> None:
        """Carry out one command in one transaction: compare and set, echo, fence."""
        if offset <= self.fence and not self.mistakes.no_fence:
            self.effects.fenced += 1
            return
        self.fence = -1 if self.mistakes.fence_in_memory and len(self.log) % 4 == 0 else max(self.fence, offset)
        found = self.row if command.local_id in (None, self.local_id) else None
        taken = command.op == "c" and found is None and self.row is not None
        if taken and (self.mistakes.blind_write or self.mistakes.blind_create):
            found = self.row
        elif taken:
            self._append(ts_us, command=name, local_id=command.local_id, failed="the natural key is taken", gone=True)
            return
        after, why = self._judged(command, found)
        if why is not None:
            self.effects.failed += 1
            if not self.mistakes.unfair_failure:
                self._append(ts_us, command=name, local_id=command.local_id, failed=why, gone=found is None)
            return
        if command.op == "c" and found is None:
            self._key_for(command)
        self._written(command, name, found, after, now, ts_us, trigger)

    def overwrite(self, command: Planned, found: Row, name: str, now: int, ts_us: int) -> None:
        """A write without a condition: what happened since the row was found is gone."""
        after = self._compared(command, dict(found))
        if after != self.row:
            self._put(after, now, None)
        self._append(ts_us, command=name)

    def _written(
        self,
        command: Planned,
        name: str,
        found: Row | None,
        after: dict[str, Value] | None,
        now: int,
        ts_us: int,
        trigger: Trigger,
    ) -> None:
        if found is None and after is None:
            if not self.mistakes.silent_when_nothing:
                self._append(ts_us, command=name, local_id=command.local_id, gone=True)
            return
        changed, act = after != found, None
        if changed:
            self._put(after, now, None)
            if found is not None and after is not None:
                if self.mistakes.trigger_unseen:
                    self._append(ts_us, command=name)
                act = self._triggered(trigger(self, command, found), now)
                if self.mistakes.trigger_unseen:
                    return
        else:
            self.effects.rejected += 1
            if self.mistakes.silent_when_nothing:
                return
        self._append(ts_us, command=name, act=act)

    def _triggered(self, done: tuple[Row, int] | None, now: int) -> int | None:
        if done is None:
            return None
        self._put(self.normal(done[0]), now, done[1])
        return done[1]

    def _judged(self, command: Planned, found: Row | None) -> tuple[dict[str, Value] | None, str | None]:
        """The row as the command would leave it, or why the target will not have it."""
        if command.op == "d":
            base = command.units[0].base
            hit = found is not None and (self.mistakes.blind_delete or dict(found) == base)
            if hit and self.referenced:
                return None, "other rows refer to this one"
            return (None, None) if hit or found is None else (dict(found), None)
        if command.op == "c":
            blind = found is None or self.mistakes.blind_write or self.mistakes.blind_create
            after = self.normal(command.units[0].set or {}) if blind else dict(found or {})
        elif found is None:
            return None, None
        else:
            after = self._compared(command, dict(found))
        if self.forbids(value for column, value in after.items() if found is None or value != found.get(column)):
            return None, "the target's constraint does not allow this value"
        return after, None

    def _compared(self, command: Planned, row: dict[str, Value]) -> dict[str, Value]:
        after = dict(row)
        for unit in command.units:
            base, wanted = unit.base or {}, unit.set or {}
            if self.mistakes.column_compare:
                after.update({c: wanted[c] for c in base if row[c] == base[c]})
            elif self.mistakes.blind_write or all(row[column] == base[column] for column in base):
                after.update(wanted)
                self.effects.normalised += self.normal(wanted) != wanted
            elif not all(row[column] == wanted[column] for column in wanted):
                self.effects.rejected += 1
        return self.normal(after)

    def _next_key(self) -> None:
        self.local_id = self.next_id()

    def _key_for(self, command: Planned) -> None:
        if command.local_id is not None:
            self.local_id = command.local_id
        elif self.new_keys:
            self._next_key()

    def _put(self, after: dict[str, Value] | None, now: int, act: int | None) -> None:
        if after is None:
            self.absent_since = now
            self.cells = {}
        else:
            self.ever_present = True
            self._mark(after, now, act)
        self.row = after

    def _mark(self, after: dict[str, Value], now: int, act: int | None) -> None:
        then = {} if self.row is None else self.lens.read(self.row)
        for name, value in self.lens.read(after).items():
            if self.row is None or name not in then or then[name] != value:
                self.cells[name] = Cell(token(value), now, act)
        if act is None:
            self.effects.writes.append((self.name, after))

    def _append(
        self,
        ts_us: int,
        before_id: str | None = None,
        act: int | None = None,
        command: str | None = None,
        local_id: str | None = None,
        failed: str | None = None,
        gone: bool = False,
        load: bool = False,
    ) -> None:
        place = self.local_id if local_id is None else local_id
        after = None if gone or self.row is None else dict(self.row)
        sequence = len(self.log) + 1
        self.log.append(Entry(self.name, sequence, place, before_id, after, ts_us, command, failed, act, load))
