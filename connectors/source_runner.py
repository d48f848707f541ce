"""Moves batches of changes from a source into Kafka.

Order of things, per batch: encode; send, partition by partition; wait until every record of it and of all batches
before it is acknowledged by all replicas; acknowledge the position to the source. Several batches are under way at
once, but of one partition only one request: a record is never sent before its elder is safe, so that a failed request
cannot let the younger of two changes of a row overtake the other. The next batch is asked for when a small one is safe:
what happens meanwhile goes out together, and all stages behind have fewer and larger batches, the more so the busier
the broker is.

Nothing is kept here. Whatever breaks, Kafka or the source, the round ends: its producer is thrown away (an idempotent
one can get stuck), and the next round reads again after the last acknowledged position.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, cast

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from connectors.base import Batch, Rejected, Source
from connectors.ending import end
from connectors.errors import ConnectorsError, RefusedError, UnreachableError
from schemas import deadletters as envelopes
from schemas.codec import Codec
from schemas.heartbeats import beat
from schemas.messages import Change
from schemas.placement import partition_of

log = structlog.get_logger(__name__)

EVENTS = Counter("duplex_source_events", "Changes that are safe in Kafka.", ["system"])
RESTARTS = Counter("duplex_source_restarts", "Rounds of a source that ended in an error.", ["system"])
DEADLETTERS = Counter("duplex_source_deadletters", "Messages set aside that could not be understood.", ["system"])
LAG = Gauge("duplex_source_lag_seconds", "From the last change's own time to its safety in Kafka.", ["system"])

BATCH_BYTES = 900_000
BATCHES_UNDER_WAY = 8
STUCK_AFTER_S = 30.0
SMALL_BATCH = 200
SMALL_BATCH_WAIT_S = 0.05
IDLE_BEAT_S = 5.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 15.0
KEYS_REMEMBERED = 200_000

Route = Callable[[Change], tuple[str, bytes]]
Place = tuple[str, int]
Delivery = asyncio.Future[Any]


@dataclass(eq=False)
class StuckProducerError(ConnectorsError):
    """Kafka did not acknowledge a batch for too long."""

    seconds: float

    def __str__(self) -> str:
        return f"Kafka acknowledged nothing for {self.seconds:.0f} s; the producer is made anew"


@dataclass(slots=True)
class UnderWay:
    """A batch that was sent: its position, what it is waiting for, how many changes, the time of the last one."""

    position: Any
    deliveries: Sequence[Delivery]
    changes: int
    last_us: int | None


@dataclass(slots=True)
class Progress:
    """What outlives a round: the last acknowledged position, and the failures since then."""

    acked: Any = None
    failures: int = 0


class Places:
    """The topic, partition and key of each row's changes. The answers are kept for a while.

    That leans on the route: it tells changes apart by entity and by the local id *before* the change, not more.
    """

    def __init__(self, producer: AIOKafkaProducer, route: Route, remembered: int = KEYS_REMEMBERED) -> None:
        self._producer = producer
        self._route = route
        self._remembered = remembered
        self._counts: dict[str, int] = {}
        self.known: dict[tuple[str, str], tuple[Place, bytes]] = {}

    async def find(self, change: Change) -> tuple[Place, bytes]:
        """Where a change goes, and under which key. Raises KafkaError."""
        topic, key = self._route(change)
        place = (topic, partition_of(key, await self._count(topic)))
        if len(self.known) >= self._remembered:
            self.known.clear()
        found = self.known[change.entity, row_before(change)] = (place, key)
        return found

    async def all(self, change: Change) -> list[Place]:
        """Every partition of the topic that a change goes to. Raises KafkaError."""
        topic, _ = self._route(change)
        return [(topic, partition) for partition in range(await self._count(topic))]

    async def _count(self, topic: str) -> int:
        if topic not in self._counts:
            self._counts[topic] = len(await self._producer.partitions_for(topic))
        return self._counts[topic]


def row_before(change: Change) -> str:
    """The local id that the row had before the change."""
    return change.local_id if change.before_id is None else change.before_id


class Sender:
    """Sends changes with one producer, at most one request per partition at a time."""

    def __init__(self, producer: AIOKafkaProducer, route: Route, codec: Codec) -> None:
        self._producer = producer
        self._places = Places(producer, route)
        self._encode = codec.encode
        self._filling: dict[Place, Any] = {}
        self._last: dict[Place, Delivery] = {}

    async def send(self, changes: Sequence[Change]) -> list[Delivery]:
        """Send these after all earlier ones of their partitions; what to wait for. Raises KafkaError.

        The end of a load goes to every partition: wherever its rows went, it stands behind them.
        """
        sent: list[Delivery] = []
        known, encode = self._places.known, self._encode
        for change in changes:
            if change.op == "l":
                await self._send_everywhere(change, sent)
                continue
            place, key = known.get((change.entity, row_before(change))) or await self._places.find(change)
            value = encode(change)
            if not self._fits(place, key, value):
                await self._begin_batch(place, key, value, sent)
        return [*sent, *[await self._send_batch(place) for place in list(self._filling)]]

    async def _send_everywhere(self, change: Change, sent: list[Delivery]) -> None:
        value = self._encode(change)
        for place in await self._places.all(change):
            if not self._fits(place, None, value):
                await self._begin_batch(place, None, value, sent)

    def _fits(self, place: Place, key: bytes | None, value: bytes) -> bool:
        """Put a record into the batch of this place, if there is one with room for it."""
        batch = self._filling.get(place)
        return batch is not None and batch.append(timestamp=None, key=key, value=value) is not None

    async def _begin_batch(self, place: Place, key: bytes | None, value: bytes, sent: list[Delivery]) -> None:
        """Send the batch of this place, which is full, if there is one; put a record into a new one."""
        if place in self._filling:
            sent.append(await self._send_batch(place))
        batch = self._filling[place] = self._producer.create_batch()
        batch.append(timestamp=None, key=key, value=value)

    async def _send_batch(self, place: Place) -> Delivery:
        elder = self._last.get(place)
        if elder is not None:
            await asyncio.shield(elder)
        batch = self._filling.pop(place)
        batch.close()
        sent = await self._producer.send_batch(batch, place[0], partition=place[1])
        self._last[place] = sent
        return cast(Delivery, sent)


@dataclass(frozen=True, slots=True)
class Aside:
    """Where a source's messages go that cannot be understood; `topic` is empty where there is no such place."""

    system: str
    topic: str

    async def put(self, producer: AIOKafkaProducer, rejected: Sequence[Rejected]) -> list[Delivery]:
        """Send these; what to wait for. Raises KafkaError, and RefusedError where there is no topic for them."""
        return [await self._put(producer, one) for one in rejected]

    async def _put(self, producer: AIOKafkaProducer, one: Rejected) -> Delivery:
        what = f"message {one.topic}:{one.partition}:{one.offset}"
        if not self.topic:
            raise RefusedError(self.system, what, one.reason, "Its source was given no topic for dead letters.")
        stage, component = "VALUE_CONVERTER", f"source {self.system}"
        failure = envelopes.Failure(one.topic, one.partition, one.offset, stage, component, one.error_class, one.reason)
        headers = envelopes.headers(failure, list(one.headers))
        sent = await producer.send(self.topic, key=one.key, value=one.value, headers=headers)
        log.warning("a message was set aside", system=self.system, message=what, error=one.reason)
        DEADLETTERS.labels(self.system).inc()
        return cast(Delivery, sent)


