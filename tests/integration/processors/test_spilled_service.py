"""A batch service whose state is on disk: what a restart, a kill, a new topic and a damaged folder lead to."""

import asyncio
import signal
import sys

import pytest
from structlog.testing import capture_logs

from streams.processors import recovering
from streams.processors.publishing import partition_of
from streams.processors.spilled import Spill, SpilledStore
from tests.integration.processors.folds import (
    PARTITIONS,
    admin,
    caught_up,
    create_topics,
    encoded,
    finals,
    fold_of,
    hosting_of,
    numbers,
    produce,
    read_all,
    running,
    states,
)
from tests.waiting import eventually

MEMORY_BYTES = 32 * 1024 * 1024


@pytest.fixture
async def hosting(kafka_bootstrap, pipeline_name, tmp_path):
    """The settings of a pipeline whose topics are there, with a folder for its state."""
    await create_topics(kafka_bootstrap, pipeline_name)
    return hosting_of(kafka_bootstrap, pipeline_name, spill=Spill(tmp_path / "state", MEMORY_BYTES))


@pytest.fixture
def read(monkeypatch):
    """How many messages of changelogs were read."""
    counted = []
    original = recovering.Fold.feed

    def feed(self, messages):
        counted.extend(messages)
        original(self, messages)

    monkeypatch.setattr(recovering.Fold, "feed", feed)
    return counted


async def test_restart_reads_only_what_its_copy_lacks(hosting, kafka_bootstrap, pipeline_name, read):
    values = numbers(3000, keys=50)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values[:2000]))
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(2000, service)
        assert all(isinstance(lane.store, SpilledStore) for lane in service.lanes.values())
    read.clear()
    async with running(hosting, fold_of(pipeline_name)) as service:
        await eventually(lambda: states(service) == finals(values[:2000]))
        assert len(read) <= PARTITIONS
        await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values[2000:]))
        await caught_up(3000, service)
        assert states(service) == finals(values)


async def test_killed_in_mid_burst_nothing_is_lost_or_folded_twice(hosting, kafka_bootstrap, pipeline_name, tmp_path):
    values = numbers(10_000, keys=200)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values))
    module = "tests.integration.processors.worker"
    arguments = (kafka_bootstrap, pipeline_name, str(tmp_path / "state"))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments)
    await eventually(lambda: _count(kafka_bootstrap, f"{pipeline_name}.out", 1500), 60)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(10_000, service, timeout_s=60)
        assert states(service) == finals(values)


async def _count(bootstrap: str, topic: str, wanted: int) -> bool:
    return len(await read_all(bootstrap, topic)) >= wanted


async def test_copy_of_another_topic_is_thrown_away(hosting, kafka_bootstrap, pipeline_name):
    values = numbers(400, keys=10)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values))
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(400, service)
    other = f"{pipeline_name}x"
    await create_topics(kafka_bootstrap, other)
    await produce(kafka_bootstrap, f"{other}.in", encoded(values[:100]))
    with capture_logs() as logs:
        again = hosting_of(kafka_bootstrap, other, spill=hosting.spill)
        async with running(again, fold_of(other)) as service:
            await caught_up(100, service)
            assert states(service) == finals(values[:100])
    assert any("thrown away" in each["event"] for each in logs if each["log_level"] == "warning")


async def test_topic_made_anew_is_not_taken_for_the_old_one(hosting, kafka_bootstrap, pipeline_name):
    topic, key = f"{pipeline_name}.state", numbers(1, keys=1)[0][0]
    partition = partition_of(key, PARTITIONS)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(numbers(100, keys=1)))
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(100, service)
    found = await recovering.restore(hosting, "fold", topic, partition, hosting.spill)
    assert found.store.get(key) is not None and found.positions == {f"{pipeline_name}.in": 100}
    found.store.close()
    await made_anew(kafka_bootstrap, pipeline_name, topic)
    found = await recovering.restore(hosting, "fold", topic, partition, hosting.spill)
    assert found.store.get(key) is None and found.positions is None
    found.store.close()


async def made_anew(bootstrap: str, pipeline: str, topic: str) -> None:
    async with admin(bootstrap) as client:
        await client.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await client.list_topics()

        await eventually(gone)
    await create_topics(bootstrap, pipeline, "state")
