"""A batch service on a real broker: state, position and outputs survive what happens to it."""

import asyncio
import contextlib
import signal
import sys

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete

from schemas.deadletters import failure
from streams.processors import recovering
from streams.processors.changelogs import Stamp, entry
from streams.processors.errors import InputLostError, PartitionCountError, StateLostError, TopicMissingError
from streams.processors.publishing import Publisher, partition_of
from streams.processors.settings import group_id
from tests.integration.processors.folds import (
    PARTITIONS,
    admin,
    caught_up,
    create_topics,
    encoded,
    expected,
    finals,
    fold_of,
    hosting_of,
    numbers,
    processed,
    produce,
    read_all,
    running,
    states,
)
from tests.waiting import eventually


@pytest.fixture
async def hosting(kafka_bootstrap, pipeline_name):
    """The settings of a pipeline whose topics are there."""
    await create_topics(kafka_bootstrap, pipeline_name)
    return hosting_of(kafka_bootstrap, pipeline_name)


async def test_recovered_state_is_the_live_state(hosting, kafka_bootstrap, pipeline_name):
    values = numbers(3000, keys=50)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values[:2000]))
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(2000, service)
        live = states(service)
    assert live == finals(values[:2000])
    async with running(hosting, fold_of(pipeline_name)) as service:
        await eventually(lambda: states(service) == live)
        await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values[2000:]))
        await caught_up(3000, service)
        assert states(service) == finals(values)


async def test_outputs_are_each_state_once_and_in_order(hosting, kafka_bootstrap, pipeline_name):
    values = numbers(1000, keys=20)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values))
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(1000, service)
    found = {}
    for message in await read_all(kafka_bootstrap, f"{pipeline_name}.out"):
        found.setdefault(message.key, []).append(int(message.value))
    assert found == expected(values)


async def test_killed_in_mid_burst_nothing_is_lost_or_folded_twice(hosting, kafka_bootstrap, pipeline_name):
    values = numbers(20_000, keys=200)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values))
    for _ in range(2):
        await killed_after(kafka_bootstrap, pipeline_name, messages=1500)
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(20_000, service, timeout_s=60)
        assert states(service) == finals(values)
    sent = {}
    for message in await read_all(kafka_bootstrap, f"{pipeline_name}.out"):
        sent.setdefault(message.key, []).append(int(message.value))
    # Some outputs come twice; leaving repeats out, each state is there, in order.
    assert {key: list(dict.fromkeys(found)) for key, found in sent.items()} == expected(values)


