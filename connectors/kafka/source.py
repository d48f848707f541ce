"""Reads topics that others write, as the log of a system.

Order of things: the marks that were committed (`marks`), or new ones; then the initial load, entity by entity and
partition by partition: what lies before the end that the partition had when it was first seen, of each row the last
message, as op r, and the marker l; then everything after, as it comes.

A row's messages are in one partition, for producers place them by their key: so `(incarnation, offset)` grows with
every change of a row. That ends when the number of partitions changes: then the source stops and says so. A topic that
is made anew begins again at offset 0: it begins a new incarnation, and its rows are loaded again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from prometheus_client import Counter

from connectors.base import Batch, Rejected, TableSpec
from connectors.errors import RefusedError, UnreachableError
from connectors.kafka import marks
from connectors.kafka.clusters import Cluster, Topic
from connectors.kafka.errors import UnreadableError
from connectors.kafka.marks import Committer, Mark, Place
from connectors.kafka.readers import Readers
from connectors.kafka.rows import Message, Rows
from connectors.kafka.scans import last_offsets, scan
from schemas.messages import Change

log = structlog.get_logger(__name__)

PASSED = Counter("duplex_kafka_source_passed", "Messages that tell of no change of ours.", ["system"])

BATCH_MESSAGES = 2000
POLL_MS = 200
LOOK_EVERY_S = 10.0
RECORD_EVERY_S = 3600.0
SHORT_END_LIMIT_S = 20.0
SHORT_END_PAUSE_S = 0.2

Clock = Callable[[], float]
Places = dict[TopicPartition, Place]


@dataclass(slots=True)
class Reading:
    """One entity's rows in one topic."""

    spec: TableSpec
    topic: str
    rows: Rows


@dataclass(slots=True)
class State:
    """What one call of `read` goes by: the topics as they were found, who reads them, and how far it has come.
    `starts` are the first offsets that there still are."""

    topics: Mapping[str, Topic]
    readings: Sequence[Reading]
    starts: dict[TopicPartition, int] = field(default_factory=dict)
    places: Places = field(default_factory=dict)

    def of(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self.topics[topic].partitions)]


