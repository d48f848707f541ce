"""The simulated world: systems whose users edit what they see, a transport that repeats and delays, a hub that
crashes, sinks that are served twice, and an operator who hesitates. One seed makes one world and one history.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from streams.merge.events import Changed
from streams.merge.rules import ExistencePolicy, Rules
from tests.simulation import draws
from tests.simulation.acts import Act
from tests.simulation.chances import Chance, Lottery
from tests.simulation.hubs import Hub, Input
from tests.simulation.operators import Operator
from tests.simulation.remotes import Remote
from tests.simulation.tables import Entry, Mistakes, Table
from tests.simulation.themes import Theme, theme_of
from tests.simulation.users import Users

BEGIN_US = 4 * draws.HOUR_US
A_DAY_US = 24 * draws.HOUR_US
COMPARED = 4
"""Of so many histories one has every event merged in both ways."""
EXISTENCE_POLICIES: tuple[ExistencePolicy, ...] = ("update_wins", "delete_wins", "manual")
MakeHub = Callable[[Rules, Mistakes], Hub]


@dataclass
class World:
    """Everything of one history."""

    seed: int
    mistakes: Mistakes = field(default_factory=Mistakes)
    theme: Theme | None = None
    make_hub: MakeHub = Hub

    def __post_init__(self) -> None:
        self.random = Chance(self.seed)
        self.now = BEGIN_US
        self.acts: list[Act] = []
        self.profile = draws.profile(self.random, self.theme or theme_of(self.seed))
        self.tables = draws.tables(self.random, self.mistakes, self.profile.theme)
        self.all_tables = tuple(self.tables.values())
        draws.refer(self.all_tables, self.profile.theme, Chance(self.seed + draws.ANOTHER_WORLD))
        self.skew = {name: self.random.choice(self.profile.skews_us) for name in self.tables}
        self.hub = self.make_hub(draws.rules(self.random, self.tables, self.profile), self.mistakes)
        self.hub.twice = self.seed % COMPARED == 0
        self.sent = dict.fromkeys(self.tables, 0)
        self.served = dict.fromkeys(self.tables, 0)
        self.users = Users(self, triggers_left=self.random.choice((0, 0, 2, 4)))
        self.operator = Operator(self)
        self.remotes: dict[str, Remote] = {}
        self.resolved: list[int] = []
        self.lost: set[tuple[str, int]] = set()

    def chance(self, share: float) -> bool:
        """Whether something happens that does so in this share of cases."""
        return self.random.random() < share

    def any_table(self) -> Table:
        """Some system."""
        return self.random.choice(self.all_tables)

    # What happens

    def run(self) -> None:
        """The history: acts and mishaps in a drawn order."""
        doings = self._doings()
        lottery = Lottery(self.random, self.profile.weights)
        self._begin()
        for _ in range(self.profile.steps):
            self.now += self.random.randint(1, 20)
            doings[lottery.draw()]()

    def _doings(self) -> dict[str, Callable[[], object]]:
        return {
            "user": self.users.use,
            "transport": self.transport,
            "hub": self.merge,
            "sink": self.serve,
            "haunt": self.haunt,
            "look": self.operator.look,
            "decide": self.operator.decide,
            "draft": self.operator.draft,
            "amend": self.operator.amend,
            "retry": self.operator.retry,
            "forget": lambda: self.operator.nudge("forget"),
            "tick": lambda: self.operator.nudge("deadline"),
            "automate": self.users.automate,
            "legislate": self.legislate,
            "brake": self.brake,
            "lose": self.lose,
        }

    def _begin(self) -> None:
        """Some systems hold the record before anybody listens: their rows are loaded."""
        theme, tables = self.profile.theme, list(self.tables.values())
        if theme == "remotes":
            some = self.random.sample(tables, self.random.randint(1, len(tables)))
            self.remotes = {table.name: Remote(table, self.random) for table in some}
        if theme == "counters":
            tables = self.random.sample(tables, 1)
        for table in tables:
            self.now += 1
            if theme == "counters" or self.chance(0.4):
                self.users.insert(table, load=self.chance(0.7))
        if theme == "automations":
            self.users.employ()

    def transport(self) -> None:
        """Some of a system's log goes to the record's log; sometimes entries go again."""
        table = self.any_table()
        if table.name in self.remotes and self.chance(0.5):
            self.remotes[table.name].glance()
        if self.chance(self.profile.repeat):
            self.sent[table.name] = max(0, self.sent[table.name] - self.random.randint(1, 4))
        for _ in range(self.random.randint(1, self.profile.batch)):
            self.forward(table, self.chance(self.profile.repeat))

    def forward(self, table: Table, again: bool = False) -> bool:
        """The next entry of a system's log, if there is one; of a system without a log, whatever waits."""
        if table.name in self.remotes:
            given = self.remotes[table.name].deliver(self.now, again)
            if given is not None:
                self.hub.append(given)
            return given is not None
        if self.sent[table.name] >= len(table.log):
            return False
        entry = table.log[self.sent[table.name]]
        self.sent[table.name] += 1
        self.hub.append(Input(self._changed(entry), () if entry.act is None else (entry.act,)))
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
            at_us=self.now,
        )

    def merge(self) -> None:
        """The hub merges a batch, and may crash."""
        self.hub.work(self.random.randint(1, self.profile.batch), self.now, lambda: self.chance(self.profile.crash))

    def haunt(self) -> None:
        """A hub instance that was thought dead writes late; or an old sink carries out what it had in hand."""
        if self.hub.stale:
            self.hub.haunt(self.hub.stale.pop())
        table = self.any_table()
        served = self.served[table.name]
        if served and table.name not in self.remotes and self.chance(0.5):
            self._apply(table, self.random.randrange(served))

    def serve(self) -> None:
        """A sink carries out a few commands; sometimes it is given old ones again."""
        table = self.any_table()
        if self.chance(self.profile.repeat):
            self.served[table.name] = max(0, self.served[table.name] - self.random.randint(1, 3))
            if table.name in self.remotes:
                self.remotes[table.name].send_again()
        for _ in range(self.random.randint(1, 2)):
            self.carry_out(table)

    def carry_out(self, table: Table) -> bool:
        """The next command of a system's queue, if there is one."""
        if self.served[table.name] >= len(self.hub.queues.get(table.name, [])):
            return False
        self.served[table.name] += self._apply(table, self.served[table.name])
        return True

    def _apply(self, table: Table, place: int) -> bool:
        if (table.name, place) in self.lost:
            return True
        offset, command = self.hub.queues[table.name][place]
        name = f"r/{table.name}/{command.number}"
        ts_us = self.now + self.skew[table.name]
        if table.name in self.remotes:
            edit = self.users.edit
            remote = self.remotes[table.name]
            return remote.serve(offset, command, name, self.now, ts_us, self.users.trigger, lambda: edit(table))
        table.apply(command, name, offset, self.now, ts_us, self.users.trigger)
        return True

    def lose(self) -> None:
        """A command is removed before its sink has read it."""
        table = self.any_table()
        if self.served[table.name] < len(self.hub.queues.get(table.name, [])):
            self.lost.add((table.name, self.served[table.name]))
            self.served[table.name] += 1

    # Rules

    def legislate(self) -> None:
        """Other rules hold from here on; open items are resolved by them only when that is asked for."""
        old, names = self.hub.rules, tuple(self.tables)
        changed = {
            name: draws.policy(self.random, names, self.profile.theme) if self.chance(0.5) else kept
            for name, kept in old.policies.items()
        }
        existence = self.random.choice(EXISTENCE_POLICIES)
        new = replace(old, policies=changed, existence=existence, epoch=old.epoch + 1)
        self.hub.append(Input(None, rules=new))
        if self.chance(0.5):
            self.resolved.append(len(self.hub.log))
            self.operator.nudge("rules")

    def brake(self) -> None:
        """A system's deletes are held from here on, or no longer."""
        system = frozenset((self.random.choice(list(self.tables)),))
        self.hub.append(Input(None, rules=replace(self.hub.rules, braking=self.hub.rules.braking ^ system)))

    # Rest

    def drain(self, limit: int = 400) -> bool:
        """Let everything arrive, without mishaps. Returns whether the world came to rest."""
        for _ in range(limit):
            self.now += 5
            for remote in self.remotes.values():
                remote.send_again()
                remote.glance()
            moved = sum(self._while_there_is(self.forward, table) for table in self.all_tables)
            waiting = self.hub.offset < len(self.hub.log)
            self.hub.work(50, self.now, lambda: False)
            moved += sum(self._while_there_is(self.carry_out, table) for table in self.all_tables)
            if moved or waiting or self.users.automate():
                continue
            if not self.lost or not self.operator.retry_what_is_lost():
                return True
        return False

    def _while_there_is(self, move: Callable[[Table], bool], table: Table) -> int:
        """How often something moved, of three times; when there is nothing left it need not be tried again."""
        for moved in range(3):
            if not move(table):
                return moved
        return 3

    def end(self) -> None:
        """Nothing happens any more: the circle of those who know each other is opened, so that it goes at once."""
        del self.users, self.operator

    def let_deadlines_pass(self) -> None:
        """A day goes by."""
        self.now += A_DAY_US
        self.operator.nudge("deadline")

    def repeat_everything(self) -> None:
        """All logs and all commands come again."""
        self.sent = dict.fromkeys(self.tables, 0)
        self.served = dict.fromkeys(self.tables, 0)
