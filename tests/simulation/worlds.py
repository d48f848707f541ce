"""The simulated world: systems whose users edit what they see, a transport that repeats and delays, a hub that
crashes, sinks that are served twice, and an operator who hesitates. One seed makes one world and one history.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streams.merge import existence, states
from streams.merge.decisions import shown_version
from streams.merge.events import Changed, Decided, Outcome, Planned
from streams.merge.goldens import Golden
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE, Row, Value
from tests.simulation import draws
from tests.simulation.draws import FIELDS, MEMBERS
from tests.simulation.hubs import Hub, Input
from tests.simulation.lenses import INVALID, Piece
from tests.simulation.tables import Cell, Entry, Mistakes, Table
from tests.simulation.tokens import Token, token


@dataclass(frozen=True)
class Act:
    """What somebody did, what they saw, and what they left: all the oracle needs to know."""

    number: int
    system: str
    kind: str
    at: int
    ts_us: int
    wrote: dict[str, Token]
    saw: dict[str, Cell]
    saw_row: Row | None
    absent_since: int
    was_present: bool
    reverts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Look:
    """An item as an operator saw it, and the record beside it."""

    item: int
    field: str
    candidate: Value
    version: int
    golden: Golden


@dataclass
class World:
    """Everything of one history."""

    seed: int
    mistakes: Mistakes = field(default_factory=Mistakes)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.now = 10_000
        self.fresh = 0
        self.acts: list[Act] = []
        self.shown: dict[str, list[Value]] = {name: [] for name in FIELDS}
        self.profile = draws.profile(self.random)
        self.tables = draws.tables(self.random, self.mistakes)
        self.skew = {name: self.random.choice(draws.SKEWS_US[self.profile.theme]) for name in self.tables}
        self.hub = Hub(draws.rules(self.random, self.tables, self.profile.theme), self.mistakes)
        self.sent = dict.fromkeys(self.tables, 0)
        self.served = dict.fromkeys(self.tables, 0)
        self.looks: list[Look] = []
        self.decided: dict[int, Look] = {}
        self.triggers_left = self.random.choice((0, 0, 2, 4))
        self.invalid_acts: set[int] = set()

    # What happens

    def run(self) -> None:
        """The history: acts and mishaps in a drawn order."""
        doings: dict[str, Callable[[], None]] = {
            "user": self.use,
            "transport": self.transport,
            "hub": self.merge,
            "sink": self.serve,
            "look": self.look,
            "decide": self.decide,
        }
        names, weights = list(doings), [self.profile.weights[name] for name in doings]
        self._begin()
        for _ in range(self.profile.steps):
            self.now += self.random.randint(1, 20)
            doings[self.random.choices(names, weights)[0]]()

    def _begin(self) -> None:
        """Some systems hold the record before anybody listens: their rows are loaded."""
        for table in self.tables.values():
            self.now += 1
            if self.random.random() < 0.4:
                self.insert(table, load=self.random.random() < 0.7)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def transport(self) -> None:
        """Some of a system's log goes to the record's log; sometimes entries go again."""
        table = self.random.choice(list(self.tables.values()))
        if self._chance(self.profile.repeat):
            self.sent[table.name] = max(0, self.sent[table.name] - self.random.randint(1, 4))
        for _ in range(self.random.randint(1, self.profile.batch)):
            self.forward(table)

    def forward(self, table: Table) -> bool:
        """The next entry of a system's log, if there is one."""
        if self.sent[table.name] >= len(table.log):
            return False
        entry = table.log[self.sent[table.name]]
        self.sent[table.name] += 1
        self.hub.log.append(Input(self._changed(entry), entry.act))
        return True

    def _changed(self, entry: Entry) -> Changed:
        return Changed(
            system=entry.system,
            local_id=entry.local_id,
            position=(1, entry.sequence),
            ts_us=min(entry.ts_us, self.now),
            after=entry.after,
            before_id=entry.before_id,
            command=entry.command,
            failed=entry.failed,
            load=entry.load,
        )

    def merge(self) -> None:
        """The hub merges a batch, and may crash."""
        self.hub.work(self.random.randint(1, self.profile.batch), self.now, lambda: self._chance(self.profile.crash))

    def serve(self) -> None:
        """A sink carries out a few commands; sometimes it is given old ones again."""
        table = self.random.choice(list(self.tables.values()))
        if self._chance(self.profile.repeat):
            self.served[table.name] = max(0, self.served[table.name] - self.random.randint(1, 3))
        for _ in range(self.random.randint(1, 2)):
            self.carry_out(table)

    def carry_out(self, table: Table) -> bool:
        """The next command of a system's queue, if there is one."""
        queue = self.hub.queues.get(table.name, [])
        if self.served[table.name] >= len(queue):
            return False
        offset, command = queue[self.served[table.name]]
        self.served[table.name] += 1
        name = f"r/{table.name}/{command.number}"
        table.apply(command, name, offset, self.now, self.now + self.skew[table.name], self._trigger)
        return True

    # Users

    def use(self) -> None:
        """A user of some system does something to the row they see."""
        table = self.random.choice(list(self.tables.values()))
        if table.row is None:
            if self._chance(0.25 if table.ever_present else 0.1):
                self.insert(table)
        elif self._chance(self.profile.delete):
            self.write(table, None, "delete")
        elif table.new_keys and self._chance(0.03):
            self.write(table, dict(table.row), "rekey", new_id=table.next_id())
        else:
            self.edit(table)

    def insert(self, table: Table, load: bool = False) -> None:
        """A user writes a new row."""
        values = {name: self.value(table, name) for name in FIELDS if name in table.lens.readable}
        self.write(table, self.typed(table, values, None), "insert", load=load)

    def edit(self, table: Table) -> None:
        """A user changes one field or a few."""
        names = [name for name in FIELDS if name in table.lens.readable]
        chosen = self.random.sample(names, self.random.choice((1, 1, 1, 2, 3)))
        values = {name: self.value(table, name) for name in chosen}
        self.write(table, self.typed(table, values, table.row), "edit")

    def typed(self, table: Table, values: dict[str, Value], row: Row | None) -> dict[str, Value]:
        """The columns as a user would type these values; direction is the hub's affair."""
        written: dict[str, Value] = {column: None if row is None else row[column] for column in table.lens.columns}
        for piece in table.lens.pieces:
            piece.write(values, written)
        return table.normal(written)

    def write(
        self, table: Table, after: dict[str, Value] | None, kind: str, new_id: str | None = None, load: bool = False
    ) -> None:
        """Commit an act, unless it changes nothing or the target forbids it."""
        if (after == table.row and new_id is None) or (after is not None and self._is_forbidden(table, after)):
            return
        number = len(self.acts)
        ts_us = self.now + self.skew[table.name]
        wrote = self._record(table, after, kind, number, ts_us)
        if after is not None and table.lens.faults(after):
            self.invalid_acts.add(number)
        table.user_writes(after, self.now, ts_us, number, new_id, load)
        for name in wrote:
            self.shown[name].append(table.lens.get(after or {}).get(name))

    def _is_forbidden(self, table: Table, after: Row) -> bool:
        before: Row = table.row or {}
        return any(table.banned(value) for column, value in after.items() if before.get(column) != value)

    def _record(self, table: Table, after: Row | None, kind: str, number: int, ts_us: int) -> set[str]:
        then = {} if table.row is None else table.lens.get(table.row)
        now = {} if after is None else table.lens.get(after)
        wrote = {n: token(v) for n, v in now.items() if n not in then or then[n] != v or table.row is None}
        reverts = frozenset(name for name in wrote if now[name] in self.shown[name])
        self.acts.append(
            Act(
                number,
                table.name,
                kind,
                self.now,
                ts_us,
                wrote,
                dict(table.cells),
                None if table.row is None else dict(table.row),
                table.absent_since,
                table.ever_present,
                reverts,
            )
        )
        return set(wrote)

    def value(self, table: Table, name: str) -> Value:
        """What a user types into a field: something new, something old, or what another system shows."""
        known = self.shown[name]
        if known and self._chance(self.profile.revert):
            return self.random.choice(known[-4:])
        if self._chance(0.04):
            return (None,) * MEMBERS if name == "g" else None
        if name == "g":
            return self._group(table)
        plain = any(piece.kind == "plain" and name in piece.fields for piece in table.lens.pieces)
        return f"{INVALID}{self._number()}" if plain and self._chance(0.02) else self._text()

    def _group(self, table: Table) -> Value:
        held = None if table.row is None else table.lens.get(table.row)["g"]
        if isinstance(held, tuple) and self._chance(0.4):
            return (held[0], self._text())
        return tuple(self._text() for _ in range(MEMBERS))

    def _text(self) -> str:
        return self.random.choice(("v{}", "V{}", " v{}", "v{}x ")).format(self._number())

    def _number(self) -> int:
        self.fresh += 1
        return self.fresh

    def _trigger(self, table: Table, command: Planned, found: Row) -> tuple[Row, int] | None:
        """The target's own trigger writes a column that the command does not (or was not allowed to) write."""
        if self.triggers_left <= 0 or command.op != "u" or table.row is None or self._chance(0.6):
            return None
        applied = {c for u in command.units for c in (u.base or {}) if _holds(found, u.base) or _holds(found, u.set)}
        free = [
            piece.fields[0]
            for piece in table.lens.pieces
            if piece.kind != "joined" and set(piece.fields) <= table.lens.readable
            if applied.isdisjoint(self._unit_of(table, piece))
        ]
        if not free:
            return None
        name = self.random.choice(free)
        after = self.typed(table, {name: self.value(table, name)}, table.row)
        if after == table.row or self._is_forbidden(table, after):
            return None
        self.triggers_left -= 1
        number = len(self.acts)
        for written in self._record(table, after, "trigger", number, self.now + self.skew[table.name]):
            self.shown[written].append(table.lens.get(after).get(written))
        if table.lens.faults(after):
            self.invalid_acts.add(number)
        return after, number

    def _unit_of(self, table: Table, piece: Piece) -> set[str]:
        return {column for unit in table.lens.units if piece.columns[0] in unit.columns for column in unit.columns}

    # The operator

    def look(self) -> None:
        """An operator looks at what is parked."""
        if self.hub.data is None:
            return
        state = states.decode(self.hub.data)
        turn = Turn(state, self.hub.rules, Outcome())
        parked = existence.parked(turn)
        if parked:
            self._look_at(self.random.choice(parked), state)

    def _look_at(self, item: states.Item, state: states.State) -> None:
        version = shown_version(Turn(state, self.hub.rules, Outcome()), item.field)
        shown = Look(item.number, item.field, item.shown(), version, self.hub.golden(self.hub.data))
        self.looks.append(shown)

    def decide(self) -> None:
        """An operator decides something looked at before, perhaps long before."""
        if not self.looks:
            return
        look = self.random.choice(self.looks)
        value = self._decision(look)
        event = Decided(
            item=str(look.item), candidate=look.candidate, version=look.version, value=value, ts_us=self.now
        )
        for _ in range(2 if self._chance(self.profile.repeat) else 1):
            self.decided[len(self.hub.log)] = look
            self.hub.log.append(Input(event))

    def _decision(self, look: Look) -> Value:
        if look.field == EXISTENCE:
            return self.random.choice((None, True))
        return self.random.choice((look.candidate, look.golden.values[look.field], self._third(look.field)))

    def _third(self, name: str) -> Value:
        value: Value = tuple(self._text() for _ in range(MEMBERS)) if name == "g" else self._text()
        number = len(self.acts)
        wrote = {name: token(value)}
        act = Act(number, "(operator)", "decision", self.now, self.now, wrote, {}, None, 0, False)
        self.acts.append(act)
        return value

    def decide_everything(self) -> None:
        """A last operator, without haste: one item at a time, each on what is shown now."""
        for _ in range(60):
            if not self.drain() or self.hub.data is None:
                return
            state = states.decode(self.hub.data)
            parked = existence.parked(Turn(state, self.hub.rules, Outcome()))
            parked.sort(key=existence.is_delete)
            if not parked:
                return
            self.looks = []
            self._look_at(parked[0], state)
            self.decide()

    # Rest

    def drain(self, limit: int = 400) -> bool:
        """Let everything arrive, without mishaps. Returns whether the world came to rest."""
        for _ in range(limit):
            self.now += 5
            moved = [self.forward(table) for table in self.tables.values() for _ in range(3)]
            waiting = self.hub.offset < len(self.hub.log)
            self.hub.work(50, self.now, lambda: False)
            moved += [self.carry_out(table) for table in self.tables.values() for _ in range(3)]
            if not any(moved) and not waiting:
                return True
        return False

    def repeat_everything(self) -> None:
        """All logs and all commands come again."""
        self.sent = dict.fromkeys(self.tables, 0)
        self.served = dict.fromkeys(self.tables, 0)


def _holds(row: Row, wanted: Any) -> bool:
    return wanted is not None and all(row.get(column) == value for column, value in wanted.items())
