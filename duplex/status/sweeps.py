"""How the sweeps of a system without a log stand, from its notes: the last one, one under way, one that was asked for.

Such a system has a note for every row. Of a very large one only the newest notes are read: where its sweeps stand is
among them as long as one is under way or asked for, and its rows are not counted.
"""

from collections.abc import Mapping
from contextlib import aclosing

import msgspec

from connectors.remote.marks import Mark
from connectors.remote.surroundings import ASKED
from connectors.remote.sweeps import ID_BYTES, Progress
from duplex import broker
from duplex.status.facts import Sweep

MOST_NOTES = 100_000
NEWEST_NOTES = 20_000
Notes = Mapping[str, bytes]

_progress = msgspec.msgpack.Decoder(Progress)
_mark = msgspec.msgpack.Decoder(Mark)


async def notes(kafka: broker.Options, topic: str) -> tuple[Notes, bool]:
    """A system's notes by name, and whether these are all of them. Raises BrokerError."""
    found, is_whole = await _read(kafka, topic, None)
    if not is_whole:
        found, _ = await _read(kafka, topic, NEWEST_NOTES)
    return found, is_whole


async def of_system(kafka: broker.Options, topic: str, system: str, tables: Mapping[str, str]) -> list[Sweep]:
    """The sweeps of these entities, each with its table, as the notes on this topic say. Raises BrokerError."""
    found, is_whole = await notes(kafka, topic)
    return [sweep(system, entity, table, found, is_whole=is_whole) for entity, table in tables.items()]


def sweep(system: str, entity: str, table: str, notes: Notes, *, is_whole: bool) -> Sweep:
    """How the sweeps of one entity stand. `is_whole`: these are all notes there are, so that they can be counted."""
    last_us, under_way = _number(notes.get(f"swept/{entity}")), notes.get(f"sweep/{entity}")
    progress = None if under_way is None else _progress.decode(under_way)
    begun_us = max(last_us or 0, progress.started_us if progress else 0)
    asked_us = max(_number(notes.get(name)) or 0 for name in (ASKED, f"{ASKED}{table}"))
    return Sweep(
        system=system,
        entity=entity,
        last_us=last_us,
        started_us=progress.started_us if progress else None,
        listed=_listed(entity, progress, notes),
        asked_us=asked_us if asked_us > begun_us else None,
        is_loaded=True if f"loaded/{entity}" in notes else False if is_whole else None,
        rows=_rows(entity, notes) if is_whole else None,
        waiting=sum(name.startswith(f"parked/{entity}/") for name in notes) if is_whole else None,
    )


def _listed(entity: str, progress: Progress | None, notes: Notes) -> int:
    pages = range(progress.page if progress else 0)
    return sum(len(notes.get(f"seen/{entity}/{page}", b"")) // ID_BYTES for page in pages)


def _rows(entity: str, notes: Notes) -> int:
    return sum(not _mark.decode(data).is_gone for name, data in notes.items() if name.startswith(f"row/{entity}/"))


def _number(data: bytes | None) -> int | None:
    return None if data is None else int(data)


async def _read(kafka: broker.Options, topic: str, last: int | None) -> tuple[Notes, bool]:
    """The notes by name, and whether there were no more of them than can be read at once."""
    found: dict[str, bytes] = {}
    count = 0
    async with aclosing(broker.read_all(kafka, topic, last)) as batches:  # type: ignore[type-var]
        async for messages in batches:
            count += len(messages)
            if count > MOST_NOTES:
                return found, False
            for message in messages:
                _keep(found, (message.key or b"").decode(), message.value)
    return found, True


def _keep(found: dict[str, bytes], name: str, value: bytes | None) -> None:
    if value is None:
        found.pop(name, None)
    else:
        found[name] = value
