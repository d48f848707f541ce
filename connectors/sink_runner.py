"""Moves commands from Kafka into a sink.

The order of things for a partition: fetch → decode (what is no command goes to the dead letters) → `sink.apply` →
send the results, where the system has no log → commit the offset. Partitions run side by side, each in its own order. A
crash between apply and commit brings the batch again, and the sink knows a command that it has carried out.
A partition that is far behind is read at its end too (`sink_fresh`): between two batches of the backlog, fresh commands
are tried before their turn, where the sink can do that.
What was fetched is taken out of the client at once and waits here: while records of one partition lie unread, and while
a fetch is under way that left a paused one out, the client fetches nothing for the others.
Told to stop (the task is cancelled), or when a partition goes to another process: the attempt under way is finished
and committed, for at most DRAIN_S seconds; then it is cancelled, which leaves all of the batch in effect or nothing.
"""

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from connectors import sink_metrics
from connectors.base import Effect, Sink
from connectors.ending import end
from connectors.errors import ConnectorsError
from connectors.sink_fresh import Fresh
from connectors.sink_lane import BATCH_COMMANDS, Backoff, Lane, Overtaking, Reported, count, report
from connectors.sink_outbox import Outbox, ResultRoute
from connectors.sink_progress import Progress
from schemas import heartbeats
from schemas.codec import Codec

log = structlog.get_logger(__name__)

SESSION_TIMEOUT_MS = 8_000
DRAIN_S = 5.0
POLL_MS = 200
PARKED_INTERVAL_S = 0.5
# So many commands of a partition may wait here before no more are fetched; one fetch may exceed it.
COMMANDS_WAITING = 4 * BATCH_COMMANDS
# A partition that is resumed waits so long for the fetch under way, which left it out.
FETCH_WAIT_MS = 100


@runtime_checkable
class Parking(Protocol):
    """A sink that keeps commands waiting for something outside their batch, and tries them when it is asked to."""

    async def retry_parked(self) -> Sequence[Effect]: ...


async def run_sink(
    sink: Sink,
    *,
    system: str,
    topic: str,
    group: str,
    kafka: Mapping[str, Any],
    deadletters: str,
    instance: str | None = None,
    results: ResultRoute | None = None,
) -> None:
    """Carry out the commands of `topic` until cancelled; does not close the sink.

    `kafka` are the arguments of every aiokafka client. `instance` names this process in the group and must not change
    when it restarts (None: made of group and host). `results` says where the answers of a system without a log go. A
    broker or system that is away is waited for; any other exception of the sink ends this with that exception.
    """
    outbox = Outbox(kafka, deadletters, f"sink {system}", results)
    runner = _Runner(sink, system, topic, group, kafka, outbox, instance or f"{group}.{socket.gethostname()}")
    await runner.run()


@dataclass(eq=False)
class CommandsLostError(ConnectorsError):
    """Commands were removed from their topic before this sink had read them."""

    system: str
    topic: str
    partition: int
    wanted: int
    first: int

    def __str__(self) -> str:
        return (
            f"{self.system}: {self.first - self.wanted} commands of {self.topic} partition {self.partition} "
            f"(from offset {self.wanted}) were removed by the topic's retention while this system was away. Their "
            "records wait for an answer that cannot come. Make the pipeline's topics anew and run `duplex apply`: it "
            "reads every row again and compares"
        )


