"""What undoing would do, and what it did, for a person."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from duplex.status.sentences import stamp
from duplex.undoing.changes import Step
from duplex.undoing.selecting import Undoing
from duplex.undoing.sending import Answer
from streams.merge.turns import DECISION
from streams.merge.values import EXISTENCE, Value


def planned(undoings: Iterable[Undoing]) -> Iterator[str]:
    """What would be done."""
    for undoing in undoings:
        for record_id, steps in undoing.steps.items():
            yield f"{undoing.entity} {record_id}"
            yield from (f"  {_planned(step)}" for step in steps)


def _planned(step: Step) -> str:
    if not step.clear:
        return f"{_name(step)}: {_since(step)}: would be left alone, as {_shown(step, step.now)}"
    if step.field == EXISTENCE:
        return "the record would be deleted" if step.back_to is None else "the record would live again"
    return f"{_name(step)}: {_shown(step, step.now)} → {_shown(step, step.back_to)}"


def done(answers: Iterable[Answer]) -> Iterator[str]:
    """What was done, field by field."""
    record_id = ""
    for answer in answers:
        if answer.step.record_id != record_id:
            record_id = answer.step.record_id
            yield record_id
        yield f"  {_done(answer)}"


def _done(answer: Answer) -> str:
    step = answer.step
    if not answer.undone:
        when = f" at {stamp(answer.ts_us)}" if answer.ts_us else ""
        return f"{_name(step)}: changed since by {_who(answer.by)}{when}: left alone, and put on record"
    if step.field == EXISTENCE:
        return "undone: the record is deleted" if step.back_to is None else "undone: the record lives again"
    return f"{_name(step)}: undone, {_shown(step, step.back_to)} again"


def _since(step: Step) -> str:
    when = f" at {stamp(step.since_us)}" if step.since_us > 1 else ""
    return f"changed since by {_who(step.since_by)}{when}"


def _who(by: str) -> str:
    return "an operator" if by == DECISION else by or "a load"


def _name(step: Step) -> str:
    return "existence" if step.field == EXISTENCE else step.field


def _shown(step: Step, value: Value) -> str:
    if step.field == EXISTENCE:
        return "deleted" if value is None else "alive"
    return msgspec.json.encode(value).decode()


def data(undoings: Iterable[Undoing], answers: Mapping[tuple[str, str], Answer] | None) -> list[dict[str, Any]]:
    """The same as data: one entry for each field of each record. `undone` is null where nothing was sent."""
    return [
        {
            "entity": undoing.entity,
            "record_id": step.record_id,
            "field": step.field,
            "now": step.now,
            "back_to": step.back_to,
            "clear": step.clear,
            "changed_since_by": step.since_by or None,
            "undone": None if answers is None else answers[step.record_id, step.field].undone,
        }
        for undoing in undoings
        for steps in undoing.steps.values()
        for step in steps
    ]
