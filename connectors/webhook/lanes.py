"""One system's way into Kafka: deliveries that wait for it together travel in one batch.

Order of things: connect; read from the topic which deliveries it holds that we do not know of (all that are to be
remembered, the first time; later those whose fate a lost connection left open); open; then again and again: take what
waits, send it, wait until all replicas have it, remember the ids, let the senders know. One request is under way at
a time, and the next takes everything that came meanwhile, so batches grow with the load.

An error, or no answer for too long, ends the round: whoever waits is told to come again, and the producer is thrown
away, for an idempotent one can get stuck. While the lane is closed nothing is taken.

Senders are less patient than Kafka may need to be. One that has waited for `answer_timeout_s` is told to come again
while its delivery is still on its way; when it does, its delivery is known, safe by then or still under way.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from prometheus_client import Gauge

from connectors.errors import ConnectorsError
from connectors.webhook.deliveries import Deliveries
from connectors.webhook.postings import NotKeptError, Posting, Waits
from connectors.webhook.recall import TopicMissingError, recall
from schemas.heartbeats import beat

log = structlog.get_logger(__name__)

WAITING = Gauge("duplex_webhook_waiting", "Deliveries that wait for Kafka.", ["system"])
OPEN = Gauge("duplex_webhook_open", "Whether deliveries are taken: 1, or 0 while Kafka is away.", ["system"])

BATCH_BYTES = 900_000
BATCH_TIMEOUT_S = 10.0
LINGER_S = 0.005
IDLE_BEAT_S = 5.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0


class Lane:
    """See the module's text. `limit`: deliveries that may wait; `kafka`: keyword arguments for an aiokafka client."""

    def __init__(
        self,
        system: str,
        topic: str,
        kafka: Mapping[str, Any],
        deliveries: Deliveries,
        *,
        limit: int = 10_000,
        answer_timeout_s: float = 1.0,
        batch_timeout_s: float = BATCH_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._system = system
        self._loop_name = f"bridge {system}"
        self._topic = topic
        self._kafka = kafka
        self._deliveries = deliveries
        self._limit = limit
        self._batch_timeout_s = batch_timeout_s
        self._clock = clock
        self._waiting: deque[Posting] = deque()
        self._under_way: dict[bytes, Posting] = {}
        self._waits = Waits(answer_timeout_s, lambda: NotKeptError(system, "Kafka has not acknowledged it yet"))
        self._wake = asyncio.Event()
        self._open = False
        self._failures = 0
        self._expected = 1
        self._wanted = 1
        self._position: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether deliveries are taken."""
        return self._open

    def under_way(self, key: bytes) -> Posting | None:
        """The delivery of this id that is not safe yet."""
        return self._under_way.get(key)

    def answer(self, posting: Posting) -> asyncio.Future[None]:
        """What a sender waits for: it ends when the delivery is safe, or raises NotKeptError: it is not, or not yet."""
        waiter = posting.waiter()
        self._waits.add(waiter)
        return waiter

    def take(self, posting: Posting) -> None:
        """Send this delivery. Raises NotKeptError where it cannot be now."""
        if not self._open:
            raise NotKeptError(self._system, "Kafka is away")
        if len(self._under_way) >= self._limit:
            raise NotKeptError(self._system, f"{self._limit} deliveries wait already", full=True)
        self._under_way[posting.key] = posting
        self._waiting.append(posting)
        if len(self._waiting) >= self._wanted:
            self._wake.set()

    async def run(self) -> None:
        """Send deliveries until cancelled."""
        try:
            while True:
                try:
                    await self._round()
                except (KafkaError, TopicMissingError, OSError) as error:
                    await self._pause(error)
        finally:
            self._shut()

    async def _round(self) -> None:
        producer = AIOKafkaProducer(
            **self._kafka,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=int(self._batch_timeout_s * 1000),
        )
        try:
            await producer.start()
            self._position = await recall(self._kafka, self._topic, self._deliveries, self._position, self._clock())
            self._opened()
            while True:
                await self._some()
                await self._send(producer)
        finally:
            # Before the producer is done with, which may take it a while: nobody should wait for that.
            self._shut()
            await _discard(producer)

    def _opened(self) -> None:
        self._open = True
        OPEN.labels(self._system).set(1)
        log.info("deliveries are taken", system=self._system, topic=self._topic, remembered=len(self._deliveries))

    def _shut(self) -> None:
        self._open = False
        OPEN.labels(self._system).set(0)
        error = NotKeptError(self._system, "Kafka did not acknowledge it in time")
        self._settle(list(self._under_way.values()), error)
        self._waiting.clear()

    async def _pause(self, error: Exception) -> None:
        """Say what is wrong, and wait a while: longer each time, never the same for all."""
        beat(self._loop_name)
        self._failures += 1
        longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 16))
        pause_s = longest_s * random.uniform(0.5, 1.0)
        what = str(error) if isinstance(error, ConnectorsError) else f"Kafka: {error!r}"
        log.warning(
            "deliveries are refused until Kafka answers", system=self._system, error=what, pause_s=round(pause_s, 2)
        )
        await asyncio.sleep(pause_s)

    async def _some(self) -> None:
        while not self._waiting:
            await self._until(1, IDLE_BEAT_S)
            beat(self._loop_name)
        if len(self._waiting) < self._expected:
            # Who was answered just now is about to send again: one batch for all is cheaper than two.
            await self._until(self._expected, LINGER_S)

    async def _until(self, count: int, longest_s: float) -> None:
        """Wait until so many wait for Kafka, or for so long."""
        self._wanted = count
        self._wake.clear()
        timer = asyncio.get_running_loop().call_later(longest_s, self._wake.set)
        await self._wake.wait()
        timer.cancel()

    async def _send(self, producer: AIOKafkaProducer) -> None:
        batch, postings = producer.create_batch(), list[Posting]()
        while self._waiting:
            one = self._waiting[0]
            if batch.append(timestamp=None, key=one.key, value=one.value, headers=one.headers) is None:
                break
            postings.append(self._waiting.popleft())
        batch.close()
        WAITING.labels(self._system).set(len(self._under_way))
        try:
            async with asyncio.timeout(self._batch_timeout_s):
                sent = await producer.send_batch(batch, self._topic, partition=0)
                kept = await asyncio.shield(sent)
        except MessageSizeTooLargeError as error:
            log.error("the topic takes no message of this size", topic=self._topic, setting="max.message.bytes")
            self._settle(postings, NotKeptError(self._system, str(error), too_large=True))
            raise
        self._remember(postings, kept.offset)

    def _remember(self, postings: Sequence[Posting], offset: int) -> None:
        now_s = self._clock()
        for one in postings:
            self._deliveries.add(one.key, now_s)
        self._position, self._failures = offset, 0
        self._expected = len(self._waiting) + len(postings)
        self._settle(postings, None)

    def _settle(self, postings: Sequence[Posting], error: NotKeptError | None) -> None:
        for one in postings:
            self._under_way.pop(one.key, None)
            one.settle(error)
        WAITING.labels(self._system).set(len(self._under_way))


async def _discard(producer: AIOKafkaProducer) -> None:
    """Let go of a producer; one that still cannot send after a moment is cut off, for its senders come again."""
    try:
        with suppress(KafkaError):
            await asyncio.wait_for(producer.stop(), 2.0)
    except TimeoutError:
        await producer._sender.close()
        await producer.client.close()
