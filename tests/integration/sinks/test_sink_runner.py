"""The sink runner on a real broker, with the in-memory sink or one that counts and fails on purpose."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest

from connectors import sink_metrics
from connectors.base import Effect
from connectors.errors import UnreachableError
from connectors.sink_runner import PARKED_INTERVAL_S, CommandsLostError
from schemas import deadletters
from schemas.heartbeats import HEARTBEAT
from schemas.messages import Command
from tests.integration.sinks.pipes import CODEC, PARTITIONS, Pipe
from tests.waiting import eventually


class Recorder:
    """A sink that notes what it was given; `before` runs ahead of each batch and may raise or wait."""

    def __init__(self) -> None:
        self.seen: list[Command] = []
        self.batches: list[tuple[int, int]] = []
        self.before: Callable[[Sequence[Command]], Awaitable[None]] | None = None
        self.retries = 0

    async def apply(self, commands: Sequence[Command]) -> Sequence[Effect]:
        if self.before is not None:
            await self.before(commands)
        self.seen += commands
        self.batches.append((commands[0].partition, len(commands)))
        return [Effect(command.id, "applied") for command in commands]

    async def retry_parked(self) -> Sequence[Effect]:
        self.retries += 1
        return []

    async def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
async def pipe(kafka_bootstrap: str, pipeline_name: str) -> Pipe:
    made = Pipe(kafka_bootstrap, pipeline_name)
    await made.create()
    return made


@pytest.fixture
def sink() -> Recorder:
    return Recorder()


async def test_each_partition_is_carried_out_in_order_and_committed(pipe: Pipe, sink: Recorder) -> None:
    sent = [pipe.some(partition, 30) for partition in range(PARTITIONS)]
    await pipe.send(*(command for pair in zip(*sent, strict=True) for command in pair))
    async with pipe.running(sink):
        await eventually(lambda: len(sink.seen) == 60)
        await eventually(lambda: _is(pipe.committed, 60))
    for partition, commands in enumerate(sent):
        assert [command.id for command in sink.seen if command.partition == partition] == [c.id for c in commands]


async def test_commands_are_batched(pipe: Pipe, sink: Recorder) -> None:
    await pipe.send(*pipe.some(0, 2500))
    async with pipe.running(sink):
        await eventually(lambda: len(sink.seen) == 2500)
    assert len(sink.batches) <= 10
    assert max(count for _, count in sink.batches) <= 1000


async def test_commands_removed_before_they_were_read_are_noticed(pipe: Pipe, sink: Recorder) -> None:
    await pipe.send(*pipe.some(0, 5))
    async with pipe.running(sink):
        await eventually(lambda: _is(pipe.committed, 5))
    await pipe.send(*pipe.some(0, 10))
    await pipe.remove_before(0, 12)
    async with pipe.running(sink) as task:
        with pytest.raises(CommandsLostError, match=r"7 commands .* \(from offset 5\)"):
            await asyncio.wait_for(task, 20)
    assert len(sink.seen) == 5


async def test_a_restart_goes_on_behind_what_was_committed(pipe: Pipe, sink: Recorder) -> None:
    await pipe.send(*pipe.some(0, 5))
    async with pipe.running(sink):
        await eventually(lambda: len(sink.seen) == 5)
    await pipe.send(*pipe.some(0, 5))
    async with pipe.running(sink):
        await eventually(lambda: len(sink.seen) == 10)
    assert len({command.id for command in sink.seen}) == 10


async def test_what_is_no_command_goes_to_the_dead_letters(pipe: Pipe, sink: Recorder) -> None:
    good = pipe.some(0, 1)
    await pipe.send_bytes((0, b"rubbish"), (0, CODEC.encode(good[0])[:20]), (0, CODEC.encode(good[0])))
    async with pipe.running(sink):
        await eventually(lambda: [command.id for command in sink.seen] == [good[0].id])
        first, second = await pipe.dead(2)
    failure = deadletters.failure(list(first.headers))
    assert (first.value, first.key, dict(first.headers)["own"]) == (b"rubbish", b"key", b"1")
    assert (failure.topic, failure.partition, failure.offset) == (pipe.topic, 0, 0)
    assert failure.error_class == "UndecodableError"
    assert second.value == CODEC.encode(good[0])[:20]


async def test_a_system_that_is_away_is_waited_for(pipe: Pipe, sink: Recorder) -> None:
    tries: list[int] = []

    async def away_twice(commands: Sequence[Command]) -> None:
        tries.append(len(commands))
        if len(tries) <= 2:
            raise UnreachableError("crm", "db:5432", "systems.crm.dsn", "refused")

    sink.before = away_twice
    await pipe.send(*pipe.some(0, 3))
    async with pipe.running(sink):
        await eventually(lambda: len(sink.seen) == 3)
    assert len(tries) == 3


async def test_a_partition_that_is_stuck_does_not_hold_the_other(pipe: Pipe, sink: Recorder) -> None:
    async def stuck(commands: Sequence[Command]) -> None:
        if commands[0].partition == 0:
            raise UnreachableError("crm", "db:5432", "systems.crm.dsn", "refused")

    sink.before = stuck
    await pipe.send(*pipe.some(0, 3), *pipe.some(1, 3))
    async with pipe.running(sink):
        await eventually(lambda: len(sink.seen) == 3)
        await eventually(lambda: sink_metrics.LAG.labels("crm")._value.get() >= 3)
        # The loop that tries parked commands again beats as well: what is older than its pause is the lane's.
        stale = await eventually(lambda: _older_than(PARKED_INTERVAL_S * 2))
        await pipe.send(*pipe.some(1, 3))
        await eventually(lambda: len(sink.seen) == 6)
        assert HEARTBEAT.labels("sink crm")._value.get() <= stale


async def test_stopping_finishes_and_commits_the_batch_under_way(pipe: Pipe, sink: Recorder) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(commands: Sequence[Command]) -> None:
        begun.set()
        await go_on.wait()

    sink.before = slow
    await pipe.send(*pipe.some(0, 3))
    async with pipe.running(sink) as task:
        async with asyncio.timeout(10):
            await begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait([task])
    assert task.cancelled()
    assert len(sink.seen) == 3
    assert await pipe.committed() == 3


async def test_stopping_does_not_wait_for_a_system_that_is_away(pipe: Pipe, sink: Recorder) -> None:
    tried = asyncio.Event()

    async def away(commands: Sequence[Command]) -> None:
        tried.set()
        raise UnreachableError("crm", "db:5432", "systems.crm.dsn", "refused")

    sink.before = away
    await pipe.send(*pipe.some(0, 3))
    async with pipe.running(sink) as task:
        async with asyncio.timeout(10):
            await tried.wait()
        task.cancel()
        await asyncio.wait([task], timeout=4)
        assert task.done()
    assert await pipe.committed() == 0


async def test_a_mistake_of_the_sink_ends_the_runner(pipe: Pipe, sink: Recorder) -> None:
    async def broken(commands: Sequence[Command]) -> None:
        raise KeyError("a mistake")

    sink.before = broken
    await pipe.send(*pipe.some(0, 1))
    async with pipe.running(sink) as task:
        await asyncio.wait([task], timeout=10)
        with pytest.raises(KeyError, match="a mistake"):
            task.result()


async def test_partitions_are_shared_among_processes(pipe: Pipe, sink: Recorder) -> None:
    other = Recorder()
    async with pipe.running(sink, "one"), pipe.running(other, "two"):

        async def both() -> bool:
            await pipe.send(*pipe.some(0, 1), *pipe.some(1, 1))
            return bool({p for p, _ in sink.batches[-2:]} ^ {p for p, _ in other.batches[-2:]} == {0, 1})

        await eventually(both, 30)


async def test_waiting_commands_are_tried_again_and_again(pipe: Pipe, sink: Recorder) -> None:
    async with pipe.running(sink):
        await eventually(lambda: sink.retries >= 2)


def _older_than(age_s: float) -> float | None:
    beat_s: float = HEARTBEAT.labels("sink crm")._value.get()
    return beat_s if time.time() - beat_s > age_s else None


async def _is(question: Callable[[], Awaitable[int]], answer: int) -> bool:
    return await question() == answer
