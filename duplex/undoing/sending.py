"""Sending what undoes something, and waiting for what the merge makes of it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from duplex import lookups
from duplex.composition import Composition
from duplex.replaying import amending, groups
from duplex.replaying.amending import Sent
from duplex.undoing.changes import Step
from duplex.undoing.selecting import Undoing
from schemas.messages import Amendment
from streams.merge import states
from streams.merge.states import State
from streams.processors.settings import group_id

ANSWER_TIMEOUT_S = 30.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a step. `now` is the field's value after it; `by` and `ts_us` say who gave it that, and when."""

    step: Step
    undone: bool
    by: str
    ts_us: int


def amendments(undoing: Undoing, amended_by: str, reason: str, ts_us: int) -> list[Amendment]:
    """One amendment for each record. Fields that were changed since go along: the merge puts them on record."""
    return [
        Amendment(
            record_id=record_id,
            entity=undoing.entity,
            kind="undo",
            fields=tuple(step.amend for step in steps),
            amended_by=amended_by,
            reason=reason,
            ts_us=ts_us,
        )
        for record_id, steps in undoing.steps.items()
    ]


async def send(
    composed: Composition,
    project: Path,
    undoing: Undoing,
    wanted: list[Amendment],
    rate_per_s: float,
    say: Callable[[str], None],
    advance: Callable[[int, int], None],
) -> list[Answer] | None:
    """Send these amendments; what became of each step. None where the merge has not read them all in time: they are in
    the log, and will be carried out. Raises BrokerError, BehindError."""
    sent = await amending.send(composed, wanted, rate_per_s, say, advance)
    if not await _read(composed, undoing.entity, sent):
        return None
    found = await _states(composed, project, undoing)
    return [_answer(step, found[record_id]) for record_id, steps in undoing.steps.items() for step in steps]


async def _read(composed: Composition, entity: str, sent: list[Sent]) -> bool:
    """Whether the merge has read all of these, in time."""
    reach: dict[int, int] = {}
    for each in sent:
        reach[each.partition] = max(reach.get(each.partition, 0), each.offset + 1)
    group, topic = group_id(composed.topics.pipeline, f"merge.{entity}"), composed.topics.records(entity)
    deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline_s:
        committed = await groups.reached(composed.kafka, group, topic, list(reach))
        if all(committed.get(partition, 0) >= offset for partition, offset in reach.items()):
            return True
        await asyncio.sleep(POLL_S)
    return False


async def _states(composed: Composition, project: Path, undoing: Undoing) -> dict[str, State]:
    found: dict[str, State] = {}
    name, topic = f"merge.{undoing.entity}", composed.topics.state("merge", undoing.entity)
    for partition in sorted(set(undoing.partitions.values())):
        keys = [record.encode() for record, place in undoing.partitions.items() if place == partition]
        place = lookups.Place(name, topic, partition)
        answers = await lookups.look(composed.kafka, project, place, keys=keys)
        found |= {key.decode(): states.decode(data) for key, data in answers.items()}
    return found


def _answer(step: Step, state: State) -> Answer:
    field = state.fields[step.field]
    return Answer(step, field.value == step.back_to, field.by, field.ts_us)
