"""A hub in memory: the real merge, between two applications without a log that are read and written by the engine."""

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Effect, TableSpec
from connectors.errors import UnreachableError
from connectors.remote.api import Abilities
from connectors.remote.connector import RemoteConnector
from connectors.remote.memory import MemoryApi, MemoryApplication, MemoryResource
from connectors.remote.settings import read_settings
from connectors.remote.surroundings import Surroundings
from schemas.messages import Change, Command, Unit
from streams.merge import states
from streams.merge.events import Answered, Event, Looked, Nudged, Planned
from streams.merge.merge import merge
from streams.merge.rules import Newest, Rules
from streams.merge.values import Row
from tests.conformance.commands import json_text
from tests.simulation.lenses import plain_lens
from tests.unit.remote.bench import DictNotes, FakeClock, SentHooks, row

FIELDS = ("email", "name", "phone")
COLUMNS = {"id": "bigint", "email": "text", "name": "text", "phone": "text"}
SPEC = TableSpec("contact", "members", FIELDS, tuple((name,) for name in FIELDS), match=("email",))
RULES = Rules(
    "contact",
    FIELDS,
    ("blog", "shop"),
    {name: Newest() for name in FIELDS},
    {system: plain_lens(*FIELDS) for system in ("blog", "shop")},
)


@dataclass
class Hub:
    """The record logs' reader: keeps states and links, and the commands that are on their way."""

    records: dict[str, bytes] = field(default_factory=dict)
    links: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: dict[str, list[Command]] = field(default_factory=lambda: {"blog": [], "shop": []})
    verdicts: int = 0
    offset: int = 0
    commands: int = 0

    def tell(self, change: Change) -> None:
        """A look comes from a source."""
        place = (change.system, change.local_id)
        after = None if change.after is None else _mapped(change.after)
        if place not in self.links and after is None:
            return
        record = self.links.setdefault(place, f"r-{after['email'] if after else ''}")
        event = Looked(
            system=change.system, local_id=change.local_id, order=change.seq, ts_us=change.ts_us, after=after
        )
        self._give(record, event)

    def answer(self, effect: Effect) -> None:
        """An answer comes from a sink."""
        result = effect.result
        if result is None:
            return
        if result.local_id is not None:
            self.links[result.system, result.local_id] = result.record_id
        event = Answered(
            system=result.system, local_id=result.local_id, command=result.command,
            found_order=result.found_order, found=None if result.found is None else _mapped(result.found),
            left_order=result.left_order, left=None if result.left is None else _mapped(result.left),
            ts_us=result.ts_us, failed=result.error,
        )  # fmt: skip
        self._give(result.record_id, event)

    def retry(self, record: str) -> None:
        """`duplex conflicts retry`."""
        self._give(record, Nudged(reason="retry"))

    def refusals(self) -> dict[str, set[str]]:
        """By record: the systems that have refused something of it, and still lack it."""
        held = {record: states.decode(data).systems for record, data in self.records.items()}
        found = {record: {name for name, one in systems.items() if one.refused} for record, systems in held.items()}
        return {record: names for record, names in found.items() if names}

    def _give(self, record: str, event: Event) -> None:
        self.offset += 1
        data = self.records.get(record)
        state, outcome = merge(None if data is None else states.decode(data), event, RULES)
        self.records[record] = states.encode(state)
        self.verdicts += len(outcome.verdicts)
        for planned in outcome.commands:
            self.commands += 1
            self.waiting[planned.system].append(self._command(record, planned))

    def _command(self, record: str, planned: Planned) -> Command:
        units = tuple(Unit(base=_text(unit.base), set=_text(unit.set)) for unit in planned.units)
        return Command(
            id=f"{record}/{planned.system}/{planned.number}",
            record_id=record,
            entity="contact",
            system=planned.system,
            number=planned.number,
            op=planned.op,
            local_id=planned.local_id,
            units=units,
            partition=0,
            offset=self.offset,
            hop=1,
            ts_us=1,
        )


class Side:
    """One application, and the process that reads and writes it."""

    def __init__(self, name: str, hub: Hub, clock: FakeClock, seed: int, abilities: Abilities, **how: Any) -> None:
        self.name, self.hub, self.clock = name, hub, clock
        self.application = MemoryApplication(seed, clock_us=clock.now_us, sleep=clock.sleep)
        self.members: MemoryResource = self.application.resource("members", COLUMNS, abilities, page_size=3, **how)
        self._flows: list[Any] = [{"sweep": "10m"}, "webhook", *([{"poll": "30s"}] if abilities.since else [])]
        self._notes, self._hooks = DictNotes(), SentHooks(self.application)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, reading: bool = True) -> None:
        """A process begins; what the last one left is in its notes and in the hub. It may only write for now."""
        records = [{"resource": "members", "id": "id"}]
        options = {"flows": {"members": self._flows}, "webhook": {"records": records}}
        settings = read_settings(self.name, options, ["members"])
        connector = RemoteConnector(self.name, {"members": MemoryApi(self.members)}, settings, self.clock)
        connector.attach(Surroundings(self._notes, self._hooks))
        works = [self._write(connector), *([self._read(connector)] if reading else [])]
        self._tasks = [asyncio.create_task(work) for work in works]

    async def crash(self) -> None:
        """The process ends in the middle of whatever it does."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _read(self, connector: RemoteConnector) -> None:
        source = connector.open_source([SPEC])
        while True:
            try:
                async with aclosing(source.read(None)) as reading:  # type: ignore[type-var]
                    async for batch in reading:
                        for change in batch.changes:
                            if change.op != "l":
                                self.hub.tell(change)
                        await asyncio.sleep(0)
                        await source.ack(batch.position)
            except UnreachableError:
                await asyncio.sleep(0)

    async def _write(self, connector: RemoteConnector) -> None:
        sink = connector.open_sink([SPEC])
        waiting = self.hub.waiting[self.name]
        while True:
            batch = waiting[:5]
            await asyncio.sleep(0)
            try:
                effects = list(await (sink.apply(batch) if batch else sink.retry_parked()))
            except UnreachableError:
                continue
            for effect in effects:
                self.hub.answer(effect)
            await asyncio.sleep(0)
            await sink.reported(effects)
            del waiting[: len(batch)]


async def until(condition: Callable[[], bool], turns: int, what: Callable[[], str]) -> None:
    """Let everybody work until something holds. Raises AssertionError."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError(what())


async def some_turns(chance: random.Random, most: int) -> None:
    """Let everybody work for a while."""
    for _ in range(chance.randint(0, most)):
        await asyncio.sleep(0)


def _mapped(image: str) -> Row:
    found = row(image)
    return {name: found[name] for name in FIELDS}


def _text(values: Row | None) -> str | None:
    return None if values is None else json_text(dict(values))
