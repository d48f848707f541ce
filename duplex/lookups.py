"""What the processors know of single keys, and single messages of a record log, found without reading it all.

Where the pipeline runs, its processors answer over a Unix socket in the project's folder, from settled state. Where
it does not, the one partition of the changelog that has the key is read, as a restart would read it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from aiokafka import TopicPartition

from duplex import broker, sockets
from duplex.broker import Message
from duplex.composition import Composition
from duplex.errors import DuplexError
from schemas.placement import partition_of
from streams.processors import changelogs

ANSWER_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
FETCH_WAIT_MS = 5
SCAN_FETCH_BYTES = 8 * 1024 * 1024
NOT_RUNNING = (
    "The pipeline is not running here, so its state is read from Kafka, which takes longer: "
    "with `duplex run` this is answered at once."
)


class LogUnreadableError(DuplexError):
    """A partition that stopped answering in the middle."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        super().__init__(
            "the log cannot be read to its end",
            f"topic {topic}, partition {partition}, offset {offset}",
            f"the broker sent nothing for {READ_TIMEOUT_S:g} s",
            "Look at the broker's log, and try again.",
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a processor keeps the state of a key: its name (`merge.contact`), its changelog, the partition."""

    processor: str
    topic: str
    partition: int


def place_of(composed: Composition, name: str, entity: str, key: bytes) -> Place:
    """Where one of our own processors (links, claims, merge) keeps a key of an entity."""
    partition = partition_of(key, composed.topics.partitions)
    return Place(f"{name}.{entity}", composed.topics.state(name, entity), partition)


async def state(
    composed: Composition, project_path: Path, processor: str, topic: str, partition: int, key: bytes
) -> bytes | None:
    """The state of one key of a processor (`merge.contact`), whose changelog is `topic`; None if there is none.

    Raises BrokerError, LogUnreadableError, StateEntryError.
    """
    place = Place(processor, topic, partition)
    return (await look(composed.kafka, project_path, place, keys=(key,))).get(key)


async def states(
    composed: Composition, project_path: Path, processor: str, topic: str, partition: int, prefix: bytes
) -> dict[bytes, bytes]:
    """The state of every key of a processor that begins with `prefix`, in one partition. Raises as `state` does."""
    return await look(composed.kafka, project_path, Place(processor, topic, partition), prefixes=(prefix,))


Look = Callable[..., Awaitable[dict[bytes, bytes]]]


async def look(
    options: broker.Options,
    project_path: Path,
    place: Place,
    *,
    keys: Collection[bytes] = (),
    prefixes: Sequence[bytes] = (),
) -> dict[bytes, bytes]:
    """The state of these keys, and of every key that begins with one of these prefixes; absent keys are left out.

    Asked of a running pipeline, keys are answered in the order given, then the prefixes: what is settled in between
    may show in later ones. Raises BrokerError, LogUnreadableError, StateEntryError.
    """
    try:
        return await asked(options, project_path, place, keys=keys, prefixes=prefixes)
    except NoAnswerError:
        say_once(NOT_RUNNING)
    return await recovered(options, place, keys, prefixes)


async def asked(
    options: broker.Options,
    project_path: Path,
    place: Place,
    *,
    keys: Collection[bytes] = (),
    prefixes: Sequence[bytes] = (),
) -> dict[bytes, bytes]:
    """As `look`, of the running processors only. Raises NoAnswerError."""
    try:
        return await _asked(socket_path(project_path), place, keys, prefixes)
    except OSError as error:
        raise NoAnswerError(str(error)) from error


class NoAnswerError(Exception):
    """Nobody who runs holds what was asked for."""


def socket_path(project_path: Path) -> Path:
    """Where the processors of this project file answer questions while they run."""
    folder = project_path.resolve().parent / sockets.FOLDER
    elsewhere = folder / "processors.path"
    if elsewhere.is_file():
        return Path(elsewhere.read_text().strip())
    return folder / "processors.sock"


@cache
def say_once(text: str) -> None:
    """A remark beside the answer, on standard error, the first time only."""
    print(text, file=sys.stderr)


async def _asked(socket: Path, place: Place, keys: Collection[bytes], prefixes: Sequence[bytes]) -> dict[bytes, bytes]:
    path = f"/state/{quote(place.processor)}/{place.partition}"
    questions = [f"{path}?key={key.hex()}" for key in keys] + [f"{path}?prefix={prefix.hex()}" for prefix in prefixes]
    answers = await _ask_all(socket, questions)
    found = {key: answer for key, answer in zip(keys, answers, strict=False) if answer is not None}
    for answer in answers[len(keys) :]:
        found |= dict(msgspec.msgpack.decode(answer or b"\x90", type=list[tuple[bytes, bytes]]))
    return found


async def ask(socket: Path, question: str) -> bytes | None:
    """One question to the running processors; None where they answer that there is no such thing.

    Raises OSError where nobody listens, and NoAnswerError for what only they could answer, and do not.
    """
    return _body(*await asyncio.to_thread(sockets.ask, socket, question, ANSWER_TIMEOUT_S))


async def _ask_all(socket: Path, questions: Sequence[str]) -> list[bytes | None]:
    """As `ask`, for many questions over one connection."""
    answers = await asyncio.to_thread(sockets.ask_all, socket, questions, ANSWER_TIMEOUT_S)
    return [_body(*answer) for answer in answers]


def _body(status: int, body: bytes) -> bytes | None:
    if status == sockets.NO_SUCH_THING:
        return None
    if status != sockets.OK:
        raise NoAnswerError(f"status {status}")
    return body


async def recovered(
    options: broker.Options, place: Place, keys: Collection[bytes], prefixes: Sequence[bytes] = ()
) -> dict[bytes, bytes]:
    """As `look`, from the changelog alone: all of the partition is read."""
    recovery = changelogs.Recovery()
    exactly, beginning = frozenset((*keys, changelogs.MARK_KEY)), tuple(prefixes)

    def wanted(key: bytes) -> bool:
        return key in exactly or key.startswith(beginning)

    async for messages in scan(options, place.topic, place.partition, wanted):
        recovery.feed(changelogs.Entry(each.key or b"", each.value, each.headers) for each in messages)
    return recovery.result().content


async def scan_key(options: broker.Options, topic: str, partition: int, key: bytes) -> list[Message]:
    """Every message of one key in one partition, in order: all of it is read. Raises as `scan` does."""
    return [each async for found in scan(options, topic, partition, key.__eq__) for each in found]


async def scan(
    options: broker.Options, topic: str, partition: int, wanted: Callable[[bytes], bool]
) -> AsyncIterator[list[Message]]:
    """The messages of a partition whose keys are wanted, from its beginning to its end now, in batches.

    A partition that does not exist is empty. Raises BrokerError, LogUnreadableError.
    """
    source = TopicPartition(topic, partition)
    async with _reading(options, SCAN_FETCH_BYTES) as client:
        if not await _exists(client, source):
            return
        client.assign([source])
        position = (await client.beginning_offsets([source]))[source]
        end = (await client.end_offsets([source]))[source]
        client.seek(source, position)
        while position < end:
            records = await _next(client, source, position)
            position = records[-1].offset + 1
            yield [_message(each) for each in records if wanted(each.key or b"") and each.offset < end]


async def events(composed: Composition, entity: str, partition: int, offsets: Iterable[int]) -> list[Message]:
    """These messages of an entity's record log, in order; those that the log no longer has are left out.

    Each costs a round trip to the broker, those that stand near each other one together. Raises BrokerError,
    LogUnreadableError.
    """
    pending = sorted(set(offsets))
    if not pending:
        return []
    source = TopicPartition(composed.topics.records(entity), partition)
    found: list[Message] = []
    # One byte: the broker then sends the one batch of messages that has the offset, and no more.
    async with _reading(composed.kafka, 1) as client:
        client.assign([source])
        first = (await client.beginning_offsets([source]))[source]
        end = (await client.end_offsets([source]))[source]
        pending = [offset for offset in pending if first <= offset < end]
        while pending:
            client.seek(source, pending[0])
            records = await _next(client, source, pending[0])
            chosen = {each.offset: each for each in records if each.offset in pending}
            found += [_message(each) for each in chosen.values()]
            # What stands before the last message that came and is not among them is gone.
            pending = [offset for offset in pending if offset > records[-1].offset]
    return found


def _reading(options: broker.Options, fetch_bytes: int) -> Any:
    return broker.consumer(options, max_partition_fetch_bytes=fetch_bytes, fetch_max_wait_ms=FETCH_WAIT_MS)


async def _exists(client: Any, source: TopicPartition) -> bool:
    return source.topic in await client.topics()


async def _next(client: Any, source: TopicPartition, position: int) -> Sequence[Any]:
    """The records that come next; at least one. Raises LogUnreadableError."""
    found: Mapping[TopicPartition, Sequence[Any]] = await client.getmany(source, timeout_ms=int(READ_TIMEOUT_S * 1000))
    if not found.get(source):
        raise LogUnreadableError(source.topic, source.partition, position)
    return found[source]


def _message(record: Any) -> Message:
    headers = tuple(record.headers or ())
    return Message(record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, headers)
