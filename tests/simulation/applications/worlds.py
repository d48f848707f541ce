"""The world of a history: applications and databases, their users, the connectors, the processors, and what goes wrong.

turbulence   users act, everything goes wrong as it was drawn
calm         nobody acts, nothing goes wrong any more: the world must come to rest before a deadline
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from streams.merge import existence
from tests.simulation.applications import draws
from tests.simulation.applications.databases import Database
from tests.simulation.applications.draws import CALM, Nature, Troubles
from tests.simulation.applications.pipelines import Pipeline, loading
from tests.simulation.applications.processes import Process
from tests.simulation.applications.records import Record
from tests.simulation.applications.rows import ThingRow
from tests.simulation.applications.servers import Application, Counts
from tests.simulation.chances import Chance
from tests.simulation.draws import HOUR_US
from tests.simulation.tables import Mistakes, Table

BEGIN_US = 1_700_000_000_000_000
REST_LIMIT_S = 3_600.0
LOOK_S = 2.0
STILL_S = 8.0


class ThingsWorld:
    """Everything of one history. Made inside its loop."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Chance(seed)
        # Pauses of the production code are drawn from here.
        random.seed(seed)
        self.loop = asyncio.get_running_loop()
        self.counts = Counts()
        self.plan = draws.plan(self.random, Mistakes())
        self.complaints: list[str] = []
        self.applications = {
            name: Application(name, nature, self.random, self.now_us, self.counts)
            for name, (_, nature) in self.plan.applications.items()
        }
        self.records = [self._record(number) for number in range(1, self.plan.records + 1)]
        systems = tuple(self.plan.rules.systems)
        self.pipeline = Pipeline(systems, self.records, self.applications, self.random)
        self.databases = [
            Database(name, self.records, self.pipeline, self.random, self.now_us) for name in self.plan.databases
        ]
        self.processes = {
            name: Process(self.applications[name], table.lens, self.pipeline, self.now_us, self._error)
            for name, (table, _) in self.plan.applications.items()
        }
        self.calm_since_s = float("inf")
        self._tasks: list[asyncio.Task[None]] = []

    def now_us(self) -> int:
        """The time."""
        return BEGIN_US + round(self.loop.time() * 1e6)

    def _record(self, number: int) -> Record:
        tables = {name: self._database_row(table, number) for name, table in self.plan.databases.items()}
        for name, (table, nature) in self.plan.applications.items():
            tables[name] = self._application_row(self.applications[name], table, nature)
        ordered = {name: tables[name] for name in sorted(tables)}
        rules = loading(self.plan.rules, frozenset(self.plan.rules.systems))
        record = Record(number, self.plan, rules, ordered, self.random, self.now_us)
        for name, application in self.applications.items():
            row = ordered[name]
            assert isinstance(row, ThingRow)
            application.rows[record.key] = row
        return record

    def _database_row(self, like: Table, number: int) -> Table:
        made = Table(like.name, like.lens, like.mistakes, False, like.loud, like.banned)
        made.local_id = f"[{number}]"
        return made

    def _application_row(self, home: Application, like: Table, nature: Nature) -> ThingRow:
        made = ThingRow(like.name, like.lens, like.mistakes, False, like.loud, like.banned)
        made.local_id, made.cut = "[0]", nature.cut
        made.is_recognised = nature.abilities.idempotent or nature.abilities.marker is not None
        made.told, made.next_key, made.clock_us = home.tell, home.next_key, home.clock_us
        return made

    # --- what goes on

    async def begin(self) -> None:
        """Some rows are there; then everybody begins to work."""
        for record in self.records:
            for table in record.all_tables:
                if self.random.random() < self.plan.at_first:
                    record.users.insert(table, load=not isinstance(table, ThingRow))
                    await asyncio.sleep(0.01)
        for application in self.applications.values():
            application.hooks.clear()
            application.on_death = partial(self._go_away, application)
            application.on_haste = lambda key, name=application.name: self._haste(name, key)  # type: ignore[misc]
            if abs(application.nature.skew_us) == HOUR_US:
                self.counts.add("clock an hour off")
        self._trouble(self.plan.troubles)
        for database in self.databases:
            database.load()
            self._begin(database.run)
        self._begin(self._process)
        for process in self.processes.values():
            process.start()
            self._begin(lambda one=process: self._mischief(one))  # type: ignore[misc]

    async def act(self) -> None:
        """The turbulence."""
        end_s = self.loop.time() + self.plan.lasting_s
        while self.loop.time() < end_s:
            await asyncio.sleep(self.random.expovariate(1 / self.plan.pause_s))
            record = self.random.choice(self.records)
            record.users.use()
            if self.random.random() < 0.1:
                record.operator.look()
            if self.random.random() < 0.1:
                record.operator.decide()

    def calm_down(self) -> None:
        """From here on nothing goes wrong any more."""
        self._trouble(CALM)
        for application in self.applications.values():
            application.is_away = False
        for database in self.databases:
            database.repeated = 0.0
        self.calm_since_s = self.loop.time()

    def _trouble(self, troubles: Troubles) -> None:
        for application in self.applications.values():
            application.troubles = replace(troubles)

    async def rest(self) -> bool:
        """Let everything arrive. Returns whether the world came to rest."""
        limit_s = self.loop.time() + REST_LIMIT_S
        size, since_s = self._size(), self.loop.time()
        since_us = self.now_us()
        while self.loop.time() < limit_s and not self.complaints:
            await asyncio.sleep(LOOK_S)
            if self._size() != size:
                size, since_s, since_us = self._size(), self.loop.time(), self.now_us()
            if self.loop.time() - since_s > STILL_S and self._is_idle(since_us):
                return True
        self.complaints += [f"WAITING: {one}" for one in self._waiting(since_us)]
        return False

    def _waiting(self, since_us: int) -> list[str]:
        """What keeps the world from rest."""
        found = [f"{name} {one.waiting(since_us)}" for name, one in self.processes.items() if one.waiting(since_us)]
        return found if self.pipeline.is_idle() else [*found, "the processors"]

    def _size(self) -> tuple[int, ...]:
        rows = (len(table.log) for record in self.records for table in record.all_tables)
        commands = sum(len(topic.records) for topic in self.pipeline.commands.values())
        return (*rows, commands, self.pipeline.size())

    def _is_idle(self, since_us: int) -> bool:
        """Whether nothing is under way, and every application was swept since anything happened."""
        swept = not any(one.waiting(since_us) for one in self.processes.values())
        served = all(
            database.done[at] == len(self.pipeline.commands[database.name, at].records)
            for database in self.databases
            for at in range(len(database.done))
        )
        return swept and served and self.pipeline.is_idle()

    async def decide_everything(self) -> bool:
        """A last operator, without haste, one item at a time. Returns whether the world came to rest."""
        for _ in range(60):
            if not await self.rest():
                return False
            if not sum(_decide(record) for record in self.records):
                return True
        return False

    async def repeat_everything(self) -> bool:
        """All commands and all deliveries come again. Returns whether the world came to rest."""
        for database in self.databases:
            database.done = [0] * len(database.done)
            database.sent = {}
        for process in self.processes.values():
            process.stop()
            process.shelf.done = dict.fromkeys(process.shelf.done, 0)
            process.shelf.hooked[0] = 0
            process.start()
        return await self.rest()

    async def end(self) -> None:
        """Everybody stops."""
        for process in self.processes.values():
            process.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)
        for record in self.records:
            record.end()

    # --- those who live in it

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.ensure_future(work())
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error(error)

    def _error(self, error: BaseException) -> None:
        self.complaints.append(f"CRASH: {error!r}")

    async def _process(self) -> None:
        """The processors."""
        pipeline = self.pipeline
        while True:
            pipeline.news.clear()
            if not pipeline.identify(self._hub_crashes) | pipeline.merge(self._hub_crashes):
                await pipeline.news.wait()
            await asyncio.sleep(self.random.uniform(0.001, 0.05))

    def _hub_crashes(self) -> bool:
        is_calm = self.loop.time() >= self.calm_since_s
        return not is_calm and self.random.random() < self.plan.troubles.hub

    async def _mischief(self, process: Process) -> None:
        """Once a second: is this the moment to be killed, to be away, to be edited in haste?"""
        application = process.application
        while True:
            await asyncio.sleep(1.0)
            troubles = application.troubles
            if self.random.random() < troubles.killed / 10:
                process.kill("at any time")
            if not application.is_away and self.random.random() < troubles.away / 10:
                self._go_away(application)

    def _go_away(self, application: Application) -> None:
        application.is_away = True
        application.counts.add("away")
        self.loop.call_later(self.random.uniform(1.0, 60.0), self._come_back, application)

    def _haste(self, name: str, key: str) -> None:
        """A user edits a row that has just been read."""
        record = next(one for one in self.records if one.key == key)
        if record.tables[name].row is not None:
            record.users.edit(record.tables[name])

    def _come_back(self, application: Application) -> None:
        application.is_away = False


def _decide(record: Record) -> bool:
    """Decide the first thing that waits for a person, on what is shown now. Returns whether there was any."""
    operator = record.operator
    parked, state = operator._parked()
    if state is None or not parked:
        return False
    parked.sort(key=existence.is_delete)
    operator.looks = []
    operator._look_at(parked[0], state)
    operator.decide()
    return True