class _Runner:
    def __init__(
        self, sink: Sink, system: str, topic: str, group: str, kafka: Mapping[str, Any], outbox: Outbox, instance: str
    ) -> None:
        self._sink = sink
        self._system = system
        self._topic = topic
        self._loop_name = f"sink {system}"
        self._codec = Codec()
        self._stopping = asyncio.Event()
        self._outbox = outbox
        self._lanes: dict[TopicPartition, Lane] = {}
        self._waiting: dict[TopicPartition, deque[Any]] = {}
        self._paused: set[TopicPartition] = set()
        self._busy: dict[TopicPartition, asyncio.Task[None]] = {}
        self._parked_at = time.time()
        self._fresh = Fresh(kafka, system) if isinstance(sink, Overtaking) else None
        self._consumer = AIOKafkaConsumer(
            **kafka,
            group_id=group,
            group_instance_id=instance,
            enable_auto_commit=False,
            # What to do without a usable offset is decided here: skipping commands silently is no answer.
            auto_offset_reset="none",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=SESSION_TIMEOUT_MS // 4,
            rebalance_timeout_ms=SESSION_TIMEOUT_MS + int(DRAIN_S * 1000),
            max_partition_fetch_bytes=2 * 1024 * 1024,
            consumer_timeout_ms=20,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        self._progress = Progress(self._consumer, system, at_once=isinstance(sink, Reported))

    async def run(self) -> None:
        beside = [asyncio.create_task(self._progress.flush_regularly())]
        if self._fresh is not None:
            beside.append(asyncio.create_task(self._fresh.run()))
        if isinstance(self._sink, Parking):
            beside.append(asyncio.create_task(self._retry_parked()))
        try:
            await self._connect()
            self._consumer.subscribe([self._topic], listener=_Listener(self))
            while True:
                await self._round()
                for task in beside:
                    if task.done():
                        task.result()
        finally:
            await self._stop(beside)

    async def _connect(self) -> None:
        backoff = Backoff(self._stopping)
        while True:
            try:
                await self._consumer.start()
                return
            except KafkaError as error:
                log.warning("Kafka does not answer; look at kafka.bootstrap. Trying again", error=str(error))
            await backoff.wait()

    async def _round(self) -> None:
        fetched = await self._fetched()
        self._collect()
        for place, records in fetched.items():
            self._progress.done.setdefault(place, records[0].offset)
            waiting = self._waiting.setdefault(place, deque())
            waiting.extend(records)
            if len(waiting) > COMMANDS_WAITING:
                self._paused.add(place)
                self._consumer.pause(place)
            self._begin(place)
        for place in self._fresh.ready() if self._fresh is not None else ():
            self._begin(place)
        self._observe()

    def _begin(self, place: TopicPartition) -> None:
        if place not in self._busy:
            self._busy[place] = asyncio.create_task(self._work(place, self._waiting.setdefault(place, deque())))

    async def _work(self, place: TopicPartition, waiting: deque[Any]) -> None:
        """Carry out what waits of a partition, until nothing does or the lane is told to stop."""
        lane = self._lane(place)
        while not lane.stopping.is_set():
            fresh = self._fresh.take(place) if self._fresh is not None else []
            if not fresh and not waiting:
                return
            await lane.work_ahead(fresh)
            await lane.work([waiting.popleft() for _ in range(min(len(waiting), BATCH_COMMANDS))])
            if place in self._paused and len(waiting) <= COMMANDS_WAITING // 2:
                self._resume(place)

    async def _fetched(self) -> Mapping[TopicPartition, Sequence[Any]]:
        """New records by partition. Raises CommandsLostError."""
        try:
            return cast(Mapping[TopicPartition, Sequence[Any]], await self._consumer.getmany(timeout_ms=POLL_MS))
        except NoOffsetForPartitionError as error:
            await self._consumer.seek_to_beginning(error.args[0])
        except OffsetOutOfRangeError as error:
            for place, offset in error.args[0].items():
                await self._begin_again(place, offset)
        return {}

    async def _begin_again(self, place: TopicPartition, offset: int) -> None:
        first = (await self._consumer.beginning_offsets([place]))[place]
        if offset < first:
            raise CommandsLostError(self._system, place.topic, place.partition, offset, first)
        log.warning("the topic was made anew; reading it from its beginning", topic=place.topic)
        await self._consumer.seek_to_beginning(place)

    def _lane(self, place: TopicPartition) -> Lane:
        if place not in self._lanes:
            self._lanes[place] = Lane(self._system, place, self._sink, self._progress, self._outbox, self._codec)
        return self._lanes[place]

    def _resume(self, place: TopicPartition) -> None:
        self._paused.discard(place)
        if place in self._lanes and place in self._consumer.assignment():
            self._consumer.resume(place)

    def _collect(self) -> None:
        """Forget lanes' work that is done; raise what a lane could not live with."""
        for place, task in list(self._busy.items()):
            if task.done():
                del self._busy[place]
                task.result()

    def _observe(self) -> None:
        behind = 0
        for place in self._consumer.assignment():
            end = self._consumer.highwater(place)
            waiting = max(0, end - self._progress.done.get(place, end)) if end is not None else 0
            behind += waiting
            if self._fresh is not None:
                self._fresh.observe(place, waiting)
        sink_metrics.LAG.labels(self._system).set(behind)
        slowest = min(
            (self._lanes[place].progress_at for place in self._busy if place in self._lanes), default=time.time()
        )
        heartbeats.HEARTBEAT.labels(self._loop_name).set(min(slowest, self._parked_at))

    async def _retry_parked(self) -> None:
        assert isinstance(self._sink, Parking)
        backoff = Backoff(self._stopping)
        while not self._stopping.is_set():
            self._parked_at = time.time() if not backoff.tries else self._parked_at
            try:
                effects = await self._sink.retry_parked()
                count(self._system, effects)
                await report(self._outbox, self._sink, effects)
                backoff.tries = 0
            except (ConnectorsError, KafkaError) as error:
                log.warning("waiting commands could not be tried again", system=self._system, error=str(error))
                await backoff.wait()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PARKED_INTERVAL_S):
                    await self._stopping.wait()

    async def drain(self, places: Iterable[TopicPartition]) -> None:
        """Let the lanes of these partitions finish what they are at, and drop them."""
        places = list(places)
        lanes = {place: self._lanes.pop(place) for place in places if place in self._lanes}
        tasks = [self._busy.pop(place) for place in lanes if place in self._busy]
        for lane in lanes.values():
            lane.stopping.set()
        if self._fresh is not None:
            self._fresh.leave(places)
        for place in lanes:
            self._waiting.pop(place, None)
            self._paused.discard(place)
        try:
            await self._ended(tasks)
        finally:
            await self._progress.flush()
            self._progress.forget(lanes)

    async def _ended(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=DRAIN_S)
        if (error := await end(tasks)) is not None:
            raise error

    async def _stop(self, beside: Sequence[asyncio.Task[None]]) -> None:
        self._stopping.set()
        try:
            await self.drain(list(self._lanes))
        finally:
            await end(beside)
            await self._consumer.stop()
            await self._outbox.close()
        log.info("the sink stopped", system=self._system)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, runner: _Runner) -> None:
        self._runner = runner

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._runner.drain(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        log.info("the sink owns partitions", partitions=sorted(place.partition for place in assigned))
