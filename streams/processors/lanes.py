"""One partition of a processor, from recovery to its last whole batch.

A *lane* owns the partition with one number of every input topic, and the state made from it. Its life:

    recover state ─► mark (epoch + 1, repairs) ─► seek ─► ┌─► take ─► apply ─► outputs + state ─► mark ─┐ ─► closed
          ▲                                               └──────────── commit by the service ◄──────────┘
          └──── failed delivery, or a stranger's entry in the changelog: drop all and start over ────┘

1. `apply` decides on the state in memory; nothing has left yet.
2. Outputs and changed state are sent together, and acknowledged: the batch is *settled*. Its state does not count yet,
   for no mark covers it. State that said "sent" while an output was lost would never send it again.
3. The mark (the input positions) is appended to the changelog: with the state of the next batch, or by itself when no
   next batch comes. From here on the batch counts.
4. The positions become committable. The mark, not the commit, is where a restart goes on: state and position are
   one, so no record is folded into the state twice; the outputs of what was not marked are sent twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from streams.processors import changelogs, metrics, recovering, rejections
from streams.processors.changelog_folds import stamp_frame
from streams.processors.changelogs import Entry, Stamp
from streams.processors.errors import (
    DeliveryError,
    DeliveryTimeoutError,
    InputLostError,
    OvertakenError,
    StateLostError,
    StuckError,
)
from streams.processors.inboxes import Inbox
from streams.processors.publishing import Publisher
from streams.processors.records import Decided, Output, Record
from streams.processors.settings import Hosting
from streams.processors.spilled_files import Place
from streams.processors.stores import LaneStore, PartitionStore, Store

log = structlog.get_logger(__name__)
BATCHES_WAITING = 2
CANCELLATIONS = 50
CANCELLATION_SECONDS = 0.2


class BatchProcessor(Protocol):
    """What a service hosts: a decision on a batch of records and the state of their partition.

    `apply` is pure where it is synchronous: it reads `records` and `store`, changes `store`, and returns what to
    send. It is called with records of one partition number, in log order within each topic, and again with the
    same ones after a crash, on the state they were first seen with. An exception out of it stops the process;
    records that cannot be processed are returned as `Rejected`.
    """

    @property
    def name(self) -> str:
        """The processor's name, unique in the pipeline: `merge.contact`."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input topics, which share one partition count."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Output topics that must have the inputs' partition count as well."""
        ...

    @property
    def free_outputs(self) -> tuple[str, ...]:
        """Output topics that must exist, with any partition count."""
        ...

    @property
    def state_topic(self) -> str | None:
        """The compacted changelog of its state; None for a processor without state."""
        ...

    def apply(self, records: Sequence[Record], store: Store) -> Sequence[Decided] | Awaitable[Sequence[Decided]]: ...


@runtime_checkable
class TimedProcessor(Protocol):
    """A processor for which time alone makes things due.

    `due` says what to send for it now (µs since the epoch); it reads `store`, and changes nothing. What it sends
    comes back as input, and is only then acted on: so what a log leads to does not depend on when it was read. It is
    asked between batches, every few seconds, and must not ask for the same again until that has come back.
    """

    def due(self, store: Store, now_us: int) -> Sequence[Output]: ...


class Lane:
    """See the module's text. `start` once, `close` as often as wanted.

    `positions` are the next offsets to read behind the last settled batch, `marked` those behind the last that counts.
    """

    def __init__(
        self,
        hosting: Hosting,
        processor: BatchProcessor,
        consumer: Any,
        publisher: Publisher,
        partition: int,
        deadletters: str,
    ) -> None:
        self.partition = partition
        self.sources = tuple(TopicPartition(topic, partition) for topic in processor.inputs)
        self.store: LaneStore = PartitionStore()
        self.positions: dict[str, int] = {}
        self.marked: dict[str, int] = {}
        self.inbox = Inbox(consumer, self.sources, BATCHES_WAITING * hosting.batch_records)
        self.progress_at = time.time()
        self.is_ready = False
        self._looked_at = time.monotonic()
        self._hosting = hosting
        self._processor = processor
        self._consumer = consumer
        self._publisher = publisher
        self._deadletters = deadletters
        self._epoch = 0
        self._settled = 0
        self._log_end: int | None = None
        self._busy = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Begin; the task ends only by `close`, or by an error that must stop the process."""
        self._task = asyncio.create_task(self._run(), name=f"{self._processor.name}/{self.partition}")
        return self._task

    async def close(self) -> None:
        """Finish the batch under way, then stop. Waits no longer than the drain limit."""
        task = self._task
        try:
            if task is not None and not task.done():
                await self._finish(task)
        finally:
            self.is_ready = False
            self.store.close()

    async def _finish(self, task: "asyncio.Task[None]") -> None:
        try:
            async with asyncio.timeout(self._hosting.drain_timeout_ms / 1000):
                await self._busy.acquire()
                if self.is_ready:
                    await self._mark()
        except TimeoutError:
            log.warning("a batch did not finish in time and will be processed again", **self._keys())
        except (DeliveryError, KafkaError) as error:
            log.warning("the last batch will be processed again", error=str(error), **self._keys())
        await _ended(task)

    async def _run(self) -> None:
        failures = 0
        while True:
            before = self._settled
            try:
                await self._serve()
            except OvertakenError as error:
                # The group will take the partition away; if it does not, something is wrong for good.
                log.warning("partition taken over by another worker", error=str(error), **self._keys())
                await asyncio.sleep(3 * self._hosting.session_timeout_ms / 1000)
                raise
            except DeliveryTimeoutError:
                raise
            except (DeliveryError, KafkaError) as error:
                failures = 1 if self._settled != before else failures + 1
                if failures >= self._hosting.attempts:
                    raise StuckError(self._processor.name, self.partition, failures) from error
                await self._start_over(error, failures)

    async def _start_over(self, error: Exception, failures: int) -> None:
        self.is_ready = False
        self._consumer.pause(*self.sources)
        log.warning("partition starts over from its last whole batch", error=str(error), **self._keys())
        metrics.RESTARTS.labels(self._processor.name).inc()
        await asyncio.sleep(self._hosting.backoff_ms / 1000 * 2 ** (failures - 1))
        await self._publisher.renew()

    async def _serve(self) -> None:
        await self._recover()
        while True:
            records = await self._take()
            self.progress_at = time.time()
            async with self._busy:
                if records:
                    await self._settle(records)
                else:
                    await self._mark()
                await self._look_at_the_clock()

    async def _look_at_the_clock(self) -> None:
        """Send what has become due. The state is settled now: no batch is under way."""
        elapsed_ms = (time.monotonic() - self._looked_at) * 1000
        if elapsed_ms < self._hosting.due_interval_ms or not isinstance(self._processor, TimedProcessor):
            return
        self._looked_at = time.monotonic()
        await self._publisher.publish(self._processor.due(self.store, int(time.time() * 1_000_000)))

    async def _recover(self) -> None:
        topic, started_at = self._processor.state_topic, time.monotonic()
        self.store.close()
        if topic is None:
            self.store, positions = PartitionStore(), await self._starts(None)
        else:
            positions = await self._restore(topic)
        self.inbox.clear()
        for source in self.sources:
            self._consumer.seek(source, positions[source.topic])
        self._consumer.resume(*self.sources)
        self.positions, self.marked, self.is_ready = positions, positions, True
        metrics.RECOVERY_SECONDS.labels(self._processor.name).observe(time.monotonic() - started_at)
        log.info("partition ready", keys=len(self.store), positions=self.positions, **self._keys())

    async def _restore(self, topic: str) -> dict[str, int]:
        """Take over the state; the positions to go on from."""
        found = await recovering.restore(
            self._hosting, self._processor.name, topic, self.partition, self._hosting.spill
        )
        self.store, self._log_end = found.store, found.end
        if self._epoch and found.epoch > self._epoch:
            raise OvertakenError(self._processor.name, self.partition, found.epoch)
        # A topic that is made anew starts with other epochs than the one before: no copy on disk fits both.
        self._epoch = max(found.epoch + 1, int(time.time()))
        positions = await self._starts(found.positions)
        entries = changelogs.batch(found.repairs, positions, self._stamp(positions))
        runs = await self._publisher.append(topic, self.partition, entries)
        self._note(runs)
        self._keep(runs, len(entries) - 1, positions)
        return positions

    async def _starts(self, marked: Mapping[str, int] | None) -> dict[str, int]:
        firsts = await self._consumer.beginning_offsets(list(self.sources))
        ends = await self._consumer.end_offsets(list(self.sources))
        starts = {}
        for source in self.sources:
            committed = await self._consumer.committed(source)
            if marked is None and committed and self._processor.state_topic is not None:
                raise StateLostError(self._processor.name, self._processor.state_topic, self.partition)
            known = max((marked or {}).get(source.topic, -1), -1 if committed is None else committed)
            start = firsts[source] if known < 0 else known
            if not firsts[source] <= start <= ends[source]:
                raise self._lost(source, start, firsts[source], ends[source])
            starts[source.topic] = start
        return starts

    def _lost(self, source: TopicPartition, wanted: int, first: int, end: int) -> InputLostError:
        return InputLostError(self._processor.name, source.topic, source.partition, wanted, first, end)

    async def _take(self) -> list[Record]:
        waiting_ms = self._hosting.poll_ms if self.marked == self.positions else self._hosting.mark_ms
        try:
            taken = await self.inbox.take(self._hosting.batch_records, waiting_ms / 1000)
        except OffsetOutOfRangeError as error:
            firsts = await self._consumer.beginning_offsets(list(self.sources))
            ends = await self._consumer.end_offsets(list(self.sources))
            source = next((source for source in self.sources if source in error.args[0]), self.sources[0])
            raise self._lost(source, self.positions[source.topic], firsts[source], ends[source]) from error
        return [_record(message) for message in taken]

    async def _settle(self, records: Sequence[Record]) -> None:
        name = self._processor.name
        with metrics.BATCH_SECONDS.labels(name).time():
            self.store.prefetch([record.key for record in records])
            outputs, rejected = await rejections.decide(
                self._processor, records, self.store, self._hosting.output_bytes, self._deadletters
            )
            await self._deliver(outputs, self.positions | {record.topic: record.offset + 1 for record in records})
            self.store.settle()
        self.progress_at = time.time()
        self._settled += 1
        metrics.RECORDS.labels(name).inc(len(records))
        metrics.OUTPUTS.labels(name).inc(len(outputs) - rejected)
        metrics.REJECTED.labels(name).inc(rejected)

    async def _deliver(self, outputs: Sequence[Output], positions: dict[str, int]) -> None:
        """Send a batch's outputs and its state, with the mark of the batch before."""
        changes = self.store.changes()
        if not changes and self.marked == self.positions:
            await self._publisher.publish(outputs)
            # No state that a restart could find too old: these positions need no mark.
            self.positions = self.marked = positions
            return
        place, before = (self._state_topic(), self.partition), self.positions
        mark = self._due_mark()
        entries = [*mark, *changelogs.stamped(changes, self._stamp(positions))]
        runs = await self._publisher.publish(outputs, {place: entries})
        self._note(runs)
        if mark:
            self._keep(runs, 0, before)
        # What is marked may be committed at any moment, and a restart goes on from there.
        self.marked, self.positions = before, positions

    async def _mark(self) -> None:
        """Make the last batch count."""
        if mark := self._due_mark():
            runs = await self._publisher.append(self._state_topic(), self.partition, mark)
            self._note(runs)
            self._keep(runs, 0, self.positions)
            self.marked = self.positions

    def _keep(self, runs: Sequence[tuple[int, int]], number: int, positions: dict[str, int]) -> None:
        """What was settled counts now: its mark is the message of this number among those that were appended."""
        for first, count in runs:
            if number < count and first != -1:
                frame = stamp_frame(self._stamp(positions))
                self.store.keep(Place(self._state_topic(), first + number + 1, frame, positions))
            if number < count:
                return
            number -= count

    def _due_mark(self) -> list[Entry]:
        if self.marked == self.positions:
            return []
        return [changelogs.mark(self.positions, self._stamp(self.positions))]

    def _stamp(self, positions: dict[str, int]) -> Stamp:
        return Stamp(self._epoch, sum(positions.values()))

    def _state_topic(self) -> str:
        if self._processor.state_topic is None:
            raise TypeError(f"{self._processor.name} changed state, but has no state topic")
        return self._processor.state_topic

    def _note(self, runs: Sequence[tuple[int, int]]) -> None:
        """Note where the changelog ends. Raises DeliveryError if that is not where we left it."""
        for first, count in runs:
            if self._log_end is not None and first not in (-1, self._log_end):
                # Someone else wrote: read it all again, and either repair what was overwritten or give way.
                topic = self._state_topic()
                raise DeliveryError(self._processor.name, topic, self.partition, "another worker wrote to the state")
            self._log_end = None if first == -1 else first + count

    def _keys(self) -> dict[str, Any]:
        return {"processor": self._processor.name, "partition": self.partition}


def _record(message: Any) -> Record:
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        message.timestamp,
        message.headers,
    )


async def _ended(task: "asyncio.Task[None]") -> None:
    """Cancel until it is over. A client that is being stopped takes a cancellation that meets it there for the one of
    its own tasks, and forgets it."""
    for _ in range(CANCELLATIONS):
        task.cancel()
        await asyncio.wait([task], timeout=CANCELLATION_SECONDS)
        if task.done():
            return
    log.error("a lane does not end, however often it is cancelled", lane=task.get_name())
