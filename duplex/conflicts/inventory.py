"""Every conflict that stands: those on record, and open ones that the conflicts topic has forgotten.

The topic keeps its messages for some months, and an item may be parked for longer. Which items are parked the merge
itself knows; while the pipeline runs, it is asked.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from duplex import composition, lookups, topics
from duplex.catalog import CatalogMissingError
from duplex.composition import Composition
from duplex.conflicts import live, reading
from duplex.conflicts.book import Book, Entry
from duplex.conflicts.errors import ConflictMissingError
from duplex.lookups import NoAnswerError
from duplex.replaying import logs
from schemas.messages import Conflict, Side
from schemas.project.kafka import client_options
from schemas.project.loading import Loaded
from streams.merge.openings import Opening, openings
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.merge.values import EXISTENCE
from streams.processors.reserved import OPEN

DETAIL = "its first message is no longer on the conflicts topic: this is what the merge holds"


@dataclass(frozen=True, slots=True)
class Inventory:
    """A book of conflicts. `complete` is false where older ones may be open that nobody could be asked for; `composed`
    is None where the project file was changed and not applied yet."""

    book: Book
    composed: Composition | None
    complete: bool


async def read(loaded: Loaded) -> Inventory:
    """The conflicts on record, and every open one that the running pipeline knows of. Raises BrokerError."""
    found = await reading.book(loaded.project)
    composed = None
    try:
        composed = await composition.composed(loaded)
        for entity in composed.rules:
            for conflict in await _forgotten(composed, loaded.path, entity, found):
                found.note(conflict)
    except (CatalogMissingError, NoAnswerError):
        return Inventory(found, composed, not await _has_forgotten(loaded))
    return Inventory(found, composed, True)


async def one(loaded: Loaded, name: str) -> tuple[Entry, Book]:
    """The one conflict that this name means, and what was read to find it. Raises ConflictMissingError,
    AmbiguousConflictError, BrokerError."""
    try:
        return await reading.one(loaded.project, name)
    except ConflictMissingError:
        book = (await read(loaded)).book
        return reading.single(book, name), book


async def _forgotten(composed: Composition, path: Path, entity: str, book: Book) -> list[Conflict]:
    """The open items of an entity that a book does not have. Raises NoAnswerError where nobody runs."""
    known = Counter(entry.last.record_id for entry in book if entry.open and entry.decidable)
    counts = await _parked(composed, path, entity)
    records = [record_id for record_id, count in counts.items() if count > known[record_id]]
    if not records:
        return []
    states = await live.states_of(composed, path, entity, records)
    return [each for name, state in states.items() for each in missing(book, name, state, composed.rules[entity])]


async def _parked(composed: Composition, path: Path, entity: str) -> Mapping[str, int]:
    """How many items of each record of an entity are parked, as the running merge says. Raises NoAnswerError."""
    topic = composed.topics.state("merge", entity)
    places = [lookups.Place(f"merge.{entity}", topic, number) for number in range(composed.topics.partitions)]
    parts = await asyncio.gather(
        *(lookups.asked(composed.kafka, path, place, prefixes=(OPEN,)) for place in places), return_exceptions=True
    )
    counts: dict[str, int] = {}
    for part in parts:
        if isinstance(part, BaseException):
            raise part
        for key, value in part.items():
            counts[key.removeprefix(OPEN).decode()] = msgspec.msgpack.decode(value, type=int)
    return counts


def missing(book: Book, record_id: str, state: State, rules: Rules) -> Iterator[Conflict]:
    """The open items of a record that a book does not have, as the conflicts that they are."""
    for opening in openings(state, rules):
        known = book.get(f"{record_id}/{opening.number}")
        if known is None or not known.open:
            yield _conflict(record_id, opening, state, rules)


def _conflict(record_id: str, opening: Opening, state: State, rules: Rules) -> Conflict:
    existence, current = opening.field == EXISTENCE, opening.current
    return Conflict(
        id=f"{record_id}/{opening.number}",
        record_id=record_id,
        entity=rules.entity,
        field=opening.field,
        kind="existence" if existence else "value",
        rule=opening.rule,
        winner="parked",
        current=Side(system=current.system, value=_text(current.value, existence), ts_us=current.ts_us),
        incoming=Side(system=opening.system, value=_text(opening.candidate, existence), ts_us=opening.ts_us),
        detail=DETAIL,
        partition=-1,
        offset=state.offset,
        ts_us=opening.ts_us,
        version=opening.version,
        due_us=opening.due_us,
    )


def _text(value: object, existence: bool) -> str | None:
    return None if existence and value is None else msgspec.json.encode(value).decode()


async def _has_forgotten(loaded: Loaded) -> bool:
    """Whether the conflicts topic has lost messages to its retention."""
    bounds = await logs.bounds(client_options(loaded.project.kafka), topics.names(loaded.project).conflicts)
    return any(each.first > 0 for each in bounds.values())
