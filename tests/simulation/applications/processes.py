"""The process of one application: the production engine, and what moves its batches from and to the topics.

It is killed at any moment: its tasks end, whatever it has sent goes on its way, and another one begins with the notes
and positions that were kept.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import TopicPartition

from connectors.base import TableSpec
from connectors.errors import UnreachableError
from connectors.remote.connector import RemoteConnector
from connectors.remote.settings import read_settings
from connectors.remote.sink import RemoteSink
from connectors.remote.source import RemoteSource
from connectors.remote.surroundings import Surroundings
from connectors.sink_lane import Lane, report
from schemas.messages import Result
from tests.simulation.applications.brokers import KeptHooks, KeptNotes, Sender, Topic
from tests.simulation.applications.clients import Client, Life
from tests.simulation.applications.draws import KEY
from tests.simulation.applications.pipelines import PARTITIONS, Pipeline
from tests.simulation.applications.records import CODEC, ENTITY
from tests.simulation.applications.servers import Application
from tests.simulation.lenses import SimpleLens

PARKED_INTERVAL_S = 2.0
BATCHES_UNDER_WAY = 8
BATCH_COMMANDS = 20
SHORTEST_AWAY_S, LONGEST_AWAY_S = 0.3, 20.0
CLOCKS_US = (0, 0, 0, -3_600_000_000, 3_600_000_000)


@dataclass
class Shelf:
    """What outlives a process: its notes, the deliveries read, the commands carried out."""

    notes: dict[str, bytes] = field(default_factory=dict)
    hooks: Topic = field(default_factory=Topic)
    hooked: list[int] = field(default_factory=lambda: [0])
    done: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))


@dataclass(frozen=True, slots=True)
class VirtualClock:
    """The clock of one process' machine."""

    now: Callable[[], int]
    off_us: int

    def now_us(self) -> int:
        """The wall clock."""
        return self.now() + self.off_us

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Process:
    """See the module's text. `on_error` hears what no process should end by."""

    def __init__(
        self,
        application: Application,
        lens: SimpleLens,
        pipeline: Pipeline,
        now_us: Callable[[], int],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.application = application
        self.shelf = Shelf()
        self.kills = 0
        self._pipeline = pipeline
        self._now_us = now_us
        self._on_error = on_error
        self._life = Life(alive=False)
        self._tasks: list[asyncio.Task[None]] = []
        self._off_us = self._swept_us = 0
        columns = (KEY, *(column for column in lens.columns if column != KEY))
        units = tuple(unit.columns for unit in lens.units)
        self.spec = TableSpec(ENTITY, "things", columns, units, match=(KEY,))
        records = [{"resource": "things", "id": "id"}]
        if application.nature.trusting:
            records = [{"resource": "things", "id": "id", "fetch": False, "row": "row"}]  # type: ignore[dict-item]
        options = {"flows": {"things": list(application.nature.flows)}, "webhook": {"records": records}}
        self.settings = read_settings(application.name, options, ["things"])
        application.on_hook = self._deliver

    @property
    def is_up(self) -> bool:
        """Whether there is a process."""
        return self._life.alive

    def start(self) -> None:
        """A process begins."""
        if self._life.alive:
            return
        life = self._life = Life()
        application, shelf = self.application, self.shelf
        loop = asyncio.get_running_loop()
        before_us = self._off_us
        off_us = self._off_us = application.chance.choice(CLOCKS_US) if application.troubles.killed else 0
        if off_us < before_us:
            application.counts.add("clock set back")
        numbers: list[Callable[[], int]] = []
        client = Client(application, life, lambda: numbers[0](), loop.time, lambda: self._peril("after a write"))
        clock = VirtualClock(self._now_us, off_us)
        connector = RemoteConnector(application.name, {"things": client}, self.settings, clock)
        notes = KeptNotes(shelf.notes, Sender(application, life), self._noted)
        hooks = KeptHooks(shelf.hooks, shelf.hooked, Sender(application, life), life)
        connector.attach(Surroundings(notes, hooks))
        engine = connector._engine
        assert engine is not None
        numbers.append(lambda: engine.numbers.last)
        sink, outbox = connector.open_sink([self.spec]), _Outbox(self, Sender(application, life))
        self._begin(self._read(connector.open_source([self.spec]), Sender(application, life)))
        for at in range(PARTITIONS):
            self._begin(self._write(sink, at, outbox))
        self._begin(self._retry(sink, outbox))

    def kill(self, place: str) -> None:
        """The process ends; another begins after a while."""
        if not self._life.alive:
            return
        self.kills += 1
        self.application.counts.add(f"killed {place}")
        self.stop()
        pause_s = self.application.chance.uniform(SHORTEST_AWAY_S, LONGEST_AWAY_S)
        asyncio.get_running_loop().call_later(pause_s, self.start)

    def stop(self) -> None:
        """The process ends."""
        self._life.alive = False
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    def waiting(self, since_us: int) -> str:
        """What is not done that is there to be done, and whether there was a whole sweep since then; or nothing."""
        topics = (self._pipeline.commands[self.application.name, at] for at in range(PARTITIONS))
        found = {
            "is dead": not self._life.alive,
            "has deliveries to read": self.shelf.hooked[0] < len(self.shelf.hooks.records),
            "has commands to do": any(self.shelf.done[at] < len(topic.records) for at, topic in enumerate(topics)),
            "has parked commands": any(name.startswith("parked/") for name in self.shelf.notes),
            "is not swept": self._swept_us <= since_us,
        }
        return ", ".join(what for what, holds in found.items() if holds)

    def arrived(self, results: Sequence[Result]) -> None:
        """Answers came into their topic."""
        self._pipeline.publish(results)
        self._peril("after the answers were sent")

    # --- what goes on in it

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error(error)

    def _deliver(self) -> None:
        for body in self.application.hooks:
            self.shelf.hooks.append(body)
        self.application.hooks.clear()

    def _peril(self, place: str) -> None:
        if self._life.alive and self.application.chance.random() < self.application.troubles.killed:
            # Whoever is at work is let come to the end of this moment.
            asyncio.get_running_loop().call_soon(self.kill, place)

    def _noted(self, values: Mapping[str, bytes | None], when: str) -> None:
        """A note is put: a moment to be killed, where it is one of a command."""
        if when == "after" and any(name.startswith("parked/") and value for name, value in values.items()):
            self.application.counts.add("command set aside")
        swept = values.get(f"swept/{ENTITY}")
        if swept is not None and when == "after":
            # The note has the time of the machine.
            self._swept_us = int(swept) - self._off_us
        entries = [value for name, value in values.items() if name.startswith("command/") and value is not None]
        if not entries:
            return
        is_result = any(msgspec.msgpack.decode(entry)[1] is not None for entry in entries)
        self._peril(f"{when} the note of {'a result' if is_result else 'an intent'}")

    async def _read(self, source: RemoteSource, sender: Sender) -> None:
        life = self._life
        while True:
            try:
                await self._round(source, sender)
            except UnreachableError:
                life.check()
                await asyncio.sleep(self.application.chance.uniform(0.2, 3.0))

    async def _round(self, source: RemoteSource, sender: Sender) -> None:
        """Batches are sent one behind the other, and acknowledged in this order as they arrive."""
        under_way: asyncio.Queue[tuple[Any, asyncio.Task[None]]] = asyncio.Queue(BATCHES_UNDER_WAY)
        works = [asyncio.ensure_future(one) for one in (self._send(source, sender, under_way), _ack(source, under_way))]
        try:
            await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest = [*works, *(sent for _, sent in _drained(under_way))]
            for work in rest:
                work.cancel()
            ended = await asyncio.gather(*rest, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _send(self, source: RemoteSource, sender: Sender, under_way: "asyncio.Queue[Any]") -> None:
        sent: asyncio.Task[None] | None = None
        async with aclosing(source.read(None)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                changes = batch.changes
                if sent is not None:
                    await asyncio.shield(sent)
                sent = asyncio.ensure_future(sender.send(lambda c=changes: self._pipeline.publish(c)))  # type: ignore[misc]
                await under_way.put((batch.position, sent))

    async def _write(self, sink: RemoteSink, at: int, outbox: "_Outbox") -> None:
        """One partition of commands. What is not committed comes again."""
        topic = self._pipeline.commands[self.application.name, at]
        lane = Lane(self.application.name, TopicPartition("commands", at), sink, self, outbox, CODEC)
        done = self.shelf.done[at]
        while True:
            await topic.beyond(done)
            self._life.check()
            batch = topic.records[done : done + BATCH_COMMANDS]
            await lane.work(batch)
            done += len(batch)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commands up to here need not come again."""
        self._life.check()
        for place, offset in offsets.items():
            self.shelf.done[place.partition] = offset

    async def _retry(self, sink: RemoteSink, outbox: "_Outbox") -> None:
        while True:
            await asyncio.sleep(PARKED_INTERVAL_S)
            self._life.check()
            try:
                await report(outbox, sink, await sink.retry_parked())
            except UnreachableError:
                await asyncio.sleep(1.0)


class _Outbox:
    """Where a sink's answers go."""

    def __init__(self, process: Process, sender: Sender) -> None:
        self._process = process
        self._sender = sender

    async def put(self, record: Any, error: Exception) -> None:
        """Nothing but commands stands in the topic."""
        raise error

    async def report(self, results: Sequence[Result]) -> None:
        """Send answers."""
        if results:
            await self._sender.send(lambda: self._process.arrived(results))


async def _ack(source: RemoteSource, under_way: "asyncio.Queue[tuple[Any, asyncio.Task[None]]]") -> None:
    while True:
        position, sent = await under_way.get()
        await sent
        await source.ack(position)


def _drained(under_way: "asyncio.Queue[tuple[Any, asyncio.Task[None]]]") -> list[tuple[Any, "asyncio.Task[None]"]]:
    return [under_way.get_nowait() for _ in range(under_way.qsize())]
