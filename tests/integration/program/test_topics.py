"""What the program asks of a real broker: topics made, compared, mended, read."""

import re
import time

import pytest

from duplex import broker, catalog
from schemas.topics import Topics, TopicSpec
from tests.waiting import eventually


@pytest.fixture
def options(kafka_bootstrap: str) -> broker.Options:
    return {"bootstrap_servers": [kafka_bootstrap], "security_protocol": "PLAINTEXT"}


@pytest.fixture
def specs(pipeline_name: str) -> list[TopicSpec]:
    return Topics(pipeline_name, partitions=2).all({"contact": ("crm", "erp")})


async def test_topics_are_made_once_with_the_right_settings(options: broker.Options, specs: list[TopicSpec]) -> None:
    assert await broker.create_missing(options, specs, replication=1) == [spec.name for spec in specs]
    assert await broker.create_missing(options, specs, replication=1) == []
    assert await broker.drifts(options, specs) == []


async def test_drift_is_told_and_mended_without_losing_other_settings(
    options: broker.Options, pipeline_name: str
) -> None:
    name = f"{pipeline_name}.records.contact"
    made = TopicSpec(name, 2, {"cleanup.policy": "delete", "retention.ms": "5000", "segment.bytes": "1048576"})
    await broker.create_missing(options, [made], replication=1)
    wanted = TopicSpec(name, 3, {"cleanup.policy": "delete", "retention.ms": "9000"})
    (drift,) = await broker.drifts(options, [wanted])
    assert drift == broker.Drift(name, {"retention.ms": ("5000", "9000")}, (2, 3))
    await broker.reset(options, [drift])

    async def mended() -> bool:
        (left,) = await broker.drifts(options, [wanted])
        return left.settings == {}

    # The broker acknowledges new settings a moment before it tells of them.
    await eventually(mended)
    assert await broker.drifts(options, [made]) == [broker.Drift(name, {"retention.ms": ("9000", "5000")}, None)]


async def test_topics_are_found_by_the_whole_of_their_names(options: broker.Options, specs: list[TopicSpec]) -> None:
    names = sorted(spec.name for spec in specs)
    await broker.create_missing(options, specs, replication=1)
    assert await broker.matching(options, re.compile("|".join(map(re.escape, names)))) == names
    assert await broker.matching(options, re.compile(re.escape(names[0][:-1]))) == []


async def test_a_topic_is_read_to_its_end(options: broker.Options, pipeline_name: str) -> None:
    spec = TopicSpec(f"{pipeline_name}.x", 3, {})
    await broker.create_missing(options, [spec], replication=1)
    async with broker.producer(options) as client:
        for number in range(20):
            await client.send_and_wait(spec.name, b"%d" % number, key=b"%d" % number)
    messages = [message async for batch in broker.read_all(options, spec.name) for message in batch]
    assert sorted(int(message.value or b"") for message in messages) == list(range(20))
    newest = await broker.newest_ms(options, spec.name)
    assert newest is not None
    assert abs(newest - time.time() * 1000) < 60_000


async def test_a_missing_topic_reads_as_empty(options: broker.Options, pipeline_name: str) -> None:
    assert [batch async for batch in broker.read_all(options, f"{pipeline_name}.nothing")] == []
    assert await broker.newest_ms(options, f"{pipeline_name}.nothing") is None


async def test_lag_of_a_group(options: broker.Options, pipeline_name: str) -> None:
    spec = TopicSpec(f"{pipeline_name}.x", 1, {})
    await broker.create_missing(options, [spec], replication=1)
    async with broker.producer(options) as client:
        for _ in range(3):
            await client.send_and_wait(spec.name, b"x", partition=0)
    assert await broker.lags(options, [("g", spec.name)]) == [broker.Lag("g", spec.name, 3, committed=False)]


async def test_the_catalog_is_written_only_where_it_changed(options: broker.Options, pipeline_name: str) -> None:
    topics = Topics(pipeline_name)
    await broker.create_missing(options, [topics.table(topics.catalog, 1)], replication=1)
    one = catalog.Entry(
        system="crm", entity="contact", table="public.c", key=("id",), columns={"id": "uuid"}, fingerprint="1"
    )
    assert await catalog.write(options, topics.catalog, [one]) == ["crm/contact"]
    assert await catalog.write(options, topics.catalog, [one]) == []
    assert await catalog.read(options, topics.catalog) == {"crm/contact": one}


async def test_a_broker_that_does_not_answer_is_named() -> None:
    options = {"bootstrap_servers": ["127.0.0.1:1"], "security_protocol": "PLAINTEXT"}
    with pytest.raises(broker.BrokerError, match=r"127\.0\.0\.1:1.*kafka\.bootstrap"):
        await broker.drifts(options, [])
