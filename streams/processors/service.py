"""Hosting one batch processor: its consumer group, and a lane for every partition it is given."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import faust
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    OffsetOutOfRangeError,
)

from schemas import heartbeats
from schemas.topics import Topics
from streams.processors import metrics
from streams.processors.lanes import BatchProcessor, Lane
from streams.processors.publishing import Publisher
from streams.processors.settings import Hosting, group_id
from streams.processors.topics import check_together, partition_counts

log = structlog.get_logger(__name__)
READ_MS = 100
READ_RECORDS = 10_000
# A partition that is resumed waits so long for the fetch under way, which left it out.
FETCH_WAIT_MS = 100


class BatchService(faust.Service):
    """Runs a processor until stopped. An error that no retry mends crashes the service, and with it the app.

    Membership of the group is static: a process that comes back under its name within the session time-out gets its
    partitions back at once. Partitions are assigned by range, so one number of every input topic has one owner.
    """

    def __init__(self, hosting: Hosting, processor: BatchProcessor, **options: Any) -> None:
        self.hosting = hosting
        self.processor = processor
        self.group = group_id(hosting.pipeline, processor.name)
        self._publisher: Publisher | None = None
        self._consumer: Any = None
        self._lanes: dict[int, Lane] = {}
        self._rebalance = asyncio.Lock()
        self._closed = False
        self._committed: dict[TopicPartition, int] = {}
        self._failure: asyncio.Future[None] | None = None
        super().__init__(**options)

    @property
    def lanes(self) -> dict[int, Lane]:
        """The partitions this process owns now."""
        return dict(self._lanes)

    async def on_start(self) -> None:
        """Check the topics, connect, join the group. Raises TopicMissingError, PartitionCountError, KafkaError."""
        await self._check_topics()
        self._failure = asyncio.get_running_loop().create_future()
        self._publisher = Publisher(self.hosting, self.processor.name)
        await self._publisher.start()
        self._consumer = self._new_consumer()
        await self._consumer.start()
        self._consumer.subscribe(self.processor.inputs, listener=_Listener(self))

    async def _check_topics(self) -> None:
        name, processor = self.processor.name, self.processor
        state = () if processor.state_topic is None else (processor.state_topic,)
        together = (*processor.inputs, *processor.outputs, *state)
        alone = (*processor.free_outputs, self.deadletters)
        patience_seconds = self.hosting.topics_timeout_ms / 1000
        counts = await partition_counts(self.hosting.kafka, (*together, *alone), patience_seconds)
        check_together(name, together, counts)
        for topic in alone:
            check_together(name, (topic,), counts)

    @property
    def deadletters(self) -> str:
        """The topic of records that could not be processed."""
        return Topics(self.hosting.pipeline).deadletters

    def _new_consumer(self) -> Any:
        return AIOKafkaConsumer(
            **self.hosting.kafka,
            group_id=self.group,
            group_instance_id=self.hosting.instance,
            partition_assignment_strategy=(RangePartitionAssignor,),
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=self.hosting.session_timeout_ms,
            heartbeat_interval_ms=self.hosting.heartbeat_interval_ms,
            rebalance_timeout_ms=self.hosting.session_timeout_ms + self.hosting.drain_timeout_ms,
            max_partition_fetch_bytes=2 * 1024 * 1024,
            # Records that lie unread for a moment must not keep the fetches of other partitions back for long.
            consumer_timeout_ms=20,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )

    @faust.Service.task
    async def _watch(self) -> None:
        interval_seconds = self.hosting.commit_interval_ms / 1000
        failure = self._failure
        while failure is not None and not self.should_stop:
            await asyncio.wait([failure], timeout=interval_seconds)
            if failure.done():
                failure.result()
            await self._commit()
            self._observe()

    @faust.Service.task
    async def _read(self) -> None:
        """Take what was fetched to the lanes that are ready for it, as soon as it comes."""
        while not self.should_stop and (consumer := self._consumer) is not None:
            ready = [source for lane in self._lanes.values() if lane.is_ready for source in lane.sources]
            if not ready:
                await self.sleep(READ_MS / 1000)
                continue
            try:
                found = await consumer.getmany(*ready, timeout_ms=READ_MS, max_records=READ_RECORDS)
            except ConsumerStoppedError:
                return
            except KafkaError as error:
                self._tell(error)
                await self.sleep(READ_MS / 1000)
                continue
            for source, messages in found.items():
                # The lane of this moment: one that is not ready, or was not there before, asks for them anew.
                lane = self._lanes.get(source.partition)
                if lane is not None and lane.is_ready:
                    lane.inbox.put(source, messages)

    def _tell(self, error: KafkaError) -> None:
        """Nothing can be read: of some partitions, or of all."""
        concerned = error.args[0] if isinstance(error, OffsetOutOfRangeError) else None
        for lane in self._lanes.values():
            if lane.is_ready and (concerned is None or any(source in concerned for source in lane.sources)):
                lane.inbox.fail(error)

    def _observe(self) -> None:
        name, lanes = self.processor.name, list(self._lanes.values())
        metrics.PARTITIONS.labels(name).set(len(lanes))
        metrics.STATE_KEYS.labels(name).set(sum(len(lane.store) for lane in lanes))
        metrics.LAG.labels(name).set(sum(self._lag(lane) for lane in lanes))
        slowest = min((lane.progress_at for lane in lanes), default=time.time())
        heartbeats.HEARTBEAT.labels(name).set(slowest)

    def _lag(self, lane: Lane) -> int:
        assigned = self._consumer.assignment()
        known = {source: self._consumer.highwater(source) for source in lane.sources if source in assigned}
        return sum(max(0, end - lane.positions.get(source.topic, end)) for source, end in known.items() if end)

    async def _commit(self) -> None:
        reached = {
            source: lane.marked[source.topic]
            for lane in self._lanes.values()
            for source in lane.sources
            if source.topic in lane.marked
        }
        due = {source: offset for source, offset in reached.items() if self._committed.get(source) != offset}
        if not due:
            return
        try:
            await self._consumer.commit(due)
        except (CommitFailedError, IllegalStateError):
            # The group is being rearranged: the mark in the state, not this commit, says where the next owner goes on.
            log.debug("positions not committed while the group rebalances", processor=self.processor.name)
        except KafkaError as error:
            log.warning("positions not committed, will be tried again", error=str(error), processor=self.processor.name)
        else:
            self._committed |= due

    async def on_revoked(self) -> None:
        """Finish, commit and drop every partition, before another process may own them."""
        async with self._rebalance:
            await self._drain()

    async def on_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start a lane for each partition of which every input topic was assigned here."""
        async with self._rebalance:
            if self._closed:
                return
            self._consumer.pause(*assigned)
            mine = set(assigned)
            for partition in sorted({source.partition for source in mine}):
                lane = self._new_lane(partition)
                if mine.issuperset(lane.sources):
                    self._lanes[partition] = lane
                    lane.start().add_done_callback(self._ended)
                else:
                    log.warning(
                        "partition waits: its input topics were given to different workers, because another worker "
                        "reads other topics; restart that one with this project file",
                        processor=self.processor.name,
                        partition=partition,
                    )

    def _new_lane(self, partition: int) -> Lane:
        assert self._publisher is not None
        return Lane(self.hosting, self.processor, self._consumer, self._publisher, partition, self.deadletters)

    def fail(self, error: BaseException) -> None:
        """End the service with this error."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def _drain(self) -> None:
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))
        await self._commit()
        self._lanes.clear()
        self._committed.clear()

    async def on_stop(self) -> None:
        """Finish the batches under way, commit, disconnect; harmless when repeated."""
        async with self._rebalance:
            self._closed = True
            await self._drain()
        consumer, self._consumer = self._consumer, None
        publisher, self._publisher = self._publisher, None
        if consumer is not None:
            await consumer.stop()
        if publisher is not None:
            await publisher.stop()
        if self._failure is not None and self._failure.done() and not self._failure.cancelled():
            self._failure.exception()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """aiokafka logs what a listener raises and goes on; here it must end the service."""

    def __init__(self, service: BatchService) -> None:
        self._service = service

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        try:
            await self._service.on_revoked()
        except Exception as error:  # noqa: BLE001
            self._service.fail(error)

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        try:
            await self._service.on_assigned(assigned)
        except Exception as error:  # noqa: BLE001
            self._service.fail(error)