async def run_source(
    source: Source, route: Route, kafka: Mapping[str, Any], system: str, deadletters: str = ""
) -> None:
    """Move changes from `source` to the topic and key that `route` gives, until cancelled.

    `kafka` holds keyword arguments for an aiokafka client; `deadletters` is the topic of what a source rejects. A
    broker or system that does not answer is waited for, with growing pauses, and said; any other error is raised.
    Closes the source.
    """
    progress, codec = Progress(), Codec()
    try:
        while True:
            try:
                await _round(source, route, kafka, Aside(system, deadletters), progress, codec)
            except (KafkaError, UnreachableError, StuckProducerError) as error:
                await _pause(error, system, progress)
    finally:
        with suppress(UnreachableError):
            await source.close()


async def _pause(error: Exception, system: str, progress: Progress) -> None:
    """Say what is wrong, and wait a while: longer each time, never the same for all."""
    progress.failures += 1
    RESTARTS.labels(system).inc()
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(progress.failures, 16))
    pause_s = longest * random.uniform(0.5, 1.0)
    what = str(error) if isinstance(error, ConnectorsError) else f"Kafka: {error!r}"
    log.warning("the source waits and tries again", system=system, error=what, pause_s=round(pause_s, 2))
    await asyncio.sleep(pause_s)


