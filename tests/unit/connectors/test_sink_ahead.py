"""Fresh commands before their turn: when a partition is read at its end too, and what becomes of what is tried."""

from collections import deque
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from connectors import memory
from connectors.base import Effect, TableSpec
from connectors.errors import UnreachableError
from connectors.memory_sink import MemorySink
from connectors.sink_fresh import FAR_BEHIND, FRESH_COMMANDS, FRESH_WAITING, NEARLY_THERE, Fresh
from connectors.sink_lane import TURNS_WAITED, Lane
from schemas.codec import Codec
from schemas.messages import Command
from tests.conformance.commands import Commander

PLACE = TopicPartition("shop.commands.crm", 0)
PEOPLE = TableSpec("contact", "people", ("email", "boss"), (("email",), ("boss",)))
CODEC = Codec()


class Overtaken:
    """Carries out what it is given ahead, or fails."""

    def __init__(self) -> None:
        self.away = False
        self.tried = 0

    async def apply(self, commands: Sequence[Command]) -> Sequence[Effect]:
        return []

    async def apply_ahead(self, commands: Sequence[Command]) -> Sequence[Effect]:
        self.tried += 1
        if self.away:
            raise UnreachableError("crm", "localhost", "systems.crm.dsn", "it is away")
        return [Effect(command.id, "applied") for command in commands]

    async def close(self) -> None:
        """Nothing is held open."""


def lane(sink: Any) -> Lane:
    nothing: Any = None
    return Lane("crm", PLACE, sink, nothing, nothing, CODEC)


def record(command: Command | None) -> Any:
    return SimpleNamespace(value=None if command is None else CODEC.encode(command))


def test_a_partition_is_read_at_its_end_from_far_behind_until_nearly_there() -> None:
    fresh = Fresh({}, "crm")
    for behind, followed in (
        (FAR_BEHIND, False),
        (FAR_BEHIND + 1, True),
        (NEARLY_THERE + 1, True),
        (NEARLY_THERE, False),
    ):
        fresh.observe(PLACE, behind)
        assert (PLACE in fresh._waiting) is followed


def test_a_few_at_a_time_and_the_newest_of_too_many() -> None:
    fresh = Fresh({}, "crm")
    assert (fresh.ready(), fresh.take(PLACE)) == ([], [])
    fresh.observe(PLACE, FAR_BEHIND + 1)
    fresh._waiting[PLACE].extend(range(FRESH_WAITING + 7))
    assert fresh.ready() == [PLACE]
    assert fresh.take(PLACE) == list(range(7, 7 + FRESH_COMMANDS))
    fresh.leave([PLACE])
    assert (fresh.ready(), fresh.take(PLACE)) == ([], [])


async def test_a_sink_that_fails_is_tried_again_after_some_turns() -> None:
    sink, records = Overtaken(), [record(Commander().create({"email": "a"}))]
    tried = lane(sink)
    sink.away = True
    for _ in range(TURNS_WAITED):
        await tried.work_ahead(records)
    assert sink.tried == 1
    await tried.work_ahead(records)
    assert sink.tried == 2


async def test_what_is_no_command_has_its_turn() -> None:
    sink = Overtaken()
    await lane(sink).work_ahead([record(None)])
    assert sink.tried == 0


@pytest.fixture
def sink(request: pytest.FixtureRequest) -> Iterator[MemorySink]:
    name = request.node.nodeid
    data = memory.system(name)
    columns = {"id": "bigint", "email": "text", "boss": "bigint"}
    data.create_table("people", columns, ["id"], generated=True, unique=(("email",),), references={"boss": "people"})
    data.insert("people", email="ada")
    yield MemorySink("crm", data, [PEOPLE])
    memory.forget(name)


def rows(sink: MemorySink) -> list[str]:
    return sorted(str(row["email"]) for row in sink._data.tables["people"].rows.values())


async def test_the_memory_sink_knows_what_went_ahead(sink: MemorySink) -> None:
    commands = Commander()
    first, fresh = commands.create({"email": "bob"}), commands.create({"email": "eve"})
    assert [effect.command for effect in await sink.apply_ahead([fresh])] == [fresh.id]
    assert await sink.apply_ahead([fresh]) == []
    assert [effect.outcome for effect in await sink.apply([first, fresh])] == ["applied", None]
    assert rows(sink) == ["ada", "bob", "eve"]


async def test_the_memory_sink_leaves_what_it_cannot_carry_out_now(sink: MemorySink) -> None:
    commands = Commander()
    refused = [
        commands.delete("[1]", {"email": "ada", "boss": None}),
        commands.update("[7]", ({"email": "x"}, {"email": "y"})),
        commands.create({"email": "ada"}),
        commands.create({"email": "bob", "boss": 9}),
        commands.create({"email": "ann"}, local_id="[1]"),
    ]
    entries = len(sink._data.log)
    assert await sink.apply_ahead(refused) == []
    assert (rows(sink), len(sink._data.log), deque(sink._data.parked)) == (["ada"], entries, deque())
