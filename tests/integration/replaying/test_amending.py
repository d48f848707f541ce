"""Amendments on their way into a real record log, beside processors that are behind."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from duplex import broker
from duplex.composition import Composition
from duplex.demo import databases
from duplex.replaying import amending, logs
from duplex.replaying.errors import BehindError
from duplex.replaying.pacing import LAG_LIMIT, PATIENCE_S
from schemas.codec import Codec
from schemas.messages import Amend, Amendment
from schemas.placement import partition_of
from schemas.project.loading import load
from schemas.topics import Topics, TopicSpec
from streams.processors.settings import group_id
from tests.unit.replaying.clocks import Act, Hand

PARTITIONS = 2
RATE_PER_S = 10.0


@pytest.fixture
async def composed(kafka_bootstrap: str, pipeline_name: str, tmp_path: Path) -> Composition:
    """Enough of a composition to send to a record log, which is there and empty."""
    path = tmp_path / "duplex.yaml"
    path.write_text(databases.script("project.yaml").replace("PIPELINE", pipeline_name))
    environment = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "CRM_DSN": "x", "ERP_DSN": "x"}
    names, kafka = Topics(pipeline_name, PARTITIONS), {"bootstrap_servers": kafka_bootstrap}
    await broker.create_missing(kafka, [TopicSpec(names.records("contact"), PARTITIONS, {})], 1)
    return Composition(load(path, environment).project, names, {}, {}, {}, kafka)


def amendments(count: int) -> list[Amendment]:
    return [
        Amendment(
            record_id=f"record-{number}",
            entity="contact",
            kind="replay",
            fields=(Amend(field="phone", version=1, value='"1"'),),
            amended_by="ops",
            reason="a test",
            ts_us=number,
        )
        for number in range(count)
    ]


async def traffic(composed: Composition, count: int) -> None:
    """So many events in the record log that nobody has read."""
    topic = composed.topics.records("contact")
    async with broker.producer(composed.kafka) as client:
        for number in range(count):
            await client.send(topic, str(number).encode(), key=b"somebody", partition=1)
        await client.flush()


async def caught_up(composed: Composition) -> None:
    """The processors have read their log to its end."""
    topic = composed.topics.records("contact")
    group = group_id(composed.topics.pipeline, "merge.contact")
    ends = {each: bound.end for each, bound in (await logs.bounds(composed.kafka, topic)).items()}
    async with AIOKafkaConsumer(**composed.kafka, group_id=group, enable_auto_commit=False) as client:
        sources = {TopicPartition(topic, each): end for each, end in ends.items()}
        client.assign(list(sources))
        await client.commit(sources)


async def in_the_log(composed: Composition) -> dict[int, list[Amendment]]:
    """The amendments in each partition, in order."""
    topic, codec, found = composed.topics.records("contact"), Codec(), dict[int, list[Amendment]]()
    for partition, bound in (await logs.bounds(composed.kafka, topic)).items():
        reading = logs.records(composed.kafka, topic, partition, bound.first, bound.end)
        messages = [each async for batch in reading for each in batch if each.key != b"somebody"]
        found[partition] = [codec.decode_as(each.value or b"", Amendment) for each in messages]
    return found


def by_partition(sent: Sequence[Amendment]) -> dict[int, list[Amendment]]:
    places = {one.record_id: partition_of(one.record_id.encode(), PARTITIONS) for one in sent}
    return {each: [one for one in sent if places[one.record_id] == each] for each in range(PARTITIONS)}


async def test_they_go_in_turn_at_the_rate(composed: Composition) -> None:
    clock, wanted, counted = Hand(), amendments(20), list[int]()
    sent = await amending.send(composed, wanted, RATE_PER_S, _nothing, lambda done, of: counted.append(done), clock)
    assert clock.at_s == pytest.approx((len(wanted) - 1) / RATE_PER_S)
    assert await in_the_log(composed) == by_partition(wanted)
    assert [one.amendment for one in sent] == wanted
    assert counted == list(range(1, len(wanted) + 1))


async def test_they_wait_until_live_traffic_is_through(composed: Composition) -> None:
    await traffic(composed, LAG_LIMIT)
    present: list[dict[int, list[Amendment]]] = []

    async def catch_up() -> None:
        present.append(await in_the_log(composed))
        await caught_up(composed)

    clock, said, wanted = Hand(catch_up), list[str](), amendments(3)
    await amending.send(composed, wanted, RATE_PER_S, said.append, lambda done, of: None, clock)
    assert present == [{0: [], 1: []}]
    assert [words.split(":")[0] for words in said] == [f"the processors are {LAG_LIMIT} events behind"]
    assert await in_the_log(composed) == by_partition(wanted)


async def test_processors_that_do_not_run_get_none(composed: Composition) -> None:
    await traffic(composed, LAG_LIMIT)
    clock = Hand()
    clock.meanwhile = _later(clock)
    with pytest.raises(BehindError, match=r"0 of 3 sent(.|\n)*stayed 1000 events behind"):
        await amending.send(composed, amendments(3), RATE_PER_S, _nothing, lambda done, of: None, clock)
    assert await in_the_log(composed) == {0: [], 1: []}


def _later(clock: Hand) -> Act:
    """Two minutes go by in one sleep."""

    async def pass_by() -> None:
        clock.at_s += PATIENCE_S

    return pass_by


def _nothing(words: str) -> None: ...
