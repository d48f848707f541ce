"""From a record that was found to its explanation: its events are read by the trail, and merged again."""

import asyncio
import difflib
from collections.abc import Iterator, Sequence

from duplex import lookups
from duplex.broker import Message
from duplex.composition import Composition
from duplex.explaining.explanation import Subject, explain
from duplex.explaining.facts import Explanation
from duplex.explaining.finding import Found
from duplex.explaining.steps import Step
from duplex.usage import UsageError
from streams.merge import states
from streams.merge.rules import Rules
from streams.merge.values import EXISTENCE
from streams.processors import marks, refolding, trails
from streams.processors.records import Record
from streams.processors.regimes import Regimes
from streams.processors.reserved import TRAIL

EXISTENCE_NAMES = (EXISTENCE, "existence")


class FieldMissingError(UsageError):
    """A field that the entity does not have."""

    def __init__(self, name: str, entity: str, fields: Sequence[str]) -> None:
        near = difflib.get_close_matches(name, fields, 1)
        super().__init__(
            "no such field",
            f"{name} of {entity}",
            f"{entity} has {', '.join(fields)}, and existence",
            f"Did you mean {near[0]}?" if near else "Name one of these, or none for all.",
        )


def beside(record_id: str) -> tuple[bytes, ...]:
    """What must be looked up beside a record's state: its trail, and the marks of its partition."""
    return (TRAIL + record_id.encode() + b"/", *marks.KEYS, *marks.PREFIXES)


async def explained(composed: Composition, found: Found, field: str | None, history: bool) -> Explanation:
    """The explanation of a record that was found with `beside`; of one field only, if it is named.

    Raises FieldMissingError, BrokerError, LogUnreadableError, and what undecodable bytes lead to.
    """
    name = _field_name(field, found.entity, composed.rules[found.entity].fields)
    live = states.decode(found.state)
    messages, missing = await _messages(composed, found, live)
    # In a thread: a record with a long history must not hold up a loop that has other work.
    whole = await asyncio.to_thread(_folded, composed, found, live, messages, missing, history)
    return whole if name is None else whole.only(name)


def _folded(
    composed: Composition, found: Found, live: states.State, messages: list[Message], missing: int, history: bool
) -> Explanation:
    known, regimes = marks.marks_of(found.beside), _regimes(composed, found.entity)
    steps = list(_steps(refolding.fold([_record(each) for each in messages], known, regimes)))
    subject = Subject(found.record_id, found.partition, live, _rules_now(known, regimes))
    return explain(subject, steps, missing, history)


def _rules_now(known: marks.Marks, regimes: Regimes) -> Rules:
    latest = max(known.epochs, key=lambda mark: mark.number, default=None)
    return regimes.of(latest).loads.after(frozenset(known.loads), None)


async def _messages(composed: Composition, found: Found, live: states.State) -> tuple[list[Message], int]:
    """The record's events, as far as the log still has them, and how many it has no more."""
    offsets = _offsets(found, live)
    if offsets:
        messages = await lookups.events(composed, found.entity, found.partition, offsets)
        return messages, len(offsets) - len(messages)
    # A state of the time before trails were kept: the log itself must be searched.
    topic = composed.topics.records(found.entity)
    every = await lookups.scan_key(composed.kafka, topic, found.partition, found.record_id.encode())
    return [each for each in every if each.offset <= live.offset], 0


def _field_name(field: str | None, entity: str, fields: Sequence[str]) -> str | None:
    if field in EXISTENCE_NAMES:
        return EXISTENCE
    if field is not None and field not in fields:
        raise FieldMissingError(field, entity, fields)
    return field


def _offsets(found: Found, live: states.State) -> list[int]:
    """Where the record's events stand. What was settled while they were asked for belongs to a later state."""
    trail = trails.offsets(found.beside.get, found.record_id.encode(), live.trail)
    return sorted({offset for offset in trail if offset <= live.offset})


def _regimes(composed: Composition, entity: str) -> Regimes:
    return Regimes(composed.topics, composed.project.entities[entity], composed.rules[entity], composed.compile)


def _record(message: Message) -> Record:
    place = (message.topic, message.partition, message.offset)
    return Record(*place, message.key, message.value, message.ts_ms, message.headers)


def _steps(folded: Sequence[refolding.Step]) -> Iterator[Step]:
    """Those that were events of the record; what was nobody's, or was rejected, changed nothing."""
    for one in folded:
        if one.event is not None and one.after is not None and one.outcome is not None:
            yield Step(
                partition=one.record.partition,
                offset=one.record.offset,
                log_us=one.record.timestamp_ms * 1000,
                message=one.message,
                event=one.event,
                before=one.before,
                after=one.after,
                outcome=one.outcome,
                rules=one.rules,
            )
