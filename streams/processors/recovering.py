"""Reading a state changelog to its end, and nothing less: from its beginning, or from where a copy on disk ends."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.processors import spilled_files
from streams.processors.changelog_folds import Copy, Cover, Fold, Held, UncoveredError, is_mark_of
from streams.processors.changelogs import Recovered
from streams.processors.errors import RecoveryError
from streams.processors.settings import Hosting
from streams.processors.spilled import Spill, SpilledStore
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
    held = Held()
    async with _Reading(hosting, processor, TopicPartition(topic, partition)) as reading:
        first, end = await reading.bounds()
        fold = await reading.folded(held, first, end)
    return Recovered(held.values(), fold.positions, fold.epoch, fold.doubtful), end


async def restore(hosting: Hosting, processor: str, topic: str, partition: int, spill: Spill | None = None) -> Restored:
    """The state of a partition, in memory or, with a `spill`, in its folder. Raises RecoveryError, DiskError."""
    if spill is None:
        found, end = await recover(hosting, processor, topic, partition)
        return Restored(PartitionStore(found.content), found.positions, found.epoch, found.repairs(), end)
    async with _Reading(hosting, processor, TopicPartition(topic, partition)) as reading:
        copying = _Copying(reading, spill, processor, partition)
        try:
            fold, end = await copying.run()
            return Restored(SpilledStore(spill, copying.disk), fold.positions, fold.epoch, fold.repairs(), end)
        except BaseException:
            copying.disk.close()
            raise


class _Copying:
    """Brings a folder up to a changelog."""

    def __init__(self, reading: "_Reading", spill: Spill, processor: str, partition: int) -> None:
        self._reading = reading
        self._spill = spill
        self._processor = processor
        self._partition = partition
        self.disk = spill.open(processor, partition)

    async def run(self) -> tuple[Fold, int]:
        first, end = await self._reading.bounds()
        start = await self._start(first, end)
        return await self._reading.folded(self.disk, start, end), end

    async def _start(self, first: int, end: int) -> int:
        """Where to read from: behind the place of the copy, if the changelog still is the one that it was made from."""
        place = self.disk.place
        if place is None:
            # Nothing, or what a recovery that did not come to its end has left.
            self._discard("it goes nowhere" if self.disk.count() else None)
            return first
        at = place.offset - 1
        if place.topic == self._reading.topic and first <= at < end:
            seen: list[Any] = []
            await self._reading.read(seen.extend, at, at + 1)
            # While this mark is there, nothing behind it was compacted away that a copy would have to forget.
            if seen and is_mark_of(seen[0], self.disk):
                return place.offset
        self._discard("its changelog was made anew, or compacted since")
        return first

    def _discard(self, reason: str | None) -> None:
        if reason is not None:
            self.disk.close()
            spilled_files.discard(self.disk.path, reason)
            self.disk = self._spill.open(self._processor, self._partition)


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

    async def folded(self, copy: Copy, first: int, end: int) -> Fold:
        """Bring a copy up to the changelog's end. Raises RecoveryError, StateEntryError, DiskError."""
        cover = await self._last_mark(first, end)
        for _ in range(MOST_READINGS):
            fold = Fold(copy, cover)
            try:
                await self.read(fold.feed, first, end)
            except UncoveredError:
                continue
            return fold
        raise self.error(f"its marks are in disorder: {MOST_READINGS} readings did not come to an end")

    async def _last_mark(self, first: int, end: int) -> Cover:
        cover, window = Cover(), TAIL_RECORDS
        while first < end:
            await self.read(cover.look, max(first, end - window), end)
            if cover.offset >= 0 or end - window <= first:
                break
            window *= 10
        return cover

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
