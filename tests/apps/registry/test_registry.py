"""Avro that Confluent's own producer writes through a real registry, read by the kafka connector."""

from typing import Any

import msgspec
import pytest

from connectors.base import TableSpec
from connectors.kafka.connector import KafkaConnector, connector
from tests.apps.registry.running import Registry
from tests.integration.kafka_source.conftest import make_topic as make_topic
from tests.integration.kafka_source.reading import SPEC, read, until
from tests.integration.kafka_source.topics import MakeTopic

pytestmark = pytest.mark.timeout(600)
FIELDS = [
    {"name": "id", "type": "int"},
    {"name": "email", "type": "string"},
    {"name": "credit", "type": ["null", {"type": "string"}], "default": None},
    {"name": "seen", "type": {"type": "long", "logicalType": "timestamp-millis"}},
]
TIER = {"name": "tier", "type": ["null", "string"], "default": None}
UNKNOWN = 999_999
TIERED = TableSpec("customer", "customers", ("email", "tier"), (("email",), ("tier",)))


def schema(*more: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Customer", "namespace": "shop", "fields": [*FIELDS, *more]}


def message(key: int, email: str, *more: dict[str, Any], **values: Any) -> dict[str, Any]:
    row = {"id": key, "email": email, "credit": None, "seen": 1_700_000_000_500, **values}
    return {"key": key, "value": row, "schema": schema(*more)}


def legacy(registry: Registry, bootstrap: str, pipeline: str, topic: str) -> KafkaConnector:
    settings = {
        "bootstrap": bootstrap,
        "registry": {"url": registry.url, "insecure": True, "networks": ["127.0.0.0/8"]},
        "topics": {"customers": {"topic": topic, "format": "avro"}},
    }
    return connector("legacy", pipeline, settings)


async def test_a_field_that_is_added_is_read_from_then_on(
    registry: Registry, kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 2)
    registry.produce(kafka_bootstrap, topic, [message(1, "ada@x.y", credit="1.50"), message(2, "bob@x.y")])
    system = legacy(registry, kafka_bootstrap, pipeline_name, topic)
    before = (await system.discover([SPEC]))["customer"]
    assert {column.name: column.type for column in before.columns} == {
        "id": "integer", "email": "text", "credit": "text", "seen": "timestamptz"
    }  # fmt: skip
    assert before.key == ("id",)

    async def grows() -> None:
        registry.produce(kafka_bootstrap, topic, [message(1, "ada@x.y", TIER, tier="gold")])

    found = await read(system, until("l", "u"), after={"l": grows})
    images = [msgspec.json.decode(change.after or "null") for change in found.changes if change.op in "ru"]
    assert sorted((one["id"], one["credit"], one["seen"]) for one in images[:2]) == [
        (1, "1.50", "2023-11-14T22:13:20.500000Z"), (2, None, "2023-11-14T22:13:20.500000Z")
    ]  # fmt: skip
    assert (images[2]["id"], images[2]["tier"]) == (1, "gold")
    after = (await system.discover([TIERED]))["customer"]
    assert "tier" in {column.name for column in after.columns} and after.fingerprint != before.fingerprint
    await system.close()


async def test_a_schema_that_the_registry_does_not_know_delays_nothing(
    registry: Registry, kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    strange = b"\x00" + UNKNOWN.to_bytes(4, "big") + b"\x02"
    messages = [message(1, "ada@x.y"), {"key": 2, "raw": strange.hex()}, {"key": 3, "raw": "00"}, message(4, "dan@x.y")]
    registry.produce(kafka_bootstrap, topic, [*messages, {"key": 1, "value": None}])
    system = legacy(registry, kafka_bootstrap, pipeline_name, topic)
    found = await read(system, until("l"))
    assert found.told[:-1] == [("r", "[4]", "dan@x.y")]
    assert [one.offset for one in found.rejected] == [1, 2]
    assert f"the registry knows no schema {UNKNOWN}" in found.rejected[0].reason
    assert found.rejected[0].value == strange
    assert "not Avro with the number of a registry's schema" in found.rejected[1].reason
    await system.close()


async def test_a_mapped_field_that_is_taken_away_stops_at_the_border(
    registry: Registry, kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    registry.produce(kafka_bootstrap, topic, [message(1, "ada@x.y", TIER, tier="gold"), message(2, "bob@x.y")])
    system = legacy(registry, kafka_bootstrap, pipeline_name, topic)
    found = await read(system, until("l"), specs=(TIERED,))
    assert [(change.op, change.local_id) for change in found.changes] == [("r", "[1]"), ("l", "")]
    (rejected,) = found.rejected
    assert "column tier, which is mapped, is not in it" in rejected.reason
    await system.close()
