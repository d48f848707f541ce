"""The merge processor as a service on a real broker: epochs, the clock, and questions about its state."""

import socket
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from schemas.messages import Conflict
from schemas.topics import Topics
from streams.app import build_app
from streams.mapping.rules import compile_rules
from streams.merge import states
from streams.processors.merging import MergeProcessor
from streams.processors.publishing import partition_of
from streams.processors.queries import PATH_BYTES, note_path, socket_path
from streams.processors.settings import Hosting
from tests.integration.processors.folds import PARTITIONS, caught_up, create_topics, hosting_of, produce, running
from tests.integration.processors.folds import read_all as read_topic
from tests.unit.processors.partitions import CODEC, COLUMNS, change, crm, entity, epoch, erp
from tests.waiting import eventually

KEY = b"R"
MANUAL_NOW = {"manual": {"deadline": "1s", "then": "newest"}}


@pytest.fixture
async def topics(kafka_bootstrap, pipeline_name) -> Topics:
    made = Topics(pipeline_name, PARTITIONS)
    specs = made.all({"contact": tuple(COLUMNS)})
    names = [spec.name.removeprefix(f"{pipeline_name}.") for spec in specs if spec.partitions == PARTITIONS]
    await create_topics(kafka_bootstrap, pipeline_name, *names)
    return made


@pytest.fixture
def hosting(kafka_bootstrap, pipeline_name) -> Hosting:
    return hosting_of(kafka_bootstrap, pipeline_name, due_interval_ms=200)


def processor(topics: Topics, policy="newest") -> MergeProcessor:
    made = entity(policy)
    return MergeProcessor(topics, made, compile_rules("contact", made, COLUMNS), CODEC)


def keys() -> list[bytes]:
    """A key for each partition, in order of partition."""
    found: dict[int, bytes] = {}
    for number in range(1000):
        found.setdefault(partition_of(b"k%d" % number, PARTITIONS), b"k%d" % number)
    return [found[partition] for partition in range(PARTITIONS)]


async def append(bootstrap: str, topics: Topics, *messages, key: bytes = KEY) -> None:
    await produce(bootstrap, topics.records("contact"), [(key, CODEC.encode(message)) for message in messages])


async def end_loads(bootstrap: str, topics: Topics) -> None:
    for key in keys():
        await append(bootstrap, topics, *(change(system, "l", 0, None) for system in COLUMNS), key=key)


async def clash(bootstrap: str, topics: Topics, number: int) -> None:
    """A row of each system, which differ in their names, for a record of its own."""
    key = b"R%d" % number
    await append(bootstrap, topics, crm(1, number, name="A"), erp(1, number, name="B"), key=key)


async def conflicts(bootstrap: str, topics: Topics) -> list[Conflict]:
    return [CODEC.decode_as(message.value, Conflict) for message in await read_topic(bootstrap, topics.conflicts)]


async def test_epoch_holds_from_its_place_on_and_after_a_restart(hosting, topics, kafka_bootstrap):
    await end_loads(kafka_bootstrap, topics)
    await clash(kafka_bootstrap, topics, 1)
    for key in keys():
        await append(kafka_bootstrap, topics, epoch(1, entity({"priority": ["crm", "erp"]})), key=key)
    await clash(kafka_bootstrap, topics, 2)
    async with running(hosting, processor(topics)) as service:
        await caught_up(4 + 3 * PARTITIONS, service)
    await clash(kafka_bootstrap, topics, 3)
    async with running(hosting, processor(topics)) as service:
        await caught_up(6 + 3 * PARTITIONS, service)
    rules = {one.record_id: one.rule for one in await conflicts(kafka_bootstrap, topics) if one.field == "name"}
    assert rules == {"R1": "newest", "R2": "priority", "R3": "priority"}


async def test_item_is_decided_by_the_clock_when_nothing_else_happens(hosting, topics, kafka_bootstrap):
    await end_loads(kafka_bootstrap, topics)
    await clash(kafka_bootstrap, topics, 1)

    async def winners() -> list[str]:
        return [one.winner for one in await conflicts(kafka_bootstrap, topics) if one.field == "name"]

    async with running(hosting, processor(topics, MANUAL_NOW)) as service:
        await eventually(lambda: _ends(winners), 20)
        found = states.decode(service.lanes[partition_of(b"R1", PARTITIONS)].store.get(b"R1"))
    assert (await winners())[0] == "parked" and not found.systems["erp"].dissent
    nudges = [one for one in await read_topic(kafka_bootstrap, topics.records("contact")) if one.key == b"R1"]
    # Asked about once: two rows, one nudge.
    assert len(nudges) == 3


async def _ends(winners) -> bool:
    found = await winners()
    return len(found) == 2 and found[-1] != "parked"


@asynccontextmanager
async def answering(hosting: Hosting, topics: Topics, folder: Path):
    """An app with the merge processor, and a way to ask it: path in, (status, body) out."""
    app = build_app(hosting, [processor(topics)], folder=folder)
    await app.start()
    try:
        # Asked for by the real path: an alias of it may be longer.
        connector = aiohttp.UnixConnector(str(socket_path(folder)))
        async with aiohttp.ClientSession(connector=connector) as session:

            async def ask(path: str) -> tuple[int, bytes]:
                async with session.get(f"http://processors{path}") as answer:
                    return answer.status, await answer.read()

            yield ask
    finally:
        await app.stop()


async def reached(ask, count: int) -> bool:
    status, body = await ask("/positions/merge.contact")
    positions = msgspec.json.decode(body) if status == 200 else {}
    return len(positions) == PARTITIONS and sum(sum(one.values()) for one in positions.values()) >= count


async def test_questions_about_the_state_are_answered(hosting, topics, kafka_bootstrap, tmp_path):
    await end_loads(kafka_bootstrap, topics)
    await append(kafka_bootstrap, topics, crm(1))
    place = f"/state/merge.contact/{partition_of(KEY, PARTITIONS)}"
    async with answering(hosting, topics, tmp_path) as ask:
        await eventually(lambda: reached(ask, 1 + 2 * PARTITIONS), 20)
        status, body = await ask(f"{place}?key={KEY.hex()}")
        assert status == 200 and states.decode(body).fields["name"].value == "Ann"
        status, body = await ask(f"{place}?prefix={b'R'.hex()}")
        assert [key for key, _ in msgspec.msgpack.decode(body)] == [KEY]
        asked = (f"{place}?key=00", "/state/merge.contact/99?key=00", "/state/links.contact/0?key=00", place)
        assert [(await ask(path))[0] for path in asked] == [404, 503, 503, 400]
    assert not socket_path(tmp_path).exists()


async def test_socket_of_a_dead_process_is_replaced(hosting, topics, tmp_path):
    (tmp_path / ".duplex").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path(tmp_path)))
    async with answering(hosting, topics, tmp_path) as ask:
        await eventually(lambda: reached(ask, 0), 20)


async def test_socket_of_a_living_process_is_left_alone(hosting, topics, tmp_path):
    (tmp_path / ".duplex").mkdir()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(socket_path(tmp_path)))
        living.listen()
        before = socket_path(tmp_path).stat()
        async with answering(hosting, topics, tmp_path):
            pass
        assert socket_path(tmp_path).stat().st_ino == before.st_ino


async def test_long_path_is_noted_and_short_one_used(hosting, topics, tmp_path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    async with answering(hosting, topics, folder) as ask:
        assert note_path(folder).exists() and len(str(socket_path(folder))) <= PATH_BYTES
        await eventually(lambda: reached(ask, 0), 20)
    assert not socket_path(folder).exists()
