"""The users of the simulated systems, the automations among them, and the triggers of a system's own."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from streams.merge.events import Planned
from streams.merge.values import Row, Value
from tests.simulation.acts import Act
from tests.simulation.draws import COUNTER, LIST, MEMBERS
from tests.simulation.lenses import INVALID, Piece, canonical
from tests.simulation.tables import Table
from tests.simulation.tokens import token

if TYPE_CHECKING:
    from tests.simulation.worlds import World


@dataclass
class Users:
    """They edit what they see, and turn values back."""

    world: "World"
    shown: dict[str, list[Value]] = field(default_factory=dict)
    automations: list[tuple[str, str, Value]] = field(default_factory=list)
    fresh: int = 0
    triggers_left: int = 0
    gone_elements: list[Value] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shown = {name: [] for name in self.world.profile.fields}

    def use(self) -> None:
        """A user of some system does something to the row they see."""
        world = self.world
        table = world.any_table()
        if table.row is None:
            if world.chance(0.25 if table.ever_present else self._share_of_creates()):
                self.insert(table)
        elif world.chance(world.profile.delete):
            self.write(table, None, "delete")
        elif table.new_keys and world.chance(0.03):
            self.write(table, dict(table.row), "rekey", new_id=table.next_id())
        else:
            self.edit(table)

    def _share_of_creates(self) -> float:
        return 0.02 if self.world.profile.theme == "counters" else 0.1

    def insert(self, table: Table, load: bool = False) -> None:
        """A user writes a new row."""
        names = [name for name in self.world.profile.fields if name in table.lens.readable]
        self.write(table, self.typed(table, {n: self.value(table, n) for n in names}, None), "insert", load=load)

    def edit(self, table: Table) -> None:
        """A user changes one field or a few."""
        names = [name for name in self.world.profile.fields if name in table.lens.readable]
        chosen = self.world.random.sample(names, self.world.random.choice((1, 1, 1, 2, 3)))
        values = {name: self.value(table, name) for name in chosen}
        self.write(table, self.typed(table, values, table.row), "edit")

    def automate(self) -> bool:
        """Applications put their own value where another one stands. Returns whether one did."""
        acts = len(self.world.acts)
        for system, name, value in self.automations:
            table = self.world.tables[system]
            if table.row is not None:
                self.write(table, self.typed(table, {name: value}, table.row), "edit")
        return len(self.world.acts) > acts

    def employ(self) -> None:
        """Two applications, or more, are set up to rewrite each other; some are of one mind."""
        tables = list(self.world.tables.values())
        some = self.world.random.sample(tables, min(len(tables), self.world.random.choice((2, 2, 3, 4))))
        names = [name for name in "abcd" if all(name in t.lens.readable & t.lens.writable for t in some)]
        if names:
            name = self.world.random.choice(names)
            values = [f"v{self.number()}" for _ in some]
            if len(some) > 2 and self.world.chance(0.3):
                values[-1] = values[0]
            self.automations = [(table.name, name, value) for table, value in zip(some, values, strict=True)]

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
        if (after == table.row and new_id is None) or is_forbidden(table, after):
            return
        number = len(self.world.acts)
        ts_us = self.world.now + self.world.skew[table.name]
        wrote = self._record(table, after, kind, ts_us)
        table.user_writes(after, self.world.now, ts_us, number, new_id, load)
        for name in wrote:
            self.shown[name].append(table.lens.get(after or {}).get(name))

    def _record(self, table: Table, after: Row | None, kind: str, ts_us: int) -> set[str]:
        then = {} if table.row is None else table.lens.get(table.row)
        now = {} if after is None else table.lens.get(after)
        wrote = {n: token(v) for n, v in now.items() if n not in then or then[n] != v or table.row is None}
        act = Act(
            number=len(self.world.acts),
            system=table.name,
            kind=kind,
            at=self.world.now,
            ts_us=ts_us,
            wrote=wrote,
            saw=dict(table.cells),
            saw_row=None if table.row is None else dict(table.row),
            left_row=None if after is None else dict(after),
            absent_since=table.absent_since,
            was_present=table.ever_present,
            reverts=frozenset(name for name in wrote if now[name] in self.shown[name]),
        )
        self.world.acts.append(act)
        return set(wrote)

    def value(self, table: Table, name: str) -> Value:
        """What a user types into a field: something new, something old, or what another system shows."""
        if name in (COUNTER, LIST):
            return self._counted(table) if name == COUNTER else self._listed(table)
        known = self.shown[name]
        if known and self.world.chance(self.world.profile.revert):
            return self.world.random.choice(known[-4:])
        if self.world.chance(0.04):
            return (None,) * MEMBERS if name == "g" else None
        if name == "g":
            return self._group(table)
        plain = any(piece.kind == "plain" and name in piece.fields for piece in table.lens.pieces)
        return f"{INVALID}{self.number()}" if plain and self.world.chance(0.02) else self.text()

    def _counted(self, table: Table) -> Value:
        held = None if table.row is None else table.lens.get(table.row).get(COUNTER)
        step = self.world.random.choice(("1", "2", "-1", "5", "-3", "0.25", "-0.05", "10.1"))
        return canonical(Decimal(str(held or "0")) + Decimal(step))

    def _listed(self, table: Table) -> Value:
        held = () if table.row is None else table.lens.get(table.row).get(LIST) or ()
        kept = list(held) if isinstance(held, tuple) else []
        if kept and self.world.chance(0.4):
            self.gone_elements.append(kept.pop(self.world.random.randrange(len(kept))))
        if not kept or self.world.chance(0.6):
            again = self.gone_elements and self.world.chance(0.1)
            new = self.world.random.choice(self.gone_elements) if again else self.text()
            kept += [] if new in kept else [new]
        return tuple(kept)

    def _group(self, table: Table) -> Value:
        held = None if table.row is None else table.lens.get(table.row)["g"]
        if isinstance(held, tuple) and self.world.chance(0.4):
            return (held[0], self.text()) if self.fresh % 2 else (self.text(), held[1])
        return tuple(self.text() for _ in range(MEMBERS))

    def text(self) -> str:
        """A new value, in one of the ways people type."""
        return self.world.random.choice(("v{}", "V{}", " v{}", "v{}x ")).format(self.number())

    def number(self) -> int:
        """A number that no value has had."""
        self.fresh += 1
        return self.fresh

    def trigger(self, table: Table, command: Planned, found: Row) -> tuple[Row, int] | None:
        """The target's own trigger writes a column that the command does not (or was not allowed to) write."""
        if self.triggers_left <= 0 or command.op != "u" or table.row is None or self.world.chance(0.6):
            return None
        applied = {c for u in command.units for c in (u.base or {}) if _holds(found, u.base) or _holds(found, u.set)}
        free = [
            piece.fields[0]
            for piece in table.lens.pieces
            if piece.kind != "joined" and set(piece.fields) <= table.lens.readable
            if applied.isdisjoint(_unit_of(table, piece))
        ]
        if not free:
            return None
        name = self.world.random.choice(free)
        after = self.typed(table, {name: self.value(table, name)}, table.row)
        if after == table.row or is_forbidden(table, after):
            return None
        self.triggers_left -= 1
        number = len(self.world.acts)
        for written in self._record(table, after, "trigger", self.world.now + self.world.skew[table.name]):
            self.shown[written].append(table.lens.get(after).get(written))
        return after, number


def is_forbidden(table: Table, after: Row | None) -> bool:
    """Whether a constraint is against this."""
    if after is None:
        return table.referenced
    before: Row = table.row or {}
    return table.forbids(value for column, value in after.items() if before.get(column) != value)


def _unit_of(table: Table, piece: Piece) -> set[str]:
    return {column for unit in table.lens.units if piece.columns[0] in unit.columns for column in unit.columns}


def _holds(row: Row, wanted: Any) -> bool:
    return wanted is not None and all(row.get(column) == value for column, value in wanted.items())
