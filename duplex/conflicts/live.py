"""The merge's own state of the records that have conflicts: what is parked now, and beside which value."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec

from duplex import broker, lookups
from duplex.composition import Composition
from duplex.conflicts.errors import EntityGoneError
from schemas.messages import Conflict
from streams.merge import states
from streams.merge.openings import openings
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.merge.values import EXISTENCE, Value

READABLE_MESSAGES = 300_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A parked item and the hub's side of it, as they are now.

    `candidate`, which `system` wrote at `since_us`, and `current` are JSON text (None: no row); `version` is what a
    decision must name; `by` and `ts_us` say whose the hub's value is and since when.
    """

    system: str
    candidate: str | None
    since_us: int
    current: str | None
    version: int
    by: str
    ts_us: int


async def states_of(
    composed: Composition, project_path: Path, entity: str, records: Collection[str]
) -> dict[str, State]:
    """The states of these records; one that the merge does not know is left out.

    Raises BrokerError, LogUnreadableError, StateEntryError, StateError.
    """
    places: dict[lookups.Place, list[bytes]] = {}
    for record_id in sorted(set(records)):
        key = record_id.encode()
        places.setdefault(lookups.place_of(composed, "merge", entity, key), []).append(key)
    found = await asyncio.gather(
        *(lookups.look(composed.kafka, project_path, place, keys=keys) for place, keys in places.items())
    )
    return {key.decode(): states.decode(data) for part in found for key, data in part.items()}


async def state_of(composed: Composition, project_path: Path, entity: str, record_id: str) -> State | None:
    """The state of one record; None where the merge does not know it. Raises as `states_of` does."""
    return (await states_of(composed, project_path, entity, (record_id,))).get(record_id)


async def names_of(composed: Composition, project_path: Path, conflicts: Collection[Conflict]) -> dict[str, str]:
    """What people call the records of these conflicts: by record id, the natural key, or else the first field.

    Where the pipeline does not run and its state is too long to read for that, nothing is found.
    """
    by_entity: dict[str, set[str]] = {}
    for conflict in conflicts:
        if conflict.entity in composed.rules:
            by_entity.setdefault(conflict.entity, set()).add(conflict.record_id)
    names: dict[str, str] = {}
    for entity, records in by_entity.items():
        if await _within_reach(composed, project_path, entity):
            found = await states_of(composed, project_path, entity, records)
            names |= {record_id: name_of(composed, entity, state) for record_id, state in found.items()}
    return names


async def _within_reach(composed: Composition, project_path: Path, entity: str) -> bool:
    if lookups.socket_path(project_path).exists():
        return True
    return await broker.count(composed.kafka, composed.topics.state("merge", entity)) <= READABLE_MESSAGES


def name_of(composed: Composition, entity: str, state: State) -> str:
    """What people call a record: the values of its natural key, or else of its first field."""
    given = composed.project.entities[entity]
    fields = given.match or (next(iter(given.fields)),)
    values = [state.fields[name].value for name in fields if name in state.fields]
    return ", ".join(value if isinstance(value, str) else json_text(value) for value in values)


def standing(state: State | None, rules: Rules, number: int) -> Standing | None:
    """The item of this number and what stands beside it; None where it is not parked any more."""
    found = None if state is None else next((one for one in openings(state, rules) if one.number == number), None)
    if found is None:
        return None
    existence = found.field == EXISTENCE
    return Standing(
        system=found.system,
        candidate=None if existence and found.candidate is None else json_text(found.candidate),
        since_us=found.ts_us,
        current=None if existence and found.current.value is None else json_text(found.current.value),
        version=found.version,
        by=found.current.system,
        ts_us=found.current.ts_us,
    )


def rules_of(composed: Composition, conflict: Conflict) -> Rules:
    """The rules of a conflict's entity. Raises EntityGoneError where the project has it no more."""
    if conflict.entity not in composed.rules:
        raise EntityGoneError(conflict.id, conflict.entity)
    return composed.rules[conflict.entity]


def json_text(value: Value) -> str:
    """The JSON text of a value, as the conflicts topic has it."""
    return msgspec.json.encode(value).decode()
