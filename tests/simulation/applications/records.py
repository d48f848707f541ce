"""One record of the world, as the simulation's oracle judges it: its rows in all systems, its users, its hub."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from connectors.remote.creations import UNKNOWN
from schemas.codec import Codec
from schemas.identifiers import record_of_natural_key
from schemas.messages import Change, Result
from streams.merge.events import Answered, Changed, Looked, Planned
from streams.merge.rules import Rules
from streams.merge.values import Row, Value
from tests.simulation.acts import Act
from tests.simulation.applications.draws import KEY, Plan
from tests.simulation.applications.rows import ThingRow
from tests.simulation.chances import Chance
from tests.simulation.hubs import Hub, Input
from tests.simulation.operators import Operator
from tests.simulation.remotes import Remote
from tests.simulation.tables import Mistakes, Table
from tests.simulation.users import Users
from tests.simulation.worlds import World

ENTITY = "thing"
CODEC = Codec()
NUMBERS_OF_A_RECORD = 500
LONG = " and much more"


@dataclass
class LoggedHub(Hub):
    """The hub of one record. What is appended to its log stands in the log of its partition."""

    on_append: Callable[[int], None] = lambda place: None

    def append(self, given: Input) -> None:
        """The next message of the record's log."""
        super().append(given)
        self.on_append(len(self.log) - 1)


@dataclass
class ThingUsers(Users):
    """They leave the natural key as it is, and write more than some applications keep."""

    key: str = ""

    def value(self, table: Table, name: str) -> Value:
        """What a user types into a field."""
        return self.key if name == KEY else super().value(table, name)

    def text(self) -> str:
        """A new value, at times a long one."""
        return super().text() + (LONG if self.world.chance(0.2) else "")


@dataclass
class Watched(Remote):
    """What the hub heard of a record's row in an application: which acts each look and each answer shows first."""

    def is_invisible(self, act: Act, name: str | None) -> bool:
        """Also what a write covered before anybody could look, where nothing can be done about that."""
        assert isinstance(self.table, ThingRow)
        return (act.number, name) in self.table.windows or super().is_invisible(act, name)

    def looked(self, event: Looked, place: int) -> Input:
        """A look goes to the hub. `place` is what it saw of the row's history."""
        since = self.revealed
        self.revealed = max(since, place)
        self.known.add(place)
        assert isinstance(self.table, ThingRow)
        if event.load:
            self.table.mark_loaded(since, place)
        return Input(event, self._news(since, place))

    def was_answered(self, event: Answered, found: int, left: int) -> Input:
        """An answer goes to the hub, and with it what looks showed while it was waited for."""
        since = self.answered
        self.revealed = self.answered = max(self.revealed, left)
        self.known |= {found, left}
        assert isinstance(self.table, ThingRow)
        self.table.was_answered(found, left, event.found, event.left)
        return Input(event, self._news(since, self.revealed))

    def _news(self, since: int, until: int) -> tuple[int, ...]:
        acts = [entry.act for entry in self.table.log[since:until] if entry.act is not None]
        return tuple(dict.fromkeys(acts))


class Record(World):
    """A world of one record, for those of the simulation that know no other."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self, number: int, plan: Plan, rules: Rules, tables: dict[str, Table], chance: Chance, now_us: Callable[[], int]
    ) -> None:
        self.random = chance
        self._now_us = now_us
        self.seed = number
        self.key = key_of(number)
        self.id = record_of_natural_key(ENTITY, natural_key(self.key), 0)
        self.mistakes = Mistakes()
        self.acts = []
        self.profile = plan.profile
        self.tables = tables
        self.all_tables = tuple(tables.values())
        self.skew = dict(plan.skews_us)
        self.hub: LoggedHub = LoggedHub(rules, self.mistakes)
        self.users = ThingUsers(self, triggers_left=chance.choice((0, 0, 2)), key=self.key)
        self.users.fresh = number * NUMBERS_OF_A_RECORD
        self.operator = Operator(self)
        self.remotes = {name: Watched(table, chance) for name, table in tables.items() if isinstance(table, ThingRow)}
        self.lost = set()
        self.excused: set[str] = set()

    @property
    def now(self) -> int:  # type: ignore[override]
        """The time, us."""
        return self._now_us()

    def look(self, change: Change, place: int) -> Input:
        """A look of an application's source."""
        table = self.tables[change.system]
        event = Looked(
            system=change.system,
            local_id=change.local_id,
            order=change.seq,
            ts_us=min(change.ts_us, self.now),
            after=mapped(table, change.after),
            load=change.op == "r",
            at_us=self.now,
        )
        watched = self.remotes[change.system]
        assert isinstance(watched, Watched)
        return watched.looked(event, place)

    def answer(self, result: Result, found: int, left: int, planned: Planned) -> Input:
        """An answer of an application's sink."""
        table = self.tables[result.system]
        event = Answered(
            system=result.system,
            local_id=result.local_id,
            command=result.command,
            found_order=result.found_order,
            found=mapped(table, result.found),
            left_order=result.left_order,
            left=mapped(table, result.left),
            ts_us=min(result.ts_us, self.now),
            failed=None if result.outcome == "applied" else result.error,
            at_us=self.now,
        )
        if result.outcome == "failed":
            table.effects.failed += 1
            if isinstance(table, ThingRow) and planned.op == "c" and result.error == UNKNOWN:
                table.is_orphaned = table.is_orphaned or table.is_ours()
        elif result.found == result.left:
            table.effects.rejected += 1
        elif planned.op == "d" and result.left is None and isinstance(table, ThingRow):
            table.was_deleted(left)
        if planned.op != "d" and isinstance(table, ThingRow):
            wanted = {column: value for unit in planned.units for column, value in (unit.set or {}).items()}
            table.was_written(found, left, wanted)
        watched = self.remotes[result.system]
        assert isinstance(watched, Watched)
        return watched.was_answered(event, found, left)

    def change(self, change: Change) -> Input:
        """An entry of a database's log."""
        table = self.tables[change.system]
        origin = change.origin
        event = Changed(
            system=change.system,
            local_id=change.local_id,
            position=(change.incarnation, change.seq),
            ts_us=min(change.ts_us, self.now),
            after=mapped(table, change.after),
            command=None if origin is None else origin.command,
            failed=None if origin is None or origin.outcome == "applied" else origin.error,
            load=change.op == "r",
            at_us=self.now,
        )
        act = table.log[change.seq - 1].act
        return Input(event, () if act is None else (act,))


def key_of(number: int) -> str:
    """The natural key of a record. No multiple of seven: picky targets would not take it."""
    return f"key{1000 + 7 * number + 1}@example.org"


def natural_key(key: str) -> str:
    """As identity writes it."""
    return msgspec.json.encode([key]).decode()


def mapped(table: Table, image: str | None) -> Row | None:
    """The mapped columns of a row image."""
    if image is None:
        return None
    found = msgspec.json.decode(image)
    return {column: found.get(column) for column in table.lens.columns}


def image(table: Table, local_id: str, row: Row | None) -> str | None:
    """A database's row as it travels."""
    if row is None:
        return None
    return msgspec.json.encode({"id": msgspec.json.decode(local_id)[0], **row}).decode()
