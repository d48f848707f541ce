"""A topic of plain rows as a system's log: load, order, resumption, lives of the topic."""

from dataclasses import replace

import pytest

from connectors.errors import RefusedError, UnreachableError
from connectors.kafka import clusters
from tests.integration.kafka_source import topics
from tests.integration.kafka_source.reading import SPEC, both, legacy, read, row, until
from tests.integration.kafka_source.topics import MakeTopic, Producer

GONE = ({"id": 2}, None)


async def test_what_was_there_is_loaded_and_of_each_row_the_last_message(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 2)
    await Producer(kafka_bootstrap, topic).send(row(1, "old"), row(2, "two"), row(1, "new"), GONE, row(3, "three"))
    found = await read(legacy(kafka_bootstrap, pipeline_name, topic), until("l"))
    assert sorted(found.told[:-1]) == [("r", "[1]", "new"), ("r", "[3]", "three")]
    assert found.changes[-1].op == "l"


async def test_what_comes_later_is_read_in_order(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 2)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await producer.send(row(2, "two"))
    await read(system, until("r", "l"))
    await producer.send(row(2, "zwei"), row(2, "deux"), GONE)
    found = await read(system, until("u", "u", "d"))
    assert found.told == [("u", "[2]", "zwei"), ("u", "[2]", "deux"), ("d", "[2]", None)]
    places = [(change.incarnation, change.seq) for change in found.changes]
    assert places == sorted(places) and len(set(places)) == 3
    assert min(places)[0] >= 1


