"""Single keys and single messages, from real topics and over a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from duplex import broker, lookups
from duplex.composition import Composition
from duplex.demo import databases
from duplex.lookups import Place
from schemas.project.loading import load
from schemas.topics import Topics, TopicSpec
from streams.processors import changelogs
from streams.processors.changelogs import Entry, Stamp

KEYS = [f"record-{number}".encode() for number in range(50)]
MESSAGES = 1000
PLACE_TOPIC = "state"


@pytest.fixture
def composed(kafka_bootstrap: str, pipeline_name: str, tmp_path: Path) -> Composition:
    """Enough of a composition for lookups: where Kafka is, and what topics are called."""
    path = tmp_path / "duplex.yaml"
    path.write_text(databases.script("project.yaml").replace("PIPELINE", pipeline_name))
    environment = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "CRM_DSN": "x", "ERP_DSN": "x"}
    project, kafka = load(path, environment).project, {"bootstrap_servers": kafka_bootstrap}
    return Composition(project, Topics(pipeline_name, 2), {}, {}, {}, kafka)


async def written(composed: Composition, topic: str, partition: int, entries: Sequence[Entry]) -> None:
    """These messages, in batches of about ten, in a topic made for them."""
    await broker.create_missing(composed.kafka, [TopicSpec(topic, 2, {})], 1)
    async with broker.producer(composed.kafka) as producer:
        for start in range(0, len(entries), 10):
            batch = producer.create_batch()
            for one in entries[start : start + 10]:
                batch.append(timestamp=None, key=one.key, value=one.value, headers=list(one.headers))
            await (await producer.send_batch(batch, topic, partition=partition))


@pytest.fixture
async def log(composed: Composition) -> str:
    """A record log whose partition 1 has MESSAGES messages, the value of each being its offset."""
    topic = composed.topics.records("contact")
    entries = [Entry(KEYS[number % len(KEYS)], str(number).encode()) for number in range(MESSAGES)]
    await written(composed, topic, 1, entries)
    return topic


async def test_single_events_are_read_by_their_offsets(composed: Composition, log: str) -> None:
    wanted = [3, 4, 11, 500, 507, 999]
    found = await lookups.events(composed, "contact", 1, [*reversed(wanted), 500])
    assert [(each.offset, each.value) for each in found] == [(offset, str(offset).encode()) for offset in wanted]
    assert {each.topic for each in found} == {log}


async def test_offsets_that_the_log_does_not_have_are_left_out(composed: Composition, log: str) -> None:
    assert [each.offset for each in await lookups.events(composed, "contact", 1, [998, 1000, 5000])] == [998]
    assert await lookups.events(composed, "contact", 1, []) == []


async def test_every_message_of_a_key_is_found_by_reading_all(composed: Composition, log: str) -> None:
    found = await lookups.scan_key(composed.kafka, log, 1, KEYS[7])
    assert [each.offset for each in found] == list(range(7, MESSAGES, len(KEYS)))


async def test_a_topic_that_does_not_exist_has_no_messages(composed: Composition) -> None:
    assert await lookups.scan_key(composed.kafka, composed.topics.golden("contact"), 0, b"k") == []


@pytest.fixture
async def state(composed: Composition) -> Place:
    """A changelog in which a batch was cut short behind two whole ones."""
    place = Place("merge.contact", composed.topics.state("merge", "contact"), 0)
    whole = [
        *changelogs.batch({b"a": b"1", b"b": b"1", b"\x00x/1": b"one"}, {"in": 10}, Stamp(1, 10)),
        *changelogs.batch({b"a": b"2", b"\x00x/2": b"two", b"b": None}, {"in": 20}, Stamp(1, 20)),
    ]
    cut_short = changelogs.batch({b"a": b"3"}, {"in": 30}, Stamp(1, 30))[:-1]
    await written(composed, place.topic, place.partition, [*whole, *cut_short])
    return place


async def test_where_nobody_runs_the_last_whole_batch_counts_and_it_is_said(
    composed: Composition, state: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lookups.say_once.cache_clear()
    names = (state.processor, state.topic, state.partition)
    assert await lookups.state(composed, tmp_path / "duplex.yaml", *names, b"a") == b"2"
    assert await lookups.state(composed, tmp_path / "duplex.yaml", *names, b"b") is None
    found = await lookups.states(composed, tmp_path / "duplex.yaml", *names, b"\x00x/")
    assert found == {b"\x00x/1": b"one", b"\x00x/2": b"two"}
    assert capsys.readouterr().err.count("`duplex run`") == 1


Answer = Callable[[str], bytes | None]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[[Answer], Awaitable[list[str]]]]:
    """`await serve(answer)` answers on the project's socket, and returns the list of paths that were asked for."""
    servers: list[asyncio.Server] = []
    connections: list[asyncio.StreamWriter] = []

    async def start(answer: Answer) -> list[str]:
        asked: list[str] = []

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
                    body = answer(asked[-1])
                    status = b"404 -" if body is None else b"503 -" if body == b"elsewhere" else b"200 OK"
                    head = b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\ncontent-length: %d\r\n\r\n"
                    writer.write(head % (status, len(body or b"")) + (body or b""))
            writer.close()

        (tmp_path / ".duplex").mkdir()
        servers.append(await asyncio.start_unix_server(one, tmp_path / ".duplex" / "processors.sock"))
        return asked

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()
    assert len(connections) <= 1


async def test_running_processors_are_asked_and_no_topic_is_read(
    composed: Composition, tmp_path: Path, serve: Callable[[Answer], Awaitable[list[str]]]
) -> None:
    pairs = msgspec.msgpack.encode([(b"\x00x/1", b"one")])
    asked = await serve(lambda path: pairs if "prefix" in path else b"live" if path.endswith("=61") else None)
    place, path = Place("merge.contact", "no.such.topic", 1), tmp_path / "duplex.yaml"
    found = await lookups.look({}, path, place, keys=(b"a", b"b"), prefixes=(b"\x00x/",))
    assert found == {b"a": b"live", b"\x00x/1": b"one"}
    assert asked[0] == "/state/merge.contact/1?key=61"
    assert asked[2] == "/state/merge.contact/1?prefix=00782f"


async def test_many_keys_are_asked_for_over_one_connection(
    tmp_path: Path, serve: Callable[[Answer], Awaitable[list[str]]]
) -> None:
    asked = await serve(lambda path: path.encode() if int(path[-2:], 16) % 2 else None)
    keys = [b"%d" % number for number in range(500)]
    found = await lookups.look({}, tmp_path / "duplex.yaml", Place("merge.contact", "t", 1), keys=keys)
    assert found == {key: f"/state/merge.contact/1?key={key.hex()}".encode() for key in keys if key[-1] % 2}
    assert len(asked) == len(keys)


async def test_a_process_that_does_not_hold_the_partition_is_passed_by(
    composed: Composition, state: Place, tmp_path: Path, serve: Callable[[Answer], Awaitable[list[str]]]
) -> None:
    await serve(lambda _: b"elsewhere")
    found = await lookups.look(composed.kafka, tmp_path / "duplex.yaml", state, keys=(b"a",))
    assert found == {b"a": b"2"}


async def test_a_socket_noted_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / ".duplex").mkdir()
    (tmp_path / ".duplex" / "processors.path").write_text("/short/p.sock\n")
    assert lookups.socket_path(tmp_path / "duplex.yaml") == Path("/short/p.sock")
