"""What a sink has to say to Kafka: answers of systems without a log, and messages that are no commands."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer

from schemas import deadletters as envelopes
from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Result

log = structlog.get_logger(__name__)

ResultRoute = Callable[[Result], tuple[str, bytes]]


class Outbox:
    """One producer, opened when there is something to send. `route` gives the topic and key of a result."""

    def __init__(
        self, kafka: Mapping[str, Any], deadletters: str, component: str, route: ResultRoute | None = None
    ) -> None:
        self._kafka = kafka
        self._topic = deadletters
        self._component = component
        self._route = route
        self._codec = Codec()
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()

    async def put(self, record: Any, error: UndecodableError) -> None:
        """Set a record aside as it came, with the reason in headers, until the broker has it. Raises KafkaError."""
        producer = await self._open()
        failure = envelopes.Failure(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            stage="VALUE_CONVERTER",
            component=self._component,
            error_class=type(error).__name__,
            message=str(error),
        )
        headers = envelopes.headers(failure, list(record.headers))
        await producer.send_and_wait(self._topic, key=record.key, value=record.value, headers=headers)
        log.warning("a message that is no command was set aside", topic=record.topic, partition=record.partition,
                    offset=record.offset, error=str(error))  # fmt: skip

    async def report(self, results: Sequence[Result]) -> None:
        """Send the answers to commands, in order; returns when the broker has them all. Raises KafkaError."""
        if not results:
            return
        if self._route is None:
            raise TypeError(f"{self._component}: a sink answered with results, and nobody said where they go")
        producer, sent = await self._open(), []
        for result in results:
            topic, key = self._route(result)
            sent.append(await producer.send(topic, key=key, value=self._codec.encode(result)))
        await asyncio.gather(*sent)

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._kafka, acks="all", enable_idempotence=True)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        """Let go of the producer. May be called twice."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
