"""What `check`, `plan` and `apply` see of topics."""

from typing import Any

import pytest

from connectors.base import TableSpec
from connectors.errors import RefusedError
from tests.integration.kafka_source import topics
from tests.integration.kafka_source.reading import SPEC, legacy, read, row, until
from tests.integration.kafka_source.topics import MakeTopic, Producer
from tests.unit.kafka.messages import envelope, field, keyed

FIELDS = (field("id", "int64"), field("email", "string"))
DEBEZIUM = {"format": "debezium-json"}
EMPTY = TableSpec("customer", "customers", (), ())


def created(key: int, email: str) -> tuple[Any, Any]:
    return keyed({"id": key}), envelope("c", None, {"id": key, "email": email}, *FIELDS)


async def test_columns_and_key_come_from_the_newest_schema(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 2)
    wider = envelope("u", None, {"id": 1, "email": "x", "phone": "1"}, *FIELDS, field("phone", "string"))
    await Producer(kafka_bootstrap, topic).send(created(1, "x"), (keyed({"id": 1}), wider))
    found = (await legacy(kafka_bootstrap, pipeline_name, topic, **DEBEZIUM).discover([EMPTY]))["customer"]
    assert [(column.name, column.type) for column in found.columns] == [
        ("id", "bigint"), ("email", "text"), ("phone", "text"),
    ]  # fmt: skip
    assert (found.key, found.key_refusal, found.name) == (("id",), None, "customers")


async def test_an_empty_topic_needs_its_columns_declared(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    bare = (await legacy(kafka_bootstrap, pipeline_name, topic, **DEBEZIUM).discover([EMPTY]))["customer"]
    assert bare.key_refusal is not None and "is empty" in bare.key_refusal
    declared = (await legacy(kafka_bootstrap, pipeline_name, topic).discover([EMPTY]))["customer"]
    assert (declared.key, declared.key_refusal) == (("id",), None)
    assert [column.type for column in declared.columns] == ["bigint", "text"]


NO_ROWS = [
    ({"ts_ms": 5}, "heartbeat topic"),
    ({"status": "BEGIN", "id": "1"}, "transaction topic"),
    ({"ddl": "drop table", "databaseName": "x"}, "topic of schema changes"),
    ({"id": 1}, "no Debezium envelope"),
]


@pytest.mark.parametrize(("value", "why"), NO_ROWS)
async def test_a_topic_that_holds_no_rows_is_refused_with_the_reason(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic, value: Any, why: str
) -> None:
    topic = await make_topic("customers", 1)
    await Producer(kafka_bootstrap, topic).send(({"schema": None, "payload": {}}, {"schema": None, "payload": value}))
    found = (await legacy(kafka_bootstrap, pipeline_name, topic, **DEBEZIUM).discover([EMPTY]))["customer"]
    assert found.key_refusal is not None and why in found.key_refusal


async def test_a_topic_that_is_missing_is_absent_and_cannot_be_installed(
    kafka_bootstrap: str, pipeline_name: str
) -> None:
    system = legacy(kafka_bootstrap, pipeline_name, f"{pipeline_name}.nowhere")
    assert await system.discover([EMPTY]) == {}
    with pytest.raises(RefusedError, match="there is no such topic"):
        await system.install([SPEC])
    (problem,) = await system.check([SPEC])
    assert problem.fatal and "nowhere" in problem.what


async def test_the_rows_are_those_at_the_end(kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic) -> None:
    topic = await make_topic("customers", 2)
    await Producer(kafka_bootstrap, topic).send(row(1, "old"), row(2, "two"), row(1, "new"), ({"id": 2}, None))
    found = [one async for chunk in legacy(kafka_bootstrap, pipeline_name, topic).rows(SPEC) for one in chunk]
    assert found == ['{"id":1,"email":"new"}']


async def test_check_tells_what_may_be_missing(kafka_bootstrap: str, pipeline_name: str) -> None:
    topic = f"{pipeline_name}.aged"
    await topics.make(kafka_bootstrap, topic, 1, {"cleanup.policy": "delete", "retention.ms": "3600000"})
    await Producer(kafka_bootstrap, topic).send(row(1, "one"), ({"id": 2}, b"{"))
    found = await legacy(kafka_bootstrap, pipeline_name, topic).check([SPEC])
    await topics.drop(kafka_bootstrap, [topic])
    assert not any(problem.fatal for problem in found)
    told = " ".join(problem.what for problem in found)
    assert "1 of the last 2 messages" in told and "forgets messages by their age" in told


async def test_uninstall_forgets_the_place_and_touches_no_topic(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    system = legacy(kafka_bootstrap, pipeline_name, topic)
    await Producer(kafka_bootstrap, topic).send(row(1, "one"))
    assert await system.install([SPEC]) == []
    await read(system, until("l"))
    assert len(await system.uninstall()) == 1
    assert [one async for chunk in system.rows(SPEC) for one in chunk] == ['{"id":1,"email":"one"}']
    assert (await read(system, until("l"))).told[0] == ("r", "[1]", "one")
