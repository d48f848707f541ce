"""Sinks of systems without a log: their answers reach Kafka before the command is done with."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from connectors.base import Effect
from connectors.sink_runner import run_sink
from schemas.messages import Command, Result
from tests.integration.sinks.test_sink_runner import CODEC, Pipe, Recorder
from tests.waiting import eventually


class Answering(Recorder):
    """Answers every command with a result, and is told when the answers are safe."""

    def __init__(self) -> None:
        super().__init__()
        self.safe: list[str] = []
        self.parked: list[Command] = []

    async def apply(self, commands: Sequence[Command]) -> Sequence[Effect]:
        await super().apply(commands)
        return [Effect(command.id, "applied", result=_answer(command)) for command in commands]

    async def retry_parked(self) -> Sequence[Effect]:
        parked, self.parked = self.parked, []
        return [Effect(command.id, "applied", result=_answer(command)) for command in parked]

    async def reported(self, effects: Sequence[Effect]) -> None:
        self.safe += [effect.command for effect in effects]


def _answer(command: Command) -> Result:
    return Result(
        command=command.id,
        record_id=command.record_id,
        entity=command.entity,
        system=command.system,
        local_id="[1]",
        found_order=1,
        found=None,
        left_order=2,
        left="{}",
        outcome="applied",
        ts_us=1,
    )


@pytest.fixture
async def pipe(kafka_bootstrap: str, pipeline_name: str) -> Pipe:
    made = Pipe(kafka_bootstrap, pipeline_name)
    await made.create()
    return made


async def test_answers_are_in_kafka_before_the_command_is_done_with(pipe: Pipe) -> None:
    sink, topic = Answering(), pipe.results
    await pipe.send(*pipe.some(0, 5))
    task = asyncio.create_task(
        run_sink(sink, system="crm", topic=pipe.topic, group=pipe.group, kafka=pipe.kafka,
                 deadletters=pipe.deadletters, instance="one", results=lambda result: (topic, b"one"))
    )  # fmt: skip
    await eventually(lambda: len(sink.safe) == 5)
    async with AIOKafkaConsumer(topic, **pipe.kafka, auto_offset_reset="earliest") as consumer, asyncio.timeout(10):
        found = [await consumer.getone() for _ in range(5)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [CODEC.decode_as(one.value, Result).command for one in found] == [command.id for command in sink.seen]
    assert sink.safe == [command.id for command in sink.seen]
    assert await pipe.committed() == 5


async def test_a_command_is_not_done_with_before_its_answer_is_safe(pipe: Pipe) -> None:
    sink, tries = Answering(), list[str]()

    def nowhere(result: Result) -> tuple[str, bytes]:
        tries.append(result.command)
        raise KafkaConnectionError

    await pipe.send(*pipe.some(0, 5))
    task = asyncio.create_task(
        run_sink(sink, system="crm", topic=pipe.topic, group=pipe.group, kafka=pipe.kafka,
                 deadletters=pipe.deadletters, instance="one", results=nowhere)
    )  # fmt: skip
    await eventually(lambda: len(tries) >= 2, timeout_s=30)
    assert await pipe.committed() == 0
    assert sink.safe == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await pipe.committed() == 0


async def test_answers_of_commands_that_waited_reach_kafka_too(pipe: Pipe) -> None:
    sink = Answering()
    sink.parked = pipe.some(0, 2)
    task = asyncio.create_task(
        run_sink(sink, system="crm", topic=pipe.topic, group=pipe.group, kafka=pipe.kafka,
                 deadletters=pipe.deadletters, instance="one", results=lambda result: (pipe.results, b"one"))
    )  # fmt: skip
    await eventually(lambda: len(sink.safe) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with AIOKafkaConsumer(pipe.results, **pipe.kafka, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(10):
            found = [await consumer.getone() for _ in range(2)]
    assert [CODEC.decode_as(one.value, Result).command for one in found] == sink.safe


async def test_a_sink_that_answers_where_nobody_listens_is_a_mistake(pipe: Pipe) -> None:
    await pipe.send(*pipe.some(0, 1))
    async with pipe.running(Answering()) as task:
        await asyncio.wait([task], timeout=10)
        with pytest.raises(TypeError, match="nobody said where they go"):
            task.result()