class KafkaSource:
    """See `connectors.base.Source` and the module's text. `clock` gives seconds since the epoch; the topics are looked
    at every `look_every_s`."""

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        readers: Readers,
        specs: Sequence[TableSpec],
        clock: Clock = time.time,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._cluster = cluster
        self._group = group
        self._readers = readers
        self._specs = specs
        self._clock = clock
        self._look_every_s = look_every_s
        self._committer = Committer(cluster, group)

    async def read(self, after: Places | None) -> AsyncIterator[Batch]:
        """Batches after this position, or after what was committed. Raises UnreachableError, RefusedError."""
        try:
            async with self._cluster.consumer() as consumer:
                while True:
                    state = await self._begin(consumer, after)
                    async for batch in self._load(consumer, state):
                        yield batch
                    try:
                        async for batch in self._follow(consumer, state):
                            yield batch
                    except OffsetOutOfRangeError as error:
                        await self._require_kept(consumer, state, error)
                    # A topic was made anew: what was read of it counts no more.
                    after = state.places
        except (KafkaError, OSError) as error:
            raise self._cluster.unreachable(error) from error

    async def ack(self, position: Places) -> None:
        """Commit this position. Raises UnreachableError."""
        await self._committer.commit(position)

    async def close(self) -> None:
        """Let go of the registry and of the group."""
        await self._committer.close()
        await self._readers.close()

    # --- where to begin

    async def _begin(self, consumer: AIOKafkaConsumer, after: Places | None) -> State:
        topics = await self._found()
        tables = [(spec, self._readers.require(spec)) for spec in self._specs]
        readings = [Reading(spec, table.topic, self._readers.rows(spec, topics[table.topic])) for spec, table in tables]
        state = State(topics, readings)
        every = [place for topic in topics for place in state.of(topic)]
        known = after or await marks.recorded(self._cluster, self._group, every)
        for topic in topics:
            state.places |= await self._placed(consumer, state, topic, known)
        return state

    async def _found(self) -> dict[str, Topic]:
        """The topics as they are. Raises UnreachableError while one is missing: it may be about to be made."""
        wanted = self._readers.topics(self._specs)
        found = await self._cluster.topics(wanted)
        for topic in wanted:
            if topic not in found:
                setting = f"systems.{self._cluster.system}.topics"
                raise UnreachableError(self._cluster.system, topic, setting, "there is no such topic")
        return {topic: found[topic] for topic in wanted}

    async def _placed(self, consumer: AIOKafkaConsumer, state: State, topic: str, known: marks.Places) -> Places:
        """Where to go on in a topic: where we were, or, in one that we do not know, at its beginning."""
        now, places = state.topics[topic], state.of(topic)
        marked = {place: known[place] for place in places if place in known}
        starts, ends = await consumer.beginning_offsets(places), await self._ends(consumer, now, places, marked)
        state.starts |= starts
        same = {place: one for place, one in marked.items() if self._is_same(one, now, ends[place])}
        for one in same.values():
            self._require_partitions(topic, one.mark, now)
        if len(same) == len(places):
            return same
        last = max((one.mark.incarnation for one in marked.values()), default=0)
        incarnation = max(last + 1, int(self._clock() * 1000))
        if marked:
            log.warning("the topic was made anew; its rows are loaded again", system=self._cluster.system, topic=topic)
        fresh = Mark(now.id, incarnation, now.partitions, 0)
        return {place: Place(starts[place], msgspec.structs.replace(fresh, load_end=ends[place])) for place in places}

    async def _ends(
        self, consumer: AIOKafkaConsumer, now: Topic, places: list[TopicPartition], marked: Places
    ) -> dict[TopicPartition, int]:
        """The ends of these partitions. A broker that has just started may tell of one that lies before what it gave
        out already: then it is asked again for a while, or everything would be loaded anew."""
        deadline = time.monotonic() + SHORT_END_LIMIT_S
        while True:
            ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
            short = [at for at, one in marked.items() if one.mark.topic == now.id and one.offset > ends[at]]
            if not short or time.monotonic() > deadline:
                return ends
            await asyncio.sleep(SHORT_END_PAUSE_S)

    def _is_same(self, known: Place, now: Topic, end: int) -> bool:
        """Whether the topic is the one that the mark was made in."""
        return known.mark.topic == now.id and known.offset <= end

    def _require_partitions(self, topic: str, mark: Mark, now: Topic) -> None:
        if mark.partitions == now.partitions:
            return
        raise RefusedError(
            self._cluster.system,
            f"topic {topic}",
            f"it had {mark.partitions} partitions and has {now.partitions}: the messages of one row are in two "
            "partitions now, and their order is lost",
            "Have the topic made anew and filled afresh (with Debezium: under a new topic.prefix, by a new snapshot)"
            f"; or, once all of its old rows were written anew, delete the offsets of group {self._group} to load it",
        )

    # --- the initial load

    async def _load(self, consumer: AIOKafkaConsumer, state: State) -> AsyncIterator[Batch]:
        for reading in state.readings:
            places, entity = state.of(reading.topic), reading.spec.entity
            if all(entity in state.places[place].mark.loaded for place in places):
                continue
            # An entity that comes to a topic which is read already is loaded up to where the others are.
            late = any(state.places[place].mark.loaded for place in places)
            for place in places:
                async for batch in self._load_partition(consumer, state, reading, place, late):
                    yield batch
            for place in places:
                state.places[place] = _loaded(state.places[place], entity)
            yield Batch([self._end(reading, state)], dict(state.places))

    async def _load_partition(
        self, consumer: AIOKafkaConsumer, state: State, reading: Reading, place: TopicPartition, late: bool
    ) -> AsyncIterator[Batch]:
        """Of each row the last message before the load's end. Read twice: first to know which that is."""
        at = state.places[place]
        start, end = (state.starts[place], at.offset) if late else (at.offset, at.mark.load_end)
        last = await last_offsets(consumer, reading.rows, place, start, end)
        async for messages in scan(consumer, place, start, end, BATCH_MESSAGES):
            await reading.rows.prepare(messages)
            changes, rejected = self._changes(reading, messages, at.mark, load=True)
            chosen = [change for change in changes if last.get(change.local_id) == change.seq]
            if not late:
                state.places[place] = replace(at, offset=messages[-1].offset + 1)
            yield Batch(chosen, dict(state.places), rejected)

    def _end(self, reading: Reading, state: State) -> Change:
        """The marker behind the last row of an entity."""
        mark = state.places[TopicPartition(reading.topic, 0)].mark
        return Change(
            system=self._cluster.system,
            entity=reading.spec.entity,
            table=reading.spec.table,
            incarnation=mark.incarnation,
            seq=0,
            op="l",
            local_id="",
            ts_us=int(self._clock() * 1_000_000),
        )

    # --- what follows

    async def _follow(self, consumer: AIOKafkaConsumer, state: State) -> AsyncIterator[Batch]:
        """Everything as it comes, until a topic is found to have been made anew."""
        consumer.assign(list(state.places))
        for place, at in state.places.items():
            consumer.seek(place, at.offset)
        looked_at = recorded_at = self._clock()
        while True:
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_MESSAGES)
            if found:
                yield await self._batch(state, found)
            now = self._clock()
            if now - looked_at >= self._look_every_s:
                looked_at = now
                if await self._is_anew(state):
                    return
            if now - recorded_at >= RECORD_EVERY_S:
                # Kafka forgets offsets that nobody commits for a week.
                recorded_at = now
                yield Batch([], dict(state.places))

    async def _is_anew(self, state: State) -> bool:
        """Whether a topic is another than it was. Raises RefusedError where its partitions are."""
        now = await self._found()
        for topic, before in state.topics.items():
            if now[topic].id != before.id:
                return True
            self._require_partitions(topic, state.places[TopicPartition(topic, 0)].mark, now[topic])
        return False

    async def _batch(self, state: State, found: Mapping[TopicPartition, Sequence[Message]]) -> Batch:
        changes: list[Change] = []
        rejected: list[Rejected] = []
        for place, messages in found.items():
            at = state.places[place]
            for reading in state.readings:
                if reading.topic == place.topic:
                    await reading.rows.prepare(messages)
                    read, refused = self._changes(reading, messages, at.mark)
                    changes += read
                    rejected += refused
            state.places[place] = replace(at, offset=messages[-1].offset + 1)
        return Batch(changes, dict(state.places), rejected)

    def _changes(
        self, reading: Reading, messages: Sequence[Message], mark: Mark, load: bool = False
    ) -> tuple[list[Change], list[Rejected]]:
        """The changes in these messages, and those that cannot be understood."""
        changes, rejected, passed = [], [], 0
        for message in messages:
            try:
                change = reading.rows.read(message, mark.incarnation, load)
            except UnreadableError as error:
                rejected.append(_rejected(message, error))
                continue
            if change is None:
                passed += 1
            else:
                changes.append(change)
        PASSED.labels(self._cluster.system).inc(passed)
        return changes, rejected

    async def _require_kept(self, consumer: AIOKafkaConsumer, state: State, error: OffsetOutOfRangeError) -> None:
        """Raises RefusedError where messages were removed before they were read. Where a topic ends before the place
        that was wanted, it was made anew, and nothing is lost."""
        now = await self._found()
        wanted: Mapping[TopicPartition, int] = error.args[0]
        starts = await consumer.beginning_offsets(list(wanted))
        for place, offset in wanted.items():
            if now[place.topic].id == state.topics[place.topic].id and offset < starts[place]:
                raise RefusedError(
                    self._cluster.system,
                    f"{starts[place] - offset} messages of {place.topic} partition {place.partition} from {offset}",
                    "they were removed by the topic's retention before they were read",
                    f"Delete the offsets of group {self._group}: then what is left is loaded anew, and compared. Rows "
                    "that were deleted meanwhile stay in the other systems.",
                ) from error


def _loaded(place: Place, entity: str) -> Place:
    mark = place.mark
    entities = tuple(dict.fromkeys((*mark.loaded, entity)))
    return Place(max(place.offset, mark.load_end), msgspec.structs.replace(mark, loaded=entities))


def _rejected(message: Message, error: UnreadableError) -> Rejected:
    return Rejected(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=list(message.headers),
        error_class=type(error).__name__,
        reason=error.reason,
    )
