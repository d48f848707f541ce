"""What the program asks of Kafka outside the running pipeline: topics and their settings, messages, groups' lag."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from aiokafka.errors import for_code as error_of_code

from duplex.errors import DuplexError
from schemas.placement import partition_of
from schemas.topics import TopicSpec

Options = Mapping[str, Any]
SETTING = "kafka.bootstrap"
DYNAMIC_TOPIC_CONFIG = 1
TIMEOUT_MS = 20_000
VISIBLE_WITHIN_S = 10


class BrokerError(DuplexError):
    """A broker that does not answer, or refuses what was asked."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(
            "Kafka cannot be used",
            address,
            why,
            f"Look at {SETTING} in the project file; `duplex dev start` starts a broker on this machine.",
        )


class TopicRefusedError(DuplexError):
    """A topic that the broker would not create, alter or read."""

    def __init__(self, topic: str, what: str, why: str, remedy: str = "") -> None:
        super().__init__(what, f"topic {topic}", why, remedy or "Look at the broker's log and at its rights (ACLs).")


@dataclass(frozen=True, slots=True)
class Drift:
    """A topic that is not as the project wants it. `partitions` is what it has, if that differs."""

    topic: str
    settings: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    partitions: tuple[int, int] | None = None

    def sentences(self) -> list[str]:
        """One sentence for each difference."""
        lines = [f"topic {self.topic} has {key}={has}, not {wanted}" for key, (has, wanted) in self.settings.items()]
        if self.partitions is not None:
            has_count, wanted_count = self.partitions
            lines.append(
                f"topic {self.topic} has {has_count} partitions, not {wanted_count}: keys would no longer stay "
                f"together; set kafka.partitions to {has_count}, or use another pipeline name"
            )
        return lines


