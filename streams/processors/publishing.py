"""Sending outputs in whole batches, in order, and knowing that they arrived.

The partitions of a service share one producer, and what they have to send: while a round of batches is on its way,
everything that is asked for waits, and then goes out together, one batch for each topic and partition. The client has
one request per broker under way, so that senders that each went their own way would queue for each other.

Nothing is sent to a partition before what was sent to it earlier is acknowledged. That costs little, because a batch
holds hundreds of messages, and it is what lets a consumer fence repeats by offset: a batch that fails never leaves a
later one behind it in the log.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import placement
from streams.processors.changelogs import Entry
from streams.processors.errors import DeliveryError, DeliveryTimeoutError
from streams.processors.records import Output
from streams.processors.settings import Hosting

log = structlog.get_logger(__name__)
Message = Output | Entry
Place = tuple[str, int]
Runs = list[tuple[int, int]]
STOP_SECONDS = 10.0
partition_of = lru_cache(maxsize=200_000)(placement.partition_of)


@dataclass(slots=True, eq=False)
class _Delivery:
    """What one caller waits for. `runs`: the offsets that its messages got, by place, as (first, count)."""

    left: int
    done: asyncio.Future[None]
    runs: dict[Place, Runs] = field(default_factory=dict)
    failure: Exception | None = None


@dataclass(slots=True, eq=False)
class _Piece:
    """One caller's messages for one place, and how many of them were put into a batch."""

    delivery: _Delivery
    messages: Sequence[Message]
    put: int = 0


@dataclass(slots=True, eq=False)
class _Sending:
    """A batch under way: whose messages it holds, from which place in the batch on, and how many."""

    place: Place
    batch: Any
    shares: list[tuple[_Piece, int, int]]
    future: asyncio.Future[Any] | None = None