async def killed_after(bootstrap: str, pipeline: str, messages: int) -> None:
    """Run a worker process until it has sent this many more messages, then kill it."""
    before = len(await read_all(bootstrap, f"{pipeline}.out"))
    module = "tests.integration.processors.worker"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, bootstrap, pipeline, stdout=asyncio.subprocess.DEVNULL
    )

    async def sent_enough() -> bool:
        assert process.returncode is None, "the worker ended by itself"
        return len(await read_all(bootstrap, f"{pipeline}.out")) >= before + messages

    await eventually(sent_enough, 60)
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_partitions_move_to_a_second_member_with_their_state(kafka_bootstrap, pipeline_name):
    await create_topics(kafka_bootstrap, pipeline_name)
    first, second = (hosting_of(kafka_bootstrap, pipeline_name, instance=name) for name in "ab")
    values, topic = numbers(6000, keys=100), f"{pipeline_name}.in"
    await produce(kafka_bootstrap, topic, encoded(values[:2000]))
    async with running(first, fold_of(pipeline_name)) as one:
        await caught_up(2000, one)
        async with running(second, fold_of(pipeline_name)) as two:
            await produce(kafka_bootstrap, topic, encoded(values[2000:4000]))
            await eventually(lambda: len(one.lanes) == len(two.lanes) == PARTITIONS // 2, 30)
            await produce(kafka_bootstrap, topic, encoded(values[4000:]))
            await caught_up(6000, one, two)
            assert states(one, two) == finals(values)


async def test_unprocessable_record_goes_to_the_dead_letters_and_delays_nothing(
    hosting, kafka_bootstrap, pipeline_name
):
    topic = f"{pipeline_name}.in"
    await produce(kafka_bootstrap, topic, [(b"k1", b"5"), (b"k1", b"\xff no number"), (b"k1", b"6")])
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(3, service)
        assert states(service) == finals([(b"k1", 5), (b"k1", 6)])
    (dead,) = await read_all(kafka_bootstrap, f"{pipeline_name}.deadletters")
    found = failure(list(dead.headers))
    assert (dead.key, dead.value) == (b"k1", b"\xff no number")
    assert (found.topic, found.partition, found.offset) == (topic, partition_of(b"k1", PARTITIONS), 1)
    assert "is no number" in found.message and found.component == "fold"


async def test_mistake_in_a_processor_ends_the_service_loudly(hosting, kafka_bootstrap, pipeline_name):
    await produce(kafka_bootstrap, f"{pipeline_name}.in", [(b"k1", b"crash")])
    async with running(hosting, fold_of(pipeline_name)) as service:
        await eventually(lambda: service.crashed)
        assert isinstance(service.crash_reason, KeyError)


async def test_output_too_large_for_the_broker_is_a_dead_letter_and_leaves_no_state(kafka_bootstrap, pipeline_name):
    await create_topics(kafka_bootstrap, pipeline_name)
    hosting = hosting_of(kafka_bootstrap, pipeline_name, output_bytes=10)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", [(b"k1", b"5"), (b"k1", b"9" * 15), (b"k1", b"6")])
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(3, service)
        assert states(service) == finals([(b"k1", 5), (b"k1", 6)])
    (dead,) = await read_all(kafka_bootstrap, f"{pipeline_name}.deadletters")
    assert failure(list(dead.headers)).stage == "produce"


async def test_stale_state_of_an_overtaken_worker_never_counts(hosting, kafka_bootstrap, pipeline_name):
    values, partition = numbers(40, keys=1), partition_of(b"k0", PARTITIONS)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values[:20]))
    for _ in range(2):  # the second start makes the first one's epoch an old one
        async with running(hosting, fold_of(pipeline_name)) as service:
            await caught_up(20, service)
    zombie = Publisher(hosting, "zombie")
    await zombie.start()
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(20, service)
        await zombie.append(f"{pipeline_name}.state", partition, [entry(b"k0", b"1", Stamp(1, 10**9))])
        await zombie.stop()
        await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values[20:]))
        await caught_up(40, service)
        assert states(service) == finals(values)
    async with running(hosting, fold_of(pipeline_name)) as service:
        await eventually(lambda: states(service) == finals(values))


async def test_stale_state_behind_the_last_write_is_written_over_at_the_next_start(
    hosting, kafka_bootstrap, pipeline_name
):
    values, topic = numbers(20, keys=1), f"{pipeline_name}.state"
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values))
    for _ in range(2):
        async with running(hosting, fold_of(pipeline_name)) as service:
            await caught_up(20, service)
    zombie = Publisher(hosting, "zombie")
    await zombie.start()
    await zombie.append(topic, partition_of(b"k0", PARTITIONS), [entry(b"k0", b"1", Stamp(1, 10**9))])
    await zombie.stop()
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(20, service)
        assert states(service) == finals(values)
    last = [message.value for message in await read_all(kafka_bootstrap, topic) if message.key == b"k0"][-1]
    assert int(last[12:]) == finals(values)[b"k0"]


async def test_a_cancellation_that_gets_lost_in_a_client_does_not_keep_a_service_from_stopping(
    hosting, kafka_bootstrap, pipeline_name, monkeypatch
):
    inner, stuck = recovering.restore, asyncio.Event()

    async def restore(*arguments):
        with contextlib.suppress(asyncio.CancelledError):
            stuck.set()
            await asyncio.Event().wait()
        return await inner(*arguments)

    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(numbers(20, keys=1)))
    monkeypatch.setattr(recovering, "restore", restore)
    async with asyncio.timeout(20), running(hosting, fold_of(pipeline_name)):
        await stuck.wait()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("fold/")]


