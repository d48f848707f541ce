"""What a changed project file would do to a pipeline that was applied: which rules change, and what they decide."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from duplex import broker, catalog, epochs
from duplex.composition import Composition
from duplex.planning.actions import RuleChange, Ruled
from streams.merge import states
from streams.merge.events import Nudged, Verdict
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.processors.recovering import recover
from streams.processors.settings import Hosting

RESERVED = b"\x00"


@dataclass(slots=True)
class _Tally:
    """What was found in an entity's states so far."""

    open: int = 0
    left: int = 0
    commands: int = 0
    decided: list[Ruled] | None = None


async def rule_changes(composed: Composition) -> list[RuleChange]:
    """The entities whose rules in the file differ from those applied, with what would become of their open conflicts.

    An entity that was never applied has nothing to compare with, and is left out. Reads the states of the entities
    that changed; writes nothing. Raises BrokerError.
    """
    whole = await catalog.read_whole(composed.kafka, composed.topics.catalog)
    found = []
    for entity, text in composed.texts.items():
        known = whole.epochs.get(entity, epochs.Known())
        words = epochs.changes(known, text)
        if words and known.applied is not None:
            tally = await _decided(composed, entity)
            found.append(
                RuleChange(
                    entity=entity,
                    number=epochs.number_for(known, text),
                    changes=tuple(words),
                    open=tally.open,
                    left=tally.left,
                    commands=tally.commands,
                    decided=tuple(tally.decided or ()),
                )
            )
    return found


async def _decided(composed: Composition, entity: str) -> _Tally:
    topic, tally, now_us = composed.topics.state("merge", entity), _Tally(decided=[]), time.time_ns() // 1000
    hosting = Hosting(kafka=composed.kafka, pipeline=composed.project.pipeline)
    for partition in await broker.partitions_of(composed.kafka, topic):
        async with broker.naming_the_broker(composed.kafka):
            recovered, _ = await recover(hosting, f"merge.{entity}", topic, partition.partition)
        count(tally, recovered.content, composed.rules[entity], now_us)
    return tally


def count(tally: _Tally, content: Mapping[bytes, bytes], rules: Rules, now_us: int) -> None:
    """Ask the merge, on a copy of each state that has something open, what it would decide by these rules."""
    for key, data in content.items():
        if key.startswith(RESERVED) or not (parked := _parked(states.decode(data))):
            continue
        outcome = merge(states.decode(data), Nudged(reason="rules", at_us=now_us), rules)[1]
        ended = {verdict.number: verdict for verdict in outcome.verdicts if verdict.winner != "parked"}
        tally.open += len(parked)
        tally.left += len(parked - ended.keys())
        tally.commands += len(outcome.commands)
        assert tally.decided is not None
        tally.decided += _ruled(key.decode(), [ended[number] for number in sorted(parked & ended.keys())])


def _parked(state: states.State) -> set[int]:
    held = {item.number for entry in state.systems.values() for item in entry.dissent.values()}
    return held | set(state.loose)


def _ruled(record_id: str, verdicts: list[Verdict]) -> Iterator[Ruled]:
    for verdict in verdicts:
        sides = {"current": verdict.current.system, "incoming": verdict.incoming.system}
        yield Ruled(
            record_id=record_id,
            field=verdict.field,
            rule=verdict.rule,
            current=_told(verdict.current.system, verdict.current.value),
            incoming=_told(verdict.incoming.system, verdict.incoming.value),
            winner=sides.get(verdict.winner, "a value made of both"),
        )


def _told(system: str, value: object) -> str:
    return f"{system} {msgspec.json.encode(value).decode()}"
