"""Fresh commands of partitions that are far behind, read beside the backlog: a live change need not wait for it.

The backlog is read by the group's consumer, in order, and comes to every command in the end: it alone counts as
progress, and knows which ones were carried out before their turn. So this reader may begin where it likes (near the end
of the topic, when a partition is found far behind), may drop what it has no room for, and keeps nothing for a restart.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.sink_lane import BATCH_COMMANDS

log = structlog.get_logger(__name__)

FAR_BEHIND = 10 * BATCH_COMMANDS
"""A partition that is so many commands behind is read at its end too, until it is NEARLY_THERE."""
NEARLY_THERE = BATCH_COMMANDS
FRESH_COMMANDS = BATCH_COMMANDS // 5
"""So many go ahead between two batches of the backlog, which keeps most of the time for itself."""
FRESH_WAITING = 5 * FRESH_COMMANDS
POLL_MS = 200
PAUSE_S = 2.0


class Fresh:
    """One consumer outside of the group, while any partition is far behind."""

    def __init__(self, kafka: Mapping[str, Any], system: str) -> None:
        self._kafka = kafka
        self._system = system
        self._waiting: dict[TopicPartition, deque[Any]] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._changed = asyncio.Event()

    def observe(self, place: TopicPartition, behind: int) -> None:
        """A partition is so many commands behind."""
        if place not in self._waiting and behind > FAR_BEHIND:
            log.info("far behind: fresh commands go ahead", system=self._system, place=place.partition, behind=behind)
            self._waiting[place] = deque(maxlen=FRESH_WAITING)
            self._changed.set()
        elif place in self._waiting and behind <= NEARLY_THERE:
            self.leave([place])

    def leave(self, places: Iterable[TopicPartition]) -> None:
        """Read these no more. Commands of theirs that wait here have their turn in the backlog."""
        for place in places:
            if self._waiting.pop(place, None) is not None:
                self._positions.pop(place, None)
                self._changed.set()

    def ready(self) -> list[TopicPartition]:
        """Partitions of which fresh commands wait."""
        return [place for place, waiting in self._waiting.items() if waiting]

    def take(self, place: TopicPartition) -> list[Any]:
        """The next fresh commands of a partition."""
        waiting = self._waiting.get(place, ())
        return [waiting.popleft() for _ in range(min(len(waiting), FRESH_COMMANDS))] if waiting else []

    async def run(self) -> None:
        """Read until cancelled. A broker that is away is waited for; meanwhile all commands have their turn."""
        while True:
            await self._changed.wait()
            try:
                await self._read()
            except KafkaError as error:
                log.warning("fresh commands cannot be read; they wait", system=self._system, error=str(error))
                self._changed.set()
                await asyncio.sleep(PAUSE_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(**self._kafka, enable_auto_commit=False, auto_offset_reset="latest")
        try:
            await consumer.start()
            while self._waiting:
                if self._changed.is_set():
                    await self._follow(consumer)
                for place, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    if place in self._waiting:
                        self._waiting[place].extend(records)
                        self._positions[place] = records[-1].offset + 1
            self._changed.clear()
        finally:
            await consumer.stop()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        """Read the partitions that are wanted now; new ones from a little before their end, for that is fresh too."""
        self._changed.clear()
        places = list(self._waiting)
        new = [place for place in places if place not in self._positions]
        if new:
            firsts, ends = await consumer.beginning_offsets(new), await consumer.end_offsets(new)
            self._positions |= {place: max(firsts[place], ends[place] - FRESH_WAITING) for place in new}
        consumer.assign(places)
        for place in places:
            consumer.seek(place, self._positions[place])
