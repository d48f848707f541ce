"""The source's side: every delivery, in order, after the last that it is done with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from connectors.errors import RefusedError, UnreachableError
from connectors.remote.surroundings import Hook, Hooks
from connectors.webhook.hooks import KafkaHooks
from tests.integration.webhook import senders
from tests.integration.webhook.conftest import Bridging
from tests.integration.webhook.senders import signed


@pytest.fixture
async def hooks(kafka_bootstrap: str, topic: str) -> AsyncIterator[KafkaHooks]:
    """The deliveries of the test's topic."""
    found = KafkaHooks({"bootstrap_servers": kafka_bootstrap}, topic, topic)
    yield found
    await found.close()
    await found.close()


async def first(hooks: Hooks, count: int) -> list[Hook]:
    """The next so many deliveries."""
    found: list[Hook] = []
    async with asyncio.timeout(20), aclosing(cast(Any, hooks.read())) as batches:
        async for batch in batches:
            found += batch
            if len(found) >= count:
                break
    return found


async def test_a_delivery_is_read_as_it_came(bridging: Bridging, hooks: KafkaHooks) -> None:
    sender = await bridging()
    headers = {**signed(b"{}", "d-1"), "Content-Type": "application/json"}
    assert await sender.post(b"{}", headers) == 200
    (found,) = await first(hooks, 1)
    assert (found.position, found.delivery_id, found.body) == ((0, 0), "d-1", b"{}")
    assert found.headers == {"content-type": "application/json"}
    assert found.received_us > 1_600_000_000_000_000


async def test_what_is_not_acknowledged_comes_again(bridging: Bridging, hooks: KafkaHooks) -> None:
    await senders.taken(await bridging(), [b"%d" % number for number in range(6)])
    before = await first(hooks, 6)
    await hooks.ack([before[1].position, before[3].position])
    assert [one.body for one in await first(hooks, 2)] == [b"4", b"5"]


async def test_nothing_goes_back(bridging: Bridging, hooks: KafkaHooks) -> None:
    await senders.taken(await bridging(), [b"0", b"1", b"2"])
    before = await first(hooks, 3)
    await hooks.ack([before[1].position])
    await hooks.ack([before[0].position])
    await hooks.ack([])
    assert [one.body for one in await first(hooks, 1)] == [b"2"]


async def test_another_process_goes_on(bridging: Bridging, hooks: KafkaHooks, kafka_bootstrap: str, topic: str) -> None:
    await senders.taken(await bridging(), [b"0", b"1"])
    await hooks.ack([(await first(hooks, 2))[0].position])
    await hooks.close()
    other = KafkaHooks({"bootstrap_servers": kafka_bootstrap}, topic, topic)
    assert [one.body for one in await first(other, 1)] == [b"1"]
    await other.close()


async def test_what_somebody_else_wrote_is_read_too(hooks: KafkaHooks, kafka_bootstrap: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        await producer.send_and_wait(topic, b"{}", headers=[("duplex.received", b"soon"), ("x", b"\xff")])
    (found,) = await first(hooks, 1)
    assert (found.delivery_id, found.headers) == ("0/0", {"x": "\ufffd"})
    assert found.received_us > 1_600_000_000_000_000


async def test_deliveries_that_retention_took_are_passed_over(
    bridging: Bridging, hooks: KafkaHooks, kafka_bootstrap: str, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await senders.taken(await bridging(), [b"0", b"1", b"2", b"3"])
    await hooks.ack([(await first(hooks, 4))[0].position])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=3)})
    await admin.close()
    assert [one.body for one in await first(hooks, 1)] == [b"3"]
    assert "removed unread" in "".join(capsys.readouterr())


async def test_a_missing_topic_is_named(kafka_bootstrap: str) -> None:
    hooks = KafkaHooks({"bootstrap_servers": kafka_bootstrap}, "nobody.made.it", "g")
    with pytest.raises(RefusedError, match=r"nobody.made.it.*duplex apply"):
        await first(hooks, 1)


async def test_a_broker_that_is_away_is_named() -> None:
    with pytest.raises(UnreachableError, match=r"127.0.0.1:9.*kafka.bootstrap"):
        await first(KafkaHooks({"bootstrap_servers": ["127.0.0.1:9"]}, "t", "g"), 1)
