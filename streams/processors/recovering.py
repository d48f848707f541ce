"""Reading a state changelog to its end, and nothing less: from its beginning, or from where a copy on disk ends."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.processors import spilled_files
from streams.processors.changelogs import Entry, Recovered, Recovery
from streams.processors.errors import RecoveryError
from streams.processors.settings import Hosting
from streams.processors.spilled import Spill, SpilledStore
from streams.processors.spilled_files import Disk
from streams.processors.spilled_recovery import Cover, Fold, UncoveredError, is_mark_of
from streams.processors.stores import LaneStore, PartitionStore

log = structlog.get_logger(__name__)
POLL_MS = 500
TAIL_RECORDS = 2_000
MOST_READINGS = 10
Feed = Callable[[Sequence[Any]], None]


@dataclass(slots=True)
class Restored:
    """The state of a partition as its changelog says, ready for use: see `Recovered`. `end` is the changelog's."""

    store: LaneStore
    positions: Mapping[str, int] | None
    epoch: int
    repairs: dict[bytes, bytes | None]
    end: int


async def recover(hosting: Hosting, processor: str, topic: str, partition: int) -> tuple[Recovered, int]:
    """The state in one partition of a changelog, and the offset at its end. Raises RecoveryError."""
    reading = _Reading(hosting, processor, TopicPartition(topic, partition))
    recovery = Recovery()
    async with reading:
        first, end = await reading.bounds()
        await reading.read(lambda messages: recovery.feed(_entries(messages)), first, end)
    return recovery.result(), end


async def restore(hosting: Hosting, processor: str, topic: str, partition: int, spill: Spill | None = None) -> Restored:
    """The state of a partition, in memory or, with a `spill`, in its folder. Raises RecoveryError, DiskError."""
    if spill is None:
        found, end = await recover(hosting, processor, topic, partition)
        return Restored(PartitionStore(found.content), found.positions, found.epoch, found.repairs(), end)
    disk = spill.open(processor, partition)
    try:
        async with _Reading(hosting, processor, TopicPartition(topic, partition)) as reading:
            disk, fold, end = await _Copying(reading, spill, processor, partition, disk).run()
    except BaseException:
        disk.close()
        raise
    return Restored(SpilledStore(spill, disk), fold.positions, fold.epoch, fold.repairs(), end)


class _Copying:
    """Brings a folder up to a changelog."""

    def __init__(self, reading: "_Reading", spill: Spill, processor: str, partition: int, disk: Disk) -> None:
        self._reading = reading
        self._spill = spill
        self._processor = processor
        self._partition = partition
        self._disk = disk

    async def run(self) -> tuple[Disk, Fold, int]:
        first, end = await self._reading.bounds()
        start = await self._start(first, end)
        cover = await self._last_mark(start, end)
        for _ in range(MOST_READINGS):
            fold = Fold(self._disk, cover)
            try:
                await self._reading.read(fold.feed, start, end)
            except UncoveredError:
                continue
            return self._disk, fold, end
        raise self._reading.error(f"its marks are in disorder: {MOST_READINGS} readings did not come to an end")

    async def _start(self, first: int, end: int) -> int:
        """Where to read from: behind the place of the copy, if the changelog still is the one that it was made from."""
        place = self._disk.place
        if place is None:
            # Nothing, or what a recovery that did not come to its end has left.
            self._discard("it goes nowhere" if self._disk.count() else None)
            return first
        at = place.offset - 1
        if place.topic == self._reading.topic and first <= at < end:
            seen: list[Any] = []
            await self._reading.read(seen.extend, at, at + 1)
            # While this mark is there, nothing behind it was compacted away that a copy would have to forget.
            if seen and is_mark_of(seen[0], self._disk):
                return place.offset
        self._discard("its changelog was made anew, or compacted since")
        return first

    def _discard(self, reason: str | None) -> None:
        if reason is not None:
            self._disk.close()
            spilled_files.discard(self._disk.path, reason)
            self._disk = self._spill.open(self._processor, self._partition)

    async def _last_mark(self, start: int, end: int) -> Cover:
        cover, window = Cover(), TAIL_RECORDS
        while start < end:
            await self._reading.read(cover.look, max(start, end - window), end)
            if cover.offset >= 0 or end - window <= start:
                break
            window *= 10
        return cover


class _Reading:
    """Readings of one changelog partition."""

    def __init__(self, hosting: Hosting, processor: str, at: TopicPartition) -> None:
        self._consumer: Any = AIOKafkaConsumer(
            **hosting.kafka,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=8 * 1024 * 1024,
            fetch_max_wait_ms=50,
        )
        self._processor = processor
        self._at = at
        self._patience_seconds = hosting.recovery_timeout_ms / 1000

    async def __aenter__(self) -> "_Reading":
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        self._consumer.assign([self._at])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    @property
    def topic(self) -> str:
        """The changelog."""
        return str(self._at.topic)

    async def bounds(self) -> tuple[int, int]:
        """The first offset, and the one behind the last."""
        first = await self._consumer.beginning_offsets([self._at])
        end = await self._consumer.end_offsets([self._at])
        return first[self._at], end[self._at]

    async def read(self, feed: Feed, first: int, end: int) -> None:
        """Feed every message from `first` up to, and without, `end`. Raises RecoveryError."""
        self._consumer.seek(self._at, first)
        position = await self._consumer.position(self._at)
        if position != first:
            # A consumer that starts elsewhere than asked recovers a part of the state, silently.
            raise self.error(f"asked to read from {first}, it stands at {position}")
        progress_at = time.monotonic()
        while position < end:
            found = await self._consumer.getmany(self._at, timeout_ms=POLL_MS)
            for messages in found.values():
                feed(messages if messages[-1].offset < end else [each for each in messages if each.offset < end])
            now = await self._consumer.position(self._at)
            if now != position:
                position, progress_at = now, time.monotonic()
            elif time.monotonic() - progress_at > self._patience_seconds:
                raise self.error(f"stuck at {position} of {end} for {self._patience_seconds:g} s")
            # A long recovery must leave room for the group's heartbeats.
            await asyncio.sleep(0)

    def error(self, reason: str) -> RecoveryError:
        """What to raise."""
        return RecoveryError(self._processor, self._at.topic, self._at.partition, reason)


def _entries(messages: Iterable[Any]) -> Iterable[Entry]:
    return [Entry(message.key, message.value, tuple(message.headers)) for message in messages]
