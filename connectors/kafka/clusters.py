"""What a cluster says of topics: how many partitions they have, and which topic it is that has the name now."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaConnectionError, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from connectors.errors import UnreachableError

REQUEST_TIMEOUT_MS = 20_000
METADATA = 3
TOPIC_ID = (("id_high", Int64), ("id_low", Int64))


class _TopicsResponse(Response):  # type: ignore[misc]
    API_KEY = METADATA
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                *TOPIC_ID,
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _TopicsRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = METADATA
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _TopicsResponse
    SCHEMA = Schema(
        ("topics", CompactArray(*TOPIC_ID, ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicsRequest(Request[_TopicsRequestStruct]):  # type: ignore[misc]
    """Metadata, in the version that knows topic ids: the library's own has none."""

    API_KEY = METADATA

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class([(0, 0, name, {}) for name in self._topics], False, False, {})


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is now. `id` changes when it is made anew; it is empty where the brokers are too old to say."""

    id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as one system uses it: the arguments of its clients, and how errors name it."""

    system: str
    kafka: Mapping[str, Any]

    @property
    def address(self) -> str:
        servers = self.kafka["bootstrap_servers"]
        return servers if isinstance(servers, str) else ",".join(servers)

    def unreachable(self, error: object) -> UnreachableError:
        """The error for a cluster that does not answer."""
        reason = str(error) or repr(error)
        if isinstance(error, KafkaConnectionError):
            reason = "no connection (is it running, and is this its listener's address and protocol?)"
        return UnreachableError(self.system, self.address, f"systems.{self.system}.bootstrap", reason)

    @asynccontextmanager
    async def reached(self) -> AsyncIterator[None]:
        """Turns the client's errors into one that names the cluster. Raises UnreachableError."""
        try:
            yield
        except (KafkaError, OSError) as error:
            raise self.unreachable(error) from error

    @asynccontextmanager
    async def consumer(self, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer that commits nothing by itself, and never jumps. Raises UnreachableError when it is opened."""
        consumer = AIOKafkaConsumer(
            **self.kafka,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            async with self.reached():
                await consumer.start()
            yield consumer
        finally:
            await consumer.stop()

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An admin client. Raises UnreachableError."""
        client = AIOKafkaAdminClient(**self.kafka, request_timeout_ms=REQUEST_TIMEOUT_MS)
        async with self.reached():
            try:
                await client.start()
                yield client
            finally:
                await client.close()

    async def topics(self, names: Iterable[str]) -> dict[str, Topic]:
        """Those of these topics that exist, by name. Raises UnreachableError."""
        wanted = sorted(set(names))
        client = AIOKafkaClient(**self.kafka, request_timeout_ms=REQUEST_TIMEOUT_MS)
        async with self.reached():
            try:
                await client.bootstrap()
                return await _topics(client, wanted)
            except IncompatibleBrokerVersion:
                return await self._without_ids(wanted)
            finally:
                await client.close()

    async def _without_ids(self, wanted: Sequence[str]) -> dict[str, Topic]:
        async with self.admin() as admin:
            present = set(await admin.list_topics())
            described = await admin.describe_topics([name for name in wanted if name in present])
        return {one["topic"]: Topic("", len(one["partitions"])) for one in described if one["error_code"] == 0}

    async def settings(self, topic: str) -> dict[str, str]:
        """The settings of a topic; empty where we may not ask. Raises UnreachableError."""
        async with self.admin() as admin:
            found: dict[str, str] = {}
            for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]):
                for *_, entries in response.resources:
                    found |= {entry[0]: entry[1] or "" for entry in entries}
            return found


async def _topics(client: AIOKafkaClient, wanted: Sequence[str]) -> dict[str, Topic]:
    node = client.get_random_node()
    if node is None or not await client.ready(node):
        raise KafkaError("no broker answers")
    response = await client.send(node, _TopicsRequest(wanted))
    found = {}
    for _, name, high, low, _, partitions, *_ in response.topics:
        if partitions:
            found[name] = Topic(f"{high & (1 << 64) - 1:016x}{low & (1 << 64) - 1:016x}", len(partitions))
    return found
