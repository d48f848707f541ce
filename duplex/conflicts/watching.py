"""New conflicts and the ends of old ones, as they come."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from duplex import broker, topics
from duplex.conflicts.book import Book, Entry
from duplex.conflicts.conditions import Wanted
from schemas.project.kafka import client_options
from schemas.project.model import Project

Happening = Literal["opened", "changed", "ended", "decided"]


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that happened to a conflict: it was opened, its item changed, a parked one ended, or one was decided
    by a policy at once."""

    happening: Happening
    entry: Entry


def happening(before: Entry | None, after: Entry) -> Happening:
    """What a message says, beside what was known before it."""
    if after.open:
        return "changed" if before is not None and before.open else "opened"
    return "ended" if after.parked else "decided"


async def watch(
    project: Project, wanted: Wanted, now_us: int, ready: Callable[[], None] = lambda: None
) -> AsyncIterator[Seen]:
    """What happens from now on to conflicts that are meant, without an end; `ready` is called where "now" is fixed.

    With `wanted.standing` "open", those that a policy decides at once are left out; "decided" shows ends and those
    only. Raises BrokerError, TopicRefusedError.
    """
    options, topic = client_options(project.kafka), topics.names(project).conflicts
    ends, book = await _ends(options, topic), Book()
    ready()
    async with aclosing(broker.follow(options, topic, from_beginning=True)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            for message in batch:
                seen = take(book, message.value)
                past = message.offset < ends.get(message.partition, 0)
                if seen is not None and not past and _meant(seen, wanted, now_us):
                    yield seen


def take(book: Book, value: bytes | None) -> Seen | None:
    """What a message of the conflicts topic says has happened."""
    found = book.decoded(value)
    if found is None:
        return None
    before = book.get(found.id)
    after = book.note(found)
    return Seen(happening(before, after), after)


def _meant(seen: Seen, wanted: Wanted, now_us: int) -> bool:
    if wanted.standing == "open" and seen.happening == "decided":
        return False
    if wanted.standing == "decided" and seen.entry.open:
        return False
    return wanted.asks(seen.entry, now_us)


async def _ends(options: broker.Options, topic: str) -> dict[int, int]:
    partitions = await broker.partitions_of(options, topic)
    if not partitions:
        return {}
    async with broker.consumer(options) as client:
        return {partition.partition: end for partition, end in (await client.end_offsets(partitions)).items()}