class Publisher:
    """The outputs of one service. Shared by its partitions; `renew` after a failure, before anything is sent again."""

    def __init__(self, hosting: Hosting, processor: str) -> None:
        self._hosting = hosting
        self._processor = processor
        self._producer: AIOKafkaProducer | None = None
        self._suspect: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._counts: dict[str, int] = {}
        self._waiting: dict[Place, deque[_Piece]] = {}
        self._rounds: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect. Raises aiokafka's KafkaConnectionError."""
        producer = AIOKafkaProducer(
            **self._hosting.kafka,
            acks="all",
            enable_idempotence=True,
            max_batch_size=self._hosting.batch_bytes,
            max_request_size=max(self._hosting.output_bytes, 1_048_576),
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect; harmless when repeated."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._close(producer)
        if self._rounds is not None:
            # It has nothing left to wait for.
            await asyncio.wait([self._rounds], timeout=STOP_SECONDS)

    async def renew(self) -> None:
        """Replace the producer if it failed since it was made. An idempotent producer can be stuck for good."""
        async with self._renewing:
            if self._producer is None or self._producer is not self._suspect:
                return
            await self.stop()
            await self.start()

    async def _close(self, producer: AIOKafkaProducer) -> None:
        try:
            await asyncio.wait_for(producer.stop(), STOP_SECONDS)
        except TimeoutError as error:
            # What it still holds could arrive behind what its successor sends.
            raise DeliveryTimeoutError(self._processor, "(any)", -1, "the producer does not stop") from error

    async def publish(self, outputs: Sequence[Output], beside: Mapping[Place, Sequence[Entry]] | None = None) -> Runs:
        """Send all, stage by stage; returns when every one is acknowledged. Raises DeliveryError.

        `beside`: entries that go out with the first stage; returns (first offset, count) of each of their batches,
        -1 where the offset is not known.
        """
        beside, runs = beside or {}, []
        stages = [list(staged) for _, staged in groupby(sorted(outputs, key=_stage), key=_stage)] or [[]]
        for number, of_stage in enumerate(stages):
            await self._know({output.topic for output in of_stage if output.partition is None})
            groups: dict[Place, list[Message]] = {}
            for output in of_stage:
                groups.setdefault((output.topic, self._place(output)), []).append(output)
            if number == 0:
                groups |= {place: list(entries) for place, entries in beside.items()}
            placed = await self._deliver(groups)
            runs += [run for place in beside for run in placed.get(place, ())]
        return runs

    async def append(self, topic: str, partition: int, entries: Sequence[Entry]) -> Runs:
        """Send entries to one partition. Returns what `publish` does. Raises DeliveryError."""
        return await self.publish((), {(topic, partition): entries})

    async def _know(self, topics: set[str]) -> None:
        for topic in topics - self._counts.keys():
            try:
                self._counts[topic] = len(await self._current(topic).partitions_for(topic))
            except KafkaError as error:
                raise self._failed((topic, -1), error) from error

    def _place(self, output: Output) -> int:
        if output.partition is not None:
            return output.partition
        return partition_of(output.key or b"", self._counts[output.topic])

    def _current(self, topic: str) -> AIOKafkaProducer:
        if self._producer is None:
            raise DeliveryError(self._processor, topic, -1, "the producer is stopped")
        return self._producer

    def _failed(self, place: Place, error: BaseException) -> DeliveryError:
        return DeliveryError(self._processor, *place, str(error) or type(error).__name__)

    async def _deliver(self, groups: Mapping[Place, Sequence[Message]]) -> dict[Place, Runs]:
        """Wait until all of these are acknowledged; where they are. None is under way any more when this raises."""
        wanted = {place: messages for place, messages in groups.items() if messages}
        if not wanted:
            return {}
        delivery = _Delivery(len(wanted), asyncio.get_running_loop().create_future())
        for place, messages in wanted.items():
            self._waiting.setdefault(place, deque()).append(_Piece(delivery, messages))
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._go_round(), name=f"publisher/{self._processor}")
        # Whoever gives up waiting leaves the rounds of the others alone.
        await asyncio.shield(delivery.done)
        if delivery.failure is not None:
            raise delivery.failure
        return delivery.runs

    async def _go_round(self) -> None:
        """Send what waits, round by round, until nothing does."""
        while self._waiting:
            sendings: list[_Sending] = []
            try:
                await self._round(sendings)
            except Exception as error:  # noqa: BLE001  it is raised by everybody who waits
                self._abandon(sendings, error)

    async def _round(self, sendings: list[_Sending]) -> None:
        producer = self._producer
        if producer is None:
            raise DeliveryError(self._processor, "(any)", -1, "the producer is stopped")
        sendings += [self._fill(producer, place) for place in list(self._waiting)]
        limit_seconds = self._hosting.delivery_timeout_ms / 1000
        try:
            async with asyncio.timeout(limit_seconds):
                for sending in sendings:
                    await self._send(producer, sending)
                under_way = [sending.future for sending in sendings if sending.future is not None]
                if under_way:
                    await asyncio.wait(under_way)
        except TimeoutError:
            for sending in sendings:
                if sending.future is None or not sending.future.done():
                    reason = f"no answer in {limit_seconds:g} s"
                    self._fail(sending, DeliveryTimeoutError(self._processor, *sending.place, reason))
        for sending in sendings:
            self._account(producer, sending)
        self._release(sendings)

    def _fill(self, producer: AIOKafkaProducer, place: Place) -> _Sending:
        """A batch of what waits for a place, as full as it may be; what is left waits on."""
        batch, waiting = producer.create_batch(), self._waiting[place]
        sending, count = _Sending(place, batch, []), 0
        while waiting:
            piece = waiting[0]
            put = _put(batch, piece)
            if put:
                sending.shares.append((piece, count, put))
                count += put
            if piece.put < len(piece.messages):
                break
            waiting.popleft()
        if not waiting:
            del self._waiting[place]
        batch.close()
        return sending

    async def _send(self, producer: AIOKafkaProducer, sending: _Sending) -> None:
        topic, partition = sending.place
        try:
            sending.future = await producer.send_batch(sending.batch, topic, partition=partition)
        except (KafkaError, AssertionError) as error:
            self._suspect = producer
            self._fail(sending, self._failed(sending.place, error))

    def _account(self, producer: AIOKafkaProducer, sending: _Sending) -> None:
        """Note where the messages of a batch are, or that they are not."""
        future = sending.future
        if future is None or not future.done():
            return
        if (error := future.exception()) is not None:
            self._suspect = producer
            self._fail(sending, self._failed(sending.place, error))
            return
        metadata = future.result()
        for piece, first, count in sending.shares:
            offset = -1 if metadata is None or metadata.offset < 0 else metadata.offset + first
            piece.delivery.runs.setdefault(sending.place, []).append((offset, count))
            if piece.put == len(piece.messages):
                piece.delivery.left -= 1

    def _fail(self, sending: _Sending, error: DeliveryError) -> None:
        for piece, _, _ in sending.shares:
            piece.delivery.failure = piece.delivery.failure or error

    def _release(self, sendings: Sequence[_Sending]) -> None:
        """Tell whoever waits that his messages are there, or that one is not: then what is left of them is not sent."""
        concerned = {piece.delivery for each in sendings for piece, _, _ in each.shares}
        for delivery in concerned:
            if (delivery.failure is not None or delivery.left == 0) and not delivery.done.done():
                delivery.done.set_result(None)
        if any(delivery.failure is not None for delivery in concerned):
            self._purge()

    def _purge(self) -> None:
        for place, waiting in list(self._waiting.items()):
            left = deque(piece for piece in waiting if piece.delivery.failure is None)
            if left:
                self._waiting[place] = left
            else:
                del self._waiting[place]

    def _abandon(self, sendings: Sequence[_Sending], error: Exception) -> None:
        """Nothing more can be sent: tell everybody who waits."""
        waiting, self._waiting = self._waiting, {}
        pieces = [piece for each in sendings for piece, _, _ in each.shares]
        for piece in [*pieces, *(piece for held in waiting.values() for piece in held)]:
            delivery = piece.delivery
            delivery.failure = delivery.failure or error
            if not delivery.done.done():
                delivery.done.set_result(None)


_stage = attrgetter("stage")


def _put(batch: Any, piece: _Piece) -> int:
    """Put messages of a piece into a batch until it is full; how many. An empty batch takes any message."""
    append, started = batch.append, piece.put
    for message in piece.messages[started:]:
        if append(timestamp=None, key=message.key, value=message.value, headers=list(message.headers)) is None:
            break
        piece.put += 1
    return piece.put - started
