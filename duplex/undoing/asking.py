"""From what a person asked to the events that are meant."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from duplex.composition import Composition
from duplex.explaining import retelling
from duplex.explaining.finding import Found, find
from duplex.replaying import places
from duplex.replaying.errors import EntityMissingError, PlaceError
from duplex.undoing.errors import WhatError
from duplex.undoing.selecting import COMMAND, OfCommands, OfEvents, OfRecord, OfSystem, OfTransaction, Selection

RANGE = re.compile(r"(?P<first>[0-9]+)(?:\.\.(?P<last>[0-9]+))?")
TRANSACTION = re.compile(r"(?P<system>[a-z][a-z0-9_]*):(?P<number>[0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of `duplex undo`, as they were typed."""

    record: str | None = None
    fields: tuple[str, ...] = ()
    event: str | None = None
    partition: int | None = None
    entity: str | None = None
    commands: tuple[str, ...] = ()
    transaction: str | None = None
    since: str | None = None
    system: str | None = None


def words(asked: Asked) -> str:
    """What was asked, as options."""
    named = {
        "": asked.record,
        "--event": asked.event,
        "--transaction": asked.transaction,
        "--since": asked.since,
        "--system": asked.system,
    }
    said = [f"{option} {value}".strip() for option, value in named.items() if value is not None]
    more = [f"--command {one}" for one in asked.commands] + [f"--field {name}" for name in asked.fields]
    return " ".join([*said, *more])


def check(asked: Asked) -> None:
    """Whether exactly one thing was asked for, and all that belongs to it. Raises WhatError."""
    given = [asked.record, asked.event, asked.commands or None, asked.transaction, asked.since]
    if sum(one is not None for one in given) != 1:
        raise WhatError(words(asked), "exactly one thing can be undone at a time")
    if asked.fields and asked.record is None:
        raise WhatError(words(asked), "--field belongs to a record")
    if asked.event is not None and (asked.partition is None or asked.entity is None):
        raise WhatError(words(asked), "an offset is a place in one partition of one entity's log")
    if asked.since is not None and asked.system is None:
        raise WhatError(words(asked), "--since needs the system whose doings are meant")
    if asked.system is not None and asked.since is None:
        raise WhatError(words(asked), "--system belongs to --since")


async def selections(composed: Composition, path: Path, asked: Asked) -> list[tuple[str, Selection]]:
    """The entities concerned, and what is selected in each.

    Raises WhatError, EntityMissingError, RecordMissingError.
    """
    if asked.entity is not None and asked.entity not in composed.rules:
        raise EntityMissingError(asked.entity, tuple(composed.rules))
    entities = tuple(composed.rules) if asked.entity is None else (asked.entity,)
    if asked.record is not None:
        return await _of_record(composed, path, asked)
    if asked.commands:
        return await _of_commands(composed, path, asked)
    if asked.event is not None:
        return [(entity, _events(asked)) for entity in entities]
    selection: Selection = _transaction(asked) if asked.transaction is not None else _since(asked)
    system = getattr(selection, "system", "")
    concerned = [entity for entity in entities if system in composed.rules[entity].systems]
    if not concerned:
        raise WhatError(words(asked), f"the project has no system {system} in {', '.join(entities)}")
    return [(entity, selection) for entity in concerned]


async def _of_record(composed: Composition, path: Path, asked: Asked) -> list[tuple[str, Selection]]:
    one = await _one(composed, path, asked, asked.record or "")
    unknown = [name for name in asked.fields if name not in composed.rules[one.entity].fields]
    if unknown:
        known = ", ".join(composed.rules[one.entity].fields)
        raise WhatError(words(asked), f"{one.entity} has no field {unknown[0]}: it has {known}")
    return [(one.entity, OfRecord(one, asked.fields))]


async def _of_commands(composed: Composition, path: Path, asked: Asked) -> list[tuple[str, Selection]]:
    wanted: dict[str, set[tuple[str, int]]] = {}
    for named in map(command, asked.commands):
        wanted.setdefault(named["record"], set()).add((named["system"], int(named["number"])))
    found = {record: await _one(composed, path, asked, record) for record in wanted}
    return [(found[record].entity, OfCommands(found[record], frozenset(many))) for record, many in wanted.items()]


async def _one(composed: Composition, path: Path, asked: Asked, name: str) -> Found:
    """The one record that this name means."""
    found = await find(composed, path, name, asked.entity, retelling.beside)
    if len(found) > 1:
        names = ", ".join(f"{one.entity} {one.record_id}" for one in found)
        raise WhatError(words(asked), f"this may be {names}")
    return found[0]


def command(text: str) -> re.Match[str]:
    """A command's id in its parts: record, system, number. Raises WhatError."""
    found = COMMAND.fullmatch(text.strip())
    if found is None:
        raise WhatError(f"--command {text}", "a command is called RECORD/SYSTEM/NUMBER")
    return found


def _events(asked: Asked) -> OfEvents:
    found = RANGE.fullmatch((asked.event or "").strip())
    if found is None or asked.partition is None:
        raise WhatError(f"--event {asked.event}", "an offset, or two of them as 100..120, is expected")
    return OfEvents(asked.partition, int(found["first"]), int(found["last"] or found["first"]))


def _transaction(asked: Asked) -> OfTransaction:
    found = TRANSACTION.fullmatch((asked.transaction or "").strip())
    if found is None:
        raise WhatError(f"--transaction {asked.transaction}", "a system and its transaction's number is expected")
    return OfTransaction(found["system"], int(found["number"]))


def _since(asked: Asked) -> OfSystem:
    place = places.parse("--since", asked.since or "", time.time_ns() // 1000)
    if place.ts_ms is None:
        raise PlaceError("--since", asked.since or "", "a moment is expected")
    return OfSystem(asked.system or "", place.ts_ms)
