"""Notes on a real broker: kept, forgotten, found again."""

from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from connectors.errors import RefusedError
from connectors.kafka_notes import KafkaNotes
from tests.waiting import eventually


@pytest.fixture
async def topic(kafka_bootstrap: str, pipeline_name: str) -> str:
    name = f"{pipeline_name}.notes.blog"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1, topic_configs={"cleanup.policy": "compact"})])
    await admin.close()
    return name


@pytest.fixture
async def notes(kafka_bootstrap: str, topic: str) -> AsyncIterator[KafkaNotes]:
    made = KafkaNotes({"bootstrap_servers": kafka_bootstrap}, "blog", topic)
    await made.open()
    yield made
    await made.close()


async def opened(kafka_bootstrap: str, topic: str) -> KafkaNotes:
    again = KafkaNotes({"bootstrap_servers": kafka_bootstrap}, "blog", topic)
    await again.open()
    await again.close()
    return again


async def test_nothing_is_noted_at_first(notes: KafkaNotes) -> None:
    assert notes.get("position") is None and notes.names("") == []


async def test_what_was_put_is_there_after_a_restart(notes: KafkaNotes, kafka_bootstrap: str, topic: str) -> None:
    await notes.put({"a/1": b"one", "a/2": b"two", "b": b""})
    await notes.put({"a/1": b"ONE", "a/2": None})
    again = await opened(kafka_bootstrap, topic)
    assert (again.get("a/1"), again.get("a/2"), again.get("b")) == (b"ONE", None, b"")
    assert again.names("a/") == notes.names("a/") == ["a/1"]


async def test_what_did_not_change_is_not_sent(notes: KafkaNotes) -> None:
    await notes.put({"a": b"1"})
    await notes.close()
    await notes.put({"a": b"1", "b": None})


async def test_a_topic_that_is_missing_is_said(kafka_bootstrap: str, pipeline_name: str) -> None:
    missing = KafkaNotes({"bootstrap_servers": kafka_bootstrap}, "blog", f"{pipeline_name}.none")
    with pytest.raises(RefusedError, match="Run `duplex apply`"):
        await missing.open()


async def test_what_others_ask_is_noted_while_open(kafka_bootstrap: str, topic: str) -> None:
    running = KafkaNotes({"bootstrap_servers": kafka_bootstrap}, "blog", topic, follow=True)
    await running.open()
    other = KafkaNotes({"bootstrap_servers": kafka_bootstrap}, "blog", topic)
    await other.open()
    await other.put({"sync/members": b"7", "position": b"not its to say"})
    await eventually(lambda: running.get("sync/members") == b"7")
    assert running.get("position") is None
    await other.close()
    await running.close()
    await running.close()