async def test_what_was_not_acknowledged_comes_again(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await read(system, until("l"))
    await producer.send(row(1, "one"))
    first = await read(system, until("u"), acknowledge=False)
    again = await read(system, until("u"))
    assert first.changes == again.changes


async def test_a_load_that_was_cut_short_goes_on(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.kafka.source.BATCH_MESSAGES", 2)
    topic = await make_topic("customers", 1)
    system = legacy(kafka_bootstrap, pipeline_name, topic)
    await Producer(kafka_bootstrap, topic).send(*[row(key, f"{key}") for key in (1, 2, 3, 1, 5)])
    first = await read(system, until("r"))
    assert first.told == [("r", "[2]", "2")]
    await Producer(kafka_bootstrap, topic).send(row(3, "changed"))
    rest = await read(system, until("l", "u"))
    assert [one for one in rest.told if one[0] != "l"] == [
        ("r", "[3]", "3"), ("r", "[1]", "1"), ("r", "[5]", "5"), ("u", "[3]", "changed"),
    ]  # fmt: skip


async def test_a_message_that_cannot_be_understood_is_set_aside_and_delays_nothing(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await read(system, until("l"))
    await producer.send(({"id": 7}, b"{no json"), row(8, "eight"), headers=[("trace", b"x")])
    found = await read(system, until("u"))
    (bad,) = found.rejected
    assert (bad.topic, bad.partition, bad.offset, bad.value) == (topic, 0, 0, b"{no json")
    assert bad.headers == [("trace", b"x")] and "no JSON" in bad.reason
    assert found.told == [("u", "[8]", "eight")]


async def test_messages_of_ours_are_left_alone(kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic) -> None:
    topic = await make_topic("customers", 1)
    producer = Producer(kafka_bootstrap, topic)
    marked = {"header": "x-origin", "ignore": ["duplex"]}
    settings = {"format": "json", "key": ["id"], "columns": {"id": "bigint", "email": "text"}, "origin": marked}
    system = legacy(kafka_bootstrap, pipeline_name, topic, **settings)
    await read(system, until("l"))
    await producer.send(row(1, "ours"), headers=[("x-origin", b"duplex")])
    await producer.send(row(1, "theirs"), headers=[("x-origin", b"shop")])
    assert (await read(system, until("u"))).told == [("u", "[1]", "theirs")]


async def test_only_what_was_committed_is_read(kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic) -> None:
    topic = await make_topic("customers", 1)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await producer.transact(row(1, "aborted"), abort=True)
    await producer.transact(row(2, "committed"))
    # The topic ends with a marker that is no message: the load must come to its end all the same.
    assert (await read(system, until("l"))).told == [("r", "[2]", "committed"), ("l", "", None)]


async def test_a_topic_made_anew_is_loaded_again_in_a_later_incarnation(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await producer.send(row(1, "one"), row(2, "two"))
    before = await read(system, until("l"))
    await topics.drop(kafka_bootstrap, [topic])
    await topics.make(kafka_bootstrap, topic, 1)
    await producer.send(row(1, "other"))
    after = await read(system, until("l"))
    assert after.told == [("r", "[1]", "other"), ("l", "", None)]
    assert after.changes[0].incarnation > before.changes[0].incarnation


async def test_a_topic_is_seen_to_be_made_anew_while_it_is_read(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await producer.send(row(1, "one"), row(2, "two"))
    first = await system.cluster.topics([topic])
    await read(system, until("l"))
    await topics.drop(kafka_bootstrap, [topic])
    await topics.make(kafka_bootstrap, topic, 1)
    await producer.send(row(5, "five"), row(6, "six"), row(7, "seven"))
    assert (await system.cluster.topics([topic]))[topic].id != first[topic].id
    assert len((await read(system, until("r", "r", "r", "l"), look_every_s=0.0)).changes) == 4


async def test_more_partitions_stop_the_source_and_it_says_why(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    system = legacy(kafka_bootstrap, pipeline_name, topic)
    await read(system, until("l"))
    await topics.grow(kafka_bootstrap, topic, 2)
    with pytest.raises(RefusedError, match=r"had 1 partitions and has 2"):
        await read(system, until("u"))
    assert any("1 partitions" in problem.what for problem in await system.check([SPEC]))


async def test_a_topic_that_is_not_there_is_waited_for(kafka_bootstrap: str, pipeline_name: str) -> None:
    with pytest.raises(UnreachableError, match="there is no such topic"):
        await read(legacy(kafka_bootstrap, pipeline_name, f"{pipeline_name}.nowhere"), until("l"))


async def test_messages_that_were_removed_unread_are_not_passed_over(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await read(system, until("l"))
    await producer.send(row(1, "one"), row(2, "two"))
    await topics.remove_before(kafka_bootstrap, topic, 1)
    with pytest.raises(RefusedError, match="removed by the topic's retention"):
        await read(system, until("u"))


async def test_what_is_removed_while_it_is_loaded_is_passed_over(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.kafka.source.BATCH_MESSAGES", 1)
    topic = await make_topic("customers", 1)
    system = legacy(kafka_bootstrap, pipeline_name, topic)
    await Producer(kafka_bootstrap, topic).send(row(1, "one"), row(2, "two"), row(3, "three"))
    assert (await read(system, until("r"))).told == [("r", "[1]", "one")]
    await topics.remove_before(kafka_bootstrap, topic, 2)
    assert (await read(system, until("l"))).told == [("r", "[3]", "three"), ("l", "", None)]


async def test_a_topic_made_anew_that_is_shorter_is_loaded_again_though_nobody_looked(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await producer.send(row(1, "one"), row(2, "two"), row(3, "three"))

    async def make_anew() -> None:
        await topics.drop(kafka_bootstrap, [topic])
        await topics.make(kafka_bootstrap, topic, 1)
        await producer.send(row(9, "nine"))

    found = await read(system, until("l", "r", "l"), after={"l": make_anew}, look_every_s=1000.0)
    assert found.told[-2:] == [("r", "[9]", "nine"), ("l", "", None)]


async def test_restart_loads_everything_again(kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic) -> None:
    topic = await make_topic("customers", 1)
    system = legacy(kafka_bootstrap, pipeline_name, topic)
    await Producer(kafka_bootstrap, topic).send(row(1, "one"))
    first = await read(system, until("l"))
    await system.restart(["customer"])
    again = await read(system, until("l"))
    assert again.told == first.told
    assert again.changes[0].incarnation > first.changes[0].incarnation


async def test_a_broker_that_is_away_is_unreachable() -> None:
    system = legacy("127.0.0.1:1", "nobody", "customers")
    with pytest.raises(UnreachableError, match=r"no connection .*systems\.legacy\.bootstrap"):
        await system.discover([SPEC])


async def test_an_old_broker_tells_no_ids(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_old(*_: object) -> None:
        raise clusters.IncompatibleBrokerVersion

    monkeypatch.setattr(clusters, "_topics", too_old)
    topic = await make_topic("customers", 3)
    found = await legacy(kafka_bootstrap, pipeline_name, topic).cluster.topics([topic, "nowhere"])
    assert found == {topic: clusters.Topic("", 3)}


async def test_two_entities_may_be_read_from_one_topic(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 2)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await producer.send(row(1, "one"), row(2, "two"), row(1, "uno"))
    specs = (SPEC, replace(SPEC, entity="subscriber"))
    loaded = await read(system, until("l", "l"), specs=specs)
    for entity in ("customer", "subscriber"):
        told = [(one.op, one.local_id) for one in loaded.changes if one.entity == entity]
        assert sorted(told[:-1]) == [("r", "[1]"), ("r", "[2]")] and told[-1][0] == "l"
    await producer.send(row(3, "three"))
    found = await read(system, until("u", "u"), specs=specs)
    assert [(one.op, one.local_id, one.entity) for one in found.changes] == [
        ("u", "[3]", "customer"), ("u", "[3]", "subscriber"),
    ]  # fmt: skip


async def test_an_entity_that_comes_to_a_topic_that_is_read_already_is_loaded_alone(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("customers", 1)
    producer, system = Producer(kafka_bootstrap, topic), legacy(kafka_bootstrap, pipeline_name, topic)
    await producer.send(row(1, "one"))
    await read(system, until("l"))
    await producer.send(row(2, "two"))
    await read(system, until("u"))
    await producer.send(row(1, "uno"))
    specs = (SPEC, replace(SPEC, entity="subscriber"))
    found = await read(system, until("r", "r", "l", "u", "u"), specs=specs)
    assert [(one.op, one.local_id, one.entity) for one in found.changes] == [
        ("r", "[1]", "subscriber"), ("r", "[2]", "subscriber"), ("l", "", "subscriber"),
        ("u", "[1]", "customer"), ("u", "[1]", "subscriber"),
    ]  # fmt: skip
    await system.restart(["subscriber"])
    again = await read(system, until("l"), specs=specs)
    assert {one.entity for one in again.changes} == {"subscriber"}


async def test_an_entity_that_comes_later_is_loaded_with_its_topic(
    kafka_bootstrap: str, pipeline_name: str, make_topic: MakeTopic
) -> None:
    topic, other = await make_topic("customers", 1), await make_topic("invoices", 1)
    await Producer(kafka_bootstrap, topic).send(row(1, "one"))
    await Producer(kafka_bootstrap, other).send(row(2, "two"))
    system = both(kafka_bootstrap, pipeline_name, customers=topic, invoices=other)
    await read(system, until("l"))
    invoices = replace(SPEC, entity="invoice", table="invoices")
    found = await read(system, until("l"), specs=(SPEC, invoices))
    assert [(one.op, one.entity) for one in found.changes] == [("r", "invoice"), ("l", "invoice")]