async def _round(
    source: Source,
    route: Route,
    kafka: Mapping[str, Any],
    aside: Aside,
    progress: Progress,
    codec: Codec,
) -> None:
    """One producer's life. Ends only by an error."""
    producer = AIOKafkaProducer(
        **kafka, enable_idempotence=True, acks="all", max_batch_size=BATCH_BYTES, linger_ms=0, request_timeout_ms=10_000
    )
    try:
        await producer.start()
        sender = Sender(producer, route, codec)
        under_way: asyncio.Queue[UnderWay] = asyncio.Queue(BATCHES_UNDER_WAY)
        await _first_to_end(
            _send_all(source, sender, aside, producer, under_way, progress.acked),
            _acknowledge_all(source, under_way, aside.system, progress),
        )
    finally:
        await _discard(producer)


async def _first_to_end(*works: Any) -> None:
    """Run these until one ends, then end the others; its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        error = await end(tasks)
    if error is not None:
        raise error


async def _send_all(
    source: Source,
    sender: Sender,
    aside: Aside,
    producer: AIOKafkaProducer,
    under_way: asyncio.Queue[UnderWay],
    after: Any,
) -> None:
    batches = cast(AsyncGenerator[Batch, None], source.read(after))
    async with aclosing(batches):
        async for batch in batches:
            deliveries = await sender.send(batch.changes) + await aside.put(producer, batch.rejected)
            last_us = batch.changes[-1].ts_us if batch.changes else None
            await under_way.put(UnderWay(batch.position, deliveries, len(batch.changes), last_us))
            if deliveries and len(batch.changes) < SMALL_BATCH:
                # Whether it failed is for the one who acknowledges to find out.
                await asyncio.wait(deliveries, timeout=SMALL_BATCH_WAIT_S)


async def _acknowledge_all(source: Source, under_way: asyncio.Queue[UnderWay], system: str, progress: Progress) -> None:
    """Acknowledge batches in order, each when all of it is safe."""
    while True:
        try:
            batch = await asyncio.wait_for(under_way.get(), IDLE_BEAT_S)
        except TimeoutError:
            beat(f"source-{system}")
            continue
        await _safe(batch.deliveries)
        await source.ack(batch.position)
        progress.acked, progress.failures = batch.position, 0
        _count(system, batch)


async def _safe(deliveries: Sequence[Delivery]) -> None:
    """Wait for these. Raises KafkaError, and StuckProducerError when nothing comes."""
    if not deliveries:
        return
    done, waiting = await asyncio.wait(deliveries, timeout=STUCK_AFTER_S, return_when=asyncio.FIRST_EXCEPTION)
    for delivery in done:
        delivery.result()
    if waiting:
        raise StuckProducerError(STUCK_AFTER_S)


def _count(system: str, batch: UnderWay) -> None:
    beat(f"source-{system}")
    EVENTS.labels(system).inc(batch.changes)
    if batch.last_us is not None:
        LAG.labels(system).set(max(0.0, time.time() - batch.last_us / 1e6))


async def _discard(producer: AIOKafkaProducer) -> None:
    """Let go of a producer; one that still cannot send after a moment is cut off, for its records are sent again."""
    try:
        with suppress(KafkaError):
            await asyncio.wait_for(producer.stop(), 5.0)
    except TimeoutError:
        await producer._sender.close()
        await producer.client.close()