async def test_missing_topic_is_named(kafka_bootstrap, pipeline_name):
    await create_topics(kafka_bootstrap, pipeline_name, "in", "out", "deadletters")
    with pytest.raises(TopicMissingError, match=rf"{pipeline_name}\.state.*duplex apply"):
        async with running(hosting_of(kafka_bootstrap, pipeline_name, topics_timeout_ms=500), fold_of(pipeline_name)):
            pass


async def test_topics_with_different_partition_counts_are_refused(kafka_bootstrap, pipeline_name):
    await create_topics(kafka_bootstrap, pipeline_name, "in", "out", "deadletters")
    await create_topics(kafka_bootstrap, pipeline_name, "state", partitions=3)
    with pytest.raises(PartitionCountError, match=rf"{pipeline_name}\.in: 4.*{pipeline_name}\.state: 3"):
        async with running(hosting_of(kafka_bootstrap, pipeline_name), fold_of(pipeline_name)):
            pass


async def commit(bootstrap: str, group: str, source: TopicPartition, offset: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([source])
    await consumer.commit({source: offset})
    await consumer.stop()


async def test_lost_state_is_noticed(hosting, kafka_bootstrap, pipeline_name):
    source = TopicPartition(f"{pipeline_name}.in", 0)
    await produce(kafka_bootstrap, source.topic, encoded(numbers(100, keys=20)))
    await commit(kafka_bootstrap, group_id(pipeline_name, "fold"), source, 1)
    async with running(hosting, fold_of(pipeline_name)) as service:
        await eventually(lambda: service.crashed, 20)
        assert isinstance(service.crash_reason, StateLostError)


async def test_input_removed_before_it_was_read_is_noticed(hosting, kafka_bootstrap, pipeline_name):
    source = TopicPartition(f"{pipeline_name}.in", partition_of(b"k0", PARTITIONS))
    await produce(kafka_bootstrap, source.topic, encoded(numbers(10, keys=1)))
    async with running(hosting, fold_of(pipeline_name)) as service:
        await caught_up(10, service)
    await produce(kafka_bootstrap, source.topic, encoded(numbers(10, keys=1)))
    async with admin(kafka_bootstrap) as client:
        await client.delete_records({source: RecordsToDelete(before_offset=15)})
    async with running(hosting, fold_of(pipeline_name)) as service:
        await eventually(lambda: service.crashed, 20)
        assert isinstance(service.crash_reason, InputLostError)


async def test_several_inputs_are_read_as_one_partition(kafka_bootstrap, pipeline_name):
    await create_topics(kafka_bootstrap, pipeline_name, "in", "more", "out", "state", "deadletters")
    processor = fold_of(pipeline_name)
    processor = type(processor)(pipeline_name, (f"{pipeline_name}.in", f"{pipeline_name}.more"))
    for topic in processor.inputs:
        await produce(kafka_bootstrap, topic, encoded(numbers(200, keys=10)))
    hosting = hosting_of(kafka_bootstrap, pipeline_name)
    async with running(hosting, processor) as service:
        await caught_up(400, service)
        live = states(service)
    async with running(hosting, processor) as service:
        await eventually(lambda: processed(service) == 400 and states(service) == live)


async def test_service_may_be_stopped_twice(hosting, pipeline_name):
    async with running(hosting, fold_of(pipeline_name)) as service:
        await service.stop()


async def test_broker_killed_in_mid_burst_is_waited_for(private_kafka, pipeline_name):
    bootstrap, values = private_kafka.bootstrap, numbers(12_000, keys=100)
    await create_topics(bootstrap, pipeline_name)
    await produce(bootstrap, f"{pipeline_name}.in", encoded(values))
    async with running(hosting_of(bootstrap, pipeline_name, batch_records=50), fold_of(pipeline_name)) as service:
        await caught_up(1000, service)
        await asyncio.to_thread(private_kafka.kill)
        await asyncio.to_thread(private_kafka.start)
        await caught_up(12_000, service, timeout_s=90)
        assert states(service) == finals(values)
