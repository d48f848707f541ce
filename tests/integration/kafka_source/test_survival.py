"""From a topic into the pipeline's own, through the death of the broker and of the source."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from connectors.source_runner import run_source
from schemas.codec import Codec
from schemas.identifiers import row_key
from schemas.messages import Change
from tests.integration.kafka_source import topics
from tests.integration.kafka_source.reading import SPEC, legacy, row
from tests.integration.kafka_source.topics import Producer
from tests.servers import PrivateKafka
from tests.waiting import eventually

CUSTOMERS, CHANGES, DEADLETTERS = "customers", "shop.changes", "shop.deadletters"

pytestmark = pytest.mark.timeout(400)


@asynccontextmanager
async def running(bootstrap: str) -> AsyncIterator[None]:
    """A source at work, as its child process runs it; cut off at the end."""
    source = legacy(bootstrap, "shop", CUSTOMERS).open_source([SPEC])

    def route(change: Change) -> tuple[str, bytes]:
        return CHANGES, row_key("legacy", change.local_id)

    kafka = {"bootstrap_servers": bootstrap}
    task = asyncio.create_task(run_source(source, route, kafka, "legacy", DEADLETTERS))
    try:
        yield
        assert not task.done(), "the source ended"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def published(bootstrap: str) -> list[Change]:
    """Every change on the pipeline's topic, partition by partition."""
    codec, found = Codec(), []
    async with AIOKafkaConsumer(CHANGES, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            batches: Any = await consumer.getmany(timeout_ms=200)
            found += [codec.decode_as(one.value, Change) for batch in batches.values() for one in batch]
    return found


async def all_there(bootstrap: str, last: dict[str, str]) -> list[Change]:
    """The changes, once the last one of each row is as given."""

    async def there() -> list[Change]:
        changes = await published(bootstrap)
        shown = {change.local_id: change.after for change in changes if change.op != "l"}
        return changes if all(value in (shown.get(key) or "") for key, value in last.items()) else []

    return await eventually(there, 120, "changes are missing")


async def test_nothing_is_lost_or_out_of_order_when_broker_and_source_die(private_kafka: PrivateKafka) -> None:
    bootstrap = private_kafka.bootstrap
    for name, partitions in ((CUSTOMERS, 2), (CHANGES, 2), (DEADLETTERS, 1)):
        await topics.make(bootstrap, name, partitions)
    producer = Producer(bootstrap, CUSTOMERS)
    await producer.send(*[row(key, f"first-{key}") for key in range(20)])
    async with running(bootstrap):
        await all_there(bootstrap, {f"[{key}]": f"first-{key}" for key in range(20)})
        await asyncio.to_thread(private_kafka.kill)
        await asyncio.to_thread(private_kafka.start)
        await producer.send(*[row(key, f"second-{key}") for key in range(20)], ({"id": 99}, b"{noise"))
        await all_there(bootstrap, {f"[{key}]": f"second-{key}" for key in range(20)})
    await producer.send(*[row(key, f"third-{key}") for key in range(20)])
    async with running(bootstrap):
        found = await all_there(bootstrap, {f"[{key}]": f"third-{key}" for key in range(20)})
    told = [(change.local_id, (change.incarnation, change.seq)) for change in found if change.op != "l"]
    for key in range(20):
        places = [place for local_id, place in told if local_id == f"[{key}]"]
        assert len(set(places)) == 3, places
        # Repeats there may be, but nothing new may come before what it follows.
        assert sorted(dict.fromkeys(places)) == list(dict.fromkeys(places))
    assert len({change.incarnation for change in found}) == 1
