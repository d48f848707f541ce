"""Dead letters sent again to where they came from, or put away; and what became of those that were sent."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from aiokafka import AIOKafkaProducer

from duplex import broker, topics
from duplex.deadletters import obstacles, reading
from duplex.deadletters.book import Entry, Reached, past
from schemas import deadletters
from schemas.deadletters import Deed, Mark
from schemas.project.kafka import client_options
from schemas.project.model import Project

AT_ONCE = 2_000
POLL_S = 0.3
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Signed:
    """Who does it, why, and when (ms, UTC)."""

    by: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The letters that would be sent, in the order in which they stood in the log, and why others are not (by id).

    `edited` has the new bytes of those that are not sent as they are.
    """

    sent: tuple[Entry, ...]
    held: Mapping[str, str]
    edited: Mapping[str, bytes] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class Summary(msgspec.Struct, frozen=True):
    """What became of letters: how many were sent; of them, got past without failing, failed again, and are not reached
    yet; and why others were not sent, by id."""

    sent: int
    closed: int
    failed: int
    waiting: int
    held: dict[str, str]
    failures: dict[str, str]


async def plan(
    project: Project, chosen: Sequence[Entry], everything: Iterable[Entry], edited: Mapping[str, bytes]
) -> Plan:
    """What sending these again would do. Raises BrokerError."""
    held = await obstacles.found(project, chosen)
    sent = sorted((entry for entry in chosen if entry.id not in held), key=place)
    return Plan(tuple(sent), held, edited, tuple(_overtaken(sent, everything)))


def place(entry: Entry) -> tuple[str, int, int]:
    """Where the message first stood: what was sent before keeps its turn among those that were not."""
    first = entry.letters[0].failure
    return first.topic, first.partition, first.offset


def _overtaken(sent: Sequence[Entry], everything: Iterable[Entry]) -> Iterable[str]:
    """Earlier messages of the same keys that stay behind."""
    chosen = {entry.id for entry in sent}
    last = {(*place(entry)[:2], entry.last.key): entry for entry in sent}
    for other in everything:
        entry = last.get((*place(other)[:2], other.last.key))
        if entry and other.id not in chosen and other.state == "open" and place(other) < place(entry):
            yield f"{other.id} is of the same key as {entry.id}, and older; it stays behind"


async def retry(project: Project, planned: Plan, signed: Signed, progress: Progress) -> dict[str, Mark]:
    """Send what was planned, and mark it; returns the mark of each, by id. Raises BrokerError.

    A letter is marked once its message is safe: a crash between leaves it open, and sending it twice does no harm.
    """
    marks: dict[str, Mark] = {}
    async with broker.producer(client_options(project.kafka)) as producer:
        for start in range(0, len(planned.sent), AT_ONCE):
            portion = planned.sent[start : start + AT_ONCE]
            made = await _send(producer, planned, portion, signed)
            await _mark(producer, project, portion, made)
            marks |= made
            progress(len(portion))
    return marks


async def _send(producer: AIOKafkaProducer, planned: Plan, portion: Sequence[Entry], signed: Signed) -> dict[str, Mark]:
    futures = []
    for entry in portion:
        letter, failure = entry.last, entry.failure
        futures.append(
            await producer.send(
                failure.topic,
                planned.edited.get(entry.id, letter.value),
                key=letter.key,
                partition=failure.partition,
                headers=deadletters.sent_again(list(letter.headers), letter.id),
            )
        )
    done = await asyncio.gather(*futures)
    return {
        entry.id: _marked(
            entry, "retried", signed, (each.topic, each.partition, each.offset), entry.id in planned.edited
        )
        for entry, each in zip(portion, done, strict=True)
    }


def _marked(
    entry: Entry, deed: Deed, signed: Signed, place: tuple[str, int, int] | None = None, edited: bool = False
) -> Mark:
    return Mark(entry.last.id, deed, signed.at_ms, signed.by, signed.reason, place, edited)


async def _mark(
    producer: AIOKafkaProducer, project: Project, entries: Iterable[Entry], marks: Mapping[str, Mark]
) -> None:
    name, futures = topics.names(project).deadletters, []
    for entry in entries:
        headers = deadletters.mark_headers(marks[entry.id])
        futures.append(await producer.send(name, b"", partition=entry.last.partition, headers=headers))
    await asyncio.gather(*futures)


async def drop(project: Project, chosen: Sequence[Entry], signed: Signed) -> None:
    """Mark these as dropped: nothing is sent, and they are kept as long as the topic keeps them. Raises BrokerError."""
    await _write(project, chosen, {entry.id: _marked(entry, "dropped", signed) for entry in chosen})


async def _write(project: Project, entries: Sequence[Entry], marks: Mapping[str, Mark]) -> None:
    async with broker.producer(client_options(project.kafka)) as producer:
        for start in range(0, len(entries), AT_ONCE):
            await _mark(producer, project, entries[start : start + AT_ONCE], marks)


async def settled(
    project: Project, planned: Plan, marks: Mapping[str, Mark], signed: Signed, within_s: float
) -> Summary:
    """What became of those that were sent, as far as it is known within so many seconds. Those that are known to have
    got through are marked as closed, so that they stay so when the reader's group is forgotten. Raises BrokerError."""
    sent = [(entry.failure.component, marks[entry.id]) for entry in planned.sent]
    reached = await _reached(project, sent, within_s)
    book = await reading.book_at(project, reached)
    now = [entry for each in planned.sent if (entry := book.get(each.last.id)) is not None]
    through = [entry for entry in now if entry.state == "closed"]
    known = replace(signed, reason="")
    await _write(project, through, {entry.id: _marked(entry, "closed", known) for entry in through})
    return summary(planned, now)


async def _reached(project: Project, sent: Sequence[tuple[str, Mark]], within_s: float) -> Reached:
    """How far the readers have come, once they have got past all of it, or when the time is over."""
    deadline_s = time.monotonic() + within_s
    while True:
        reached = await reading.reached(project, sent)
        if all(past(reached, component, mark) for component, mark in sent) or time.monotonic() > deadline_s:
            return reached
        await asyncio.sleep(POLL_S)


def summary(planned: Plan, now: Sequence[Entry]) -> Summary:
    """The count of what became of letters that were sent; `now` is how they stand."""
    failures = {entry.id: entry.failure.message for entry in now if entry.state == "open"}
    closed = sum(1 for entry in now if entry.state == "closed")
    sent = len(planned.sent)
    return Summary(sent, closed, len(failures), sent - closed - len(failures), dict(planned.held), failures)