@asynccontextmanager
async def naming_the_broker(options: Options) -> AsyncIterator[None]:
    """Turn the client's errors into one that names the broker and the setting to look at."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BrokerError(address(options), reason(error)) from error


def address(options: Options) -> str:
    """The bootstrap address as a person would write it."""
    servers = options["bootstrap_servers"]
    return servers if isinstance(servers, str) else ",".join(servers)


def reason(error: BaseException) -> str:
    """Why the client failed, in words."""
    if isinstance(error, KafkaConnectionError):
        return "no connection (is it running, and is this its listener's address and protocol?)"
    return str(error) or type(error).__name__


@asynccontextmanager
async def admin(options: Options) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client, started. Raises BrokerError."""
    async with naming_the_broker(options):
        client = AIOKafkaAdminClient(**options, request_timeout_ms=TIMEOUT_MS)
        try:
            await client.start()
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def consumer(options: Options, **settings: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, started. Raises BrokerError."""
    async with naming_the_broker(options):
        client = AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="earliest", **settings)
        try:
            await client.start()
            yield client
        finally:
            await client.stop()


@asynccontextmanager
async def producer(options: Options) -> AsyncIterator[AIOKafkaProducer]:
    """A producer for a few messages that must not be lost. Raises BrokerError."""
    async with naming_the_broker(options):
        client = AIOKafkaProducer(**options, acks="all", enable_idempotence=True)
        try:
            await client.start()
            yield client
        finally:
            await client.stop()


async def partition_counts(client: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    """How many partitions each of these topics has; topics that do not exist are absent."""
    wanted = set(names)
    existing = [name for name in await client.list_topics() if name in wanted]
    described = await client.describe_topics(existing) if existing else []
    return {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}


async def settings(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, tuple[str, bool]]]:
    """The settings of these topics: by topic and key, the value and whether it was set on the topic itself."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for response in await client.describe_configs(resources):
        for _, _, _, name, entries in response.resources:
            found[name] = {entry[0]: (entry[1] or "", entry[3] == DYNAMIC_TOPIC_CONFIG) for entry in entries}
    return found


async def create_missing(options: Options, specs: Sequence[TopicSpec], replication: int) -> list[str]:
    """Create those of these topics that do not exist; their names. Raises BrokerError, TopicRefusedError."""
    async with admin(options) as client:
        existing = await partition_counts(client, (spec.name for spec in specs))
        missing = [spec for spec in specs if spec.name not in existing]
        if not missing:
            return []
        response = await client.create_topics(
            [NewTopic(spec.name, spec.partitions, replication, topic_configs=spec.config) for spec in missing]
        )
        _raise_refused(response.topic_errors, TopicAlreadyExistsError.errno)
        await _visible(client, [spec.name for spec in missing])
    return [spec.name for spec in missing]


async def _visible(client: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Wait until the brokers know of topics that the controller has made: that takes them a moment."""
    deadline_s = time.monotonic() + VISIBLE_WITHIN_S
    while missing := set(names) - (await partition_counts(client, names)).keys():
        if time.monotonic() > deadline_s:
            raise TopicRefusedError(
                min(missing), "the topic was made", f"no broker knows of it after {VISIBLE_WITHIN_S} s"
            )
        await asyncio.sleep(0.05)


async def matching(options: Options, pattern: re.Pattern[str]) -> list[str]:
    """The names of all topics that match this as a whole. Raises BrokerError."""
    async with admin(options) as client:
        return sorted(name for name in await client.list_topics() if pattern.fullmatch(name))


async def delete(options: Options, names: Sequence[str]) -> list[str]:
    """Delete those of these topics that exist; their names. Raises BrokerError, TopicRefusedError."""
    async with admin(options) as client:
        existing = sorted(await partition_counts(client, names))
        if existing:
            response = await client.delete_topics(existing)
            _raise_refused(response.topic_error_codes, UnknownTopicOrPartitionError.errno)
    return existing


def _raise_refused(outcomes: Iterable[Sequence[Any]], tolerated: int) -> None:
    for topic, code, *message in outcomes:
        if code not in (0, tolerated):
            why = (message and message[0]) or error_of_code(code).__name__
            raise TopicRefusedError(topic, "the broker refuses", why)


async def drifts(options: Options, specs: Sequence[TopicSpec]) -> list[Drift]:
    """Those of these topics that exist and are not as wanted. Raises BrokerError."""
    async with admin(options) as client:
        counts = await partition_counts(client, (spec.name for spec in specs))
        found = await settings(client, list(counts))
    compared = [_drift(spec, counts[spec.name], found[spec.name]) for spec in specs if spec.name in counts]
    return [drift for drift in compared if drift.settings or drift.partitions]


def _drift(spec: TopicSpec, partitions: int, found: Mapping[str, tuple[str, bool]]) -> Drift:
    differing = {
        key: (found[key][0], wanted) for key, wanted in spec.config.items() if key in found and found[key][0] != wanted
    }
    return Drift(spec.name, differing, (partitions, spec.partitions) if partitions != spec.partitions else None)


async def reset(options: Options, drifted: Sequence[Drift]) -> None:
    """Give these topics the wanted settings and keep what else was set on them. Raises BrokerError."""
    async with admin(options) as client:
        found = await settings(client, [drift.topic for drift in drifted])
        resources = []
        for drift in drifted:
            # The request replaces all settings of the topic: what an operator set beside ours must go along.
            own = {key: value for key, (value, dynamic) in found[drift.topic].items() if dynamic}
            wanted = {key: wanted for key, (_, wanted) in drift.settings.items()}
            resources.append(ConfigResource(ConfigResourceType.TOPIC, drift.topic, {**own, **wanted}))
        for response in await client.alter_configs(resources):
            _raise_refused(((name, code, message) for code, message, _, name in response.resources), 0)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a topic; `ts_ms` as the topic's time type says."""

    topic: str
    partition: int
    offset: int
    ts_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


async def read_all(options: Options, topic: str, last: int | None = None) -> AsyncIterator[list[Message]]:
    """Everything in a topic up to its end now, in batches; with `last`, about as many of the newest messages.

    A topic that does not exist is empty. Raises BrokerError.
    """
    if partitions := await partitions_of(options, topic):
        async for batch in _read(options, partitions, last):
            yield batch


async def _read(
    options: Options, partitions: Sequence[TopicPartition], last: int | None
) -> AsyncIterator[list[Message]]:
    async with consumer(options, max_poll_records=5000) as client:
        client.assign(partitions)
        ends = await client.end_offsets(partitions)
        await seek(client, partitions, ends, last)
        while pending := [partition for partition in partitions if await client.position(partition) < ends[partition]]:
            batches = await client.getmany(*pending, timeout_ms=1000)
            for partition, records in batches.items():
                yield [_message(record) for record in records if record.offset < ends[partition]]


async def partitions_of(options: Options, topic: str) -> list[TopicPartition]:
    """The partitions of a topic; none where it does not exist. Raises BrokerError."""
    async with admin(options) as client:
        count = (await partition_counts(client, [topic])).get(topic, 0)
    return [TopicPartition(topic, number) for number in range(count)]


async def seek(
    client: AIOKafkaConsumer,
    partitions: Sequence[TopicPartition],
    ends: Mapping[TopicPartition, int],
    last: int | None,
) -> None:
    """Go to the beginning, or so far before the end that about `last` messages remain in all."""
    begins = await client.beginning_offsets(partitions)
    each = None if last is None else -(-last // len(partitions))
    for partition in partitions:
        begin, end = begins[partition], ends[partition]
        client.seek(partition, begin if each is None else max(begin, end - each))


def _message(record: Any) -> Message:
    return Message(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers or ()),
    )


async def read_key(options: Options, topic: str, key: bytes) -> list[Message]:
    """Every message of one key, in order; reads the key's partition only. Raises BrokerError."""
    partitions = await partitions_of(options, topic)
    if not partitions:
        return []
    own = partitions[partition_of(key, len(partitions))]
    return [message async for batch in _read(options, [own], None) for message in batch if message.key == key]


async def follow(options: Options, topic: str, from_beginning: bool) -> AsyncIterator[list[Message]]:
    """The messages of a topic as they come, without an end. Raises BrokerError."""
    if not (partitions := await partitions_of(options, topic)):
        raise TopicRefusedError(topic, "nothing to read", "it does not exist", "Run `duplex apply`.")
    async with consumer(options) as client:
        client.assign(partitions)
        ends = await client.end_offsets(partitions)
        await seek(client, partitions, ends, None if from_beginning else 0)
        while True:
            for records in (await client.getmany(timeout_ms=500)).values():
                yield [_message(record) for record in records]


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer group is behind one topic; `committed` is False where it has never said where it is."""

    group: str
    topic: str
    messages: int
    committed: bool = True


async def lags(options: Options, wanted: Sequence[tuple[str, str]]) -> list[Lag]:
    """The lag of each of these (group, topic) pairs. A topic that does not exist has none. Raises BrokerError."""
    async with consumer(options) as reader, admin(options) as client:
        counts = await partition_counts(client, {topic for _, topic in wanted})
        return [await _lag(reader, client, group, topic, counts.get(topic, 0)) for group, topic in wanted]


async def _lag(reader: AIOKafkaConsumer, client: AIOKafkaAdminClient, group: str, topic: str, count: int) -> Lag:
    if count == 0:
        return Lag(group, topic, 0, committed=False)
    partitions = [TopicPartition(topic, number) for number in range(count)]
    begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
    done = await _committed(client, group, partitions)
    behind = sum(max(0, ends[each] - max(begins[each], done.get(each, 0))) for each in partitions)
    return Lag(group, topic, behind, committed=bool(done))


async def _committed(
    client: AIOKafkaAdminClient, group: str, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    try:
        offsets = await client.list_consumer_group_offsets(group, partitions=partitions)
    except GroupCoordinatorNotAvailableError:
        # A broker on which no group ever committed has no coordinator to ask.
        return {}
    return {partition: found.offset for partition, found in offsets.items() if found.offset >= 0}


async def count(options: Options, topic: str) -> int:
    """How many messages a topic that is never compacted holds. Raises BrokerError."""
    if not (partitions := await partitions_of(options, topic)):
        return 0
    async with consumer(options) as client:
        begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
    return sum(ends[each] - begins[each] for each in partitions)


async def newest_ms(options: Options, topic: str) -> int | None:
    """When the newest message of a topic was appended (milliseconds, UTC); None for an empty topic."""
    newest: int | None = None
    if not (partitions := await partitions_of(options, topic)):
        return None
    async with consumer(options) as client:
        client.assign(partitions)
        begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
        filled = [each for each in partitions if ends[each] > begins[each]]
        for each in filled:
            client.seek(each, ends[each] - 1)
            found = await client.getmany(each, timeout_ms=2000, max_records=1)
            times = [record.timestamp for records in found.values() for record in records]
            newest = max(times, default=newest) if newest is None else max([newest, *times])
    return newest
