"""One record's events, read by its trail and merged again as they were merged: nothing else of the log is read."""

import asyncio
from dataclasses import dataclass

from duplex import lookups
from duplex.broker import Message
from duplex.composition import Composition
from duplex.explaining.finding import Found
from streams.merge import states
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.processors import marks, refolding, trails
from streams.processors.marks import Marks
from streams.processors.records import Record
from streams.processors.regimes import Regimes
from streams.processors.reserved import TRAIL


@dataclass(frozen=True, slots=True)
class Retold:
    """A record as the pipeline holds it, with its events merged again. `missing` is how many the log has no more;
    `rules` are those that hold now."""

    live: State
    steps: list[refolding.Step]
    missing: int
    rules: Rules


def beside(record_id: str) -> tuple[bytes, ...]:
    """What must be looked up beside a record's state: its trail, and the marks of its partition."""
    return (TRAIL + record_id.encode() + b"/", *marks.KEYS, *marks.PREFIXES)


async def retell(composed: Composition, found: Found) -> Retold:
    """The events of a record that was found with `beside`. Raises BrokerError, LogUnreadableError, and what
    undecodable bytes lead to."""
    live = states.decode(found.state)
    messages, missing = await _messages(composed, found, live)
    # In a thread: a record with a long history must not hold up a loop that has other work.
    return await asyncio.to_thread(_folded, composed, found, live, messages, missing)


def _folded(composed: Composition, found: Found, live: State, messages: list[Message], missing: int) -> Retold:
    known, regimes = marks.marks_of(found.beside), _regimes(composed, found.entity)
    steps = refolding.fold([_record(each) for each in messages], known, regimes)
    return Retold(live, steps, missing, _rules_now(known, regimes))


def _rules_now(known: Marks, regimes: Regimes) -> Rules:
    latest = max(known.epochs, key=lambda mark: mark.number, default=None)
    return regimes.of(latest).loads.after(frozenset(known.loads), None)


async def _messages(composed: Composition, found: Found, live: State) -> tuple[list[Message], int]:
    """The record's events, as far as the log still has them, and how many it has no more."""
    offsets = _offsets(found, live)
    if offsets:
        messages = await lookups.events(composed, found.entity, found.partition, offsets)
        return messages, len(offsets) - len(messages)
    # A state of the time before trails were kept: the log itself must be searched.
    topic = composed.topics.records(found.entity)
    every = await lookups.scan_key(composed.kafka, topic, found.partition, found.record_id.encode())
    return [each for each in every if each.offset <= live.offset], 0


def _offsets(found: Found, live: State) -> list[int]:
    """Where the record's events stand. What was settled while they were asked for belongs to a later state."""
    trail = trails.offsets(found.beside.get, found.record_id.encode(), live.trail)
    return sorted({offset for offset in trail if offset <= live.offset})


def _regimes(composed: Composition, entity: str) -> Regimes:
    held, rules = composed.project.entities[entity], composed.rules[entity]
    return Regimes(composed.topics, held, rules, composed.compile, reads_only=True)


def _record(message: Message) -> Record:
    place = (message.topic, message.partition, message.offset)
    return Record(*place, message.key, message.value, message.ts_ms, message.headers)
