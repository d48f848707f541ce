"""Notes on a real broker: kept, forgotten, found again."""

from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from connectors.errors import RefusedError, UnreachableError
from connectors.kafka_notes import REPEATED_AFTER, KafkaNotes, leave
from tests.waiting import eventually


@pytest.fixture
async def topic(kafka_bootstrap: str, pipeline_name: str) -> str:
    name = f"{pipeline_name}.notes.blog"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1, topic_configs={"cleanup.policy": "compact"})])

    async def is_there() -> bool:
        return name in await admin.list_topics()

    await eventually(is_there)
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


async def looked_at(kafka_bootstrap: str, topic: str, *names: str) -> KafkaNotes:
    """The notes as a command sees them that wants these alone."""
    few = KafkaNotes({"bootstrap_servers": kafka_bootstrap}, "blog", topic)
    await few.open(only=names)
    await few.close()
    return few


def rows(count: int, value: bytes = b"digest") -> dict[str, bytes | None]:
    """Notes of so many rows."""
    return {f"row/members/[{number}]": value for number in range(count)}


async def test_a_few_notes_are_found_without_reading_all(notes: KafkaNotes, kafka_bootstrap: str, topic: str) -> None:
    await notes.put({"installed/members": b"members"})
    for part in range(5):
        await notes.put(rows(REPEATED_AFTER, b"%d" % part))
    few = await looked_at(kafka_bootstrap, topic, "installed/members")
    assert few.get("installed/members") == b"members" and few.names("") == ["installed/members"]
    assert few.records_read <= 2 * REPEATED_AFTER


async def test_few_notes_are_repeated_after_a_restart_too(notes: KafkaNotes, kafka_bootstrap: str, topic: str) -> None:
    await notes.put({"installed/members": b"members"})
    await notes.put(rows(REPEATED_AFTER - 10))
    again = KafkaNotes({"bootstrap_servers": kafka_bootstrap}, "blog", topic)
    await again.open()
    await again.put(rows(REPEATED_AFTER - 20, b"new"))
    await again.close()
    few = await looked_at(kafka_bootstrap, topic, "installed/members")
    assert few.get("installed/members") == b"members"
    assert few.records_read == 2 * (REPEATED_AFTER - 10) - 10 + 2


async def test_what_was_forgotten_is_not_found(notes: KafkaNotes, kafka_bootstrap: str, topic: str) -> None:
    await notes.put({"installed/members": b"members"})
    await notes.put({"installed/members": None, "installed/posts": b"posts"})
    few = await looked_at(kafka_bootstrap, topic, "installed/members", "installed/posts")
    assert (few.get("installed/members"), few.get("installed/posts")) == (None, b"posts")


async def test_what_is_not_near_the_end_is_looked_for_everywhere(kafka_bootstrap: str, topic: str) -> None:
    kafka = {"bootstrap_servers": kafka_bootstrap}
    await leave(kafka, "blog", topic, {"installed/members": b"members"})
    await leave(kafka, "blog", topic, rows(2 * REPEATED_AFTER))
    few = await looked_at(kafka_bootstrap, topic, "installed/members")
    assert few.get("installed/members") == b"members"
    assert few.records_read == 4 * REPEATED_AFTER + 1


async def test_who_reads_a_few_notes_puts_none(kafka_bootstrap: str, topic: str) -> None:
    few = await looked_at(kafka_bootstrap, topic, "installed/members")
    with pytest.raises(RuntimeError, match="only to be read"):
        await few.put({"a": b"1"})


async def test_a_note_is_left_without_reading_any(kafka_bootstrap: str, topic: str) -> None:
    kafka = {"bootstrap_servers": kafka_bootstrap}
    running = KafkaNotes(kafka, "blog", topic, follow=True)
    await running.open()
    await leave(kafka, "blog", topic, {"sync/members": b"7"})
    await eventually(lambda: running.get("sync/members") == b"7")
    await running.close()


async def test_a_note_that_cannot_be_left_is_said(kafka_bootstrap: str, pipeline_name: str) -> None:
    with pytest.raises(RefusedError, match="Run `duplex apply`"):
        await leave({"bootstrap_servers": kafka_bootstrap}, "blog", f"{pipeline_name}.none", {"sync/": b"7"})
    with pytest.raises(UnreachableError, match=r"kafka\.bootstrap"):
        await leave({"bootstrap_servers": "127.0.0.1:9"}, "blog", "none", {"sync/": b"7"})
