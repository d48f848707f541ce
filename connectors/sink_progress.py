"""How far the commands of each partition were carried out, here and at the broker.

A commit only says where a restart begins: what comes again is known to the sink. So it follows a moment later, one
request for all partitions, and no batch waits for it. Only a sink whose answers are messages is told at once, so that
a restart repeats as few requests to its application as may be.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

log = structlog.get_logger(__name__)
COMMIT_EVERY_S = 0.25


class Progress:
    """`done` is the next offset of each partition. `at_once`: commit with every batch."""

    def __init__(self, consumer: Any, system: str, at_once: bool = False) -> None:
        self.done: dict[TopicPartition, int] = {}
        self._consumer = consumer
        self._system = system
        self._at_once = at_once
        self._due: dict[TopicPartition, int] = {}
        self._telling = asyncio.Lock()

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Note how far a lane came."""
        self.done |= offsets
        self._due |= offsets
        if self._at_once:
            await self.flush()

    async def flush(self) -> None:
        """Tell the broker. A commit that fails costs only a repeat, and is tried again with the next."""
        async with self._telling:
            due, self._due = self._due, {}
            if due:
                await self._tell(due)

    async def _tell(self, due: dict[TopicPartition, int]) -> None:
        try:
            await self._consumer.commit(due)
        except (CommitFailedError, IllegalStateError):
            log.debug("partitions are somebody else's now", system=self._system)
        except KafkaError as error:
            self._due = due | self._due
            log.warning("progress was not committed", system=self._system, error=str(error))

    async def flush_regularly(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            await self.flush()

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """These are somebody else's from now on."""
        for place in places:
            self.done.pop(place, None)
            self._due.pop(place, None)
