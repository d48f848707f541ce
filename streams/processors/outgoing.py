"""From the outcomes of the merge to messages: commands, conflicts, and the merged record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from schemas.errors import SchemasError
from schemas.goldens import GoldenCodec, Pieces
from schemas.identifiers import command_id
from schemas.messages import Command, Conflict, Side, Unit
from streams.merge.events import Event, Held, Nudged, Outcome, Planned, Verdict
from streams.merge.states import State
from streams.merge.values import EXISTENCE
from streams.processors.records import Decided, Output, Record, rejected
from streams.processors.regimes import Regime

Encode = Callable[[msgspec.Struct], bytes]


@dataclass(frozen=True, slots=True)
class Targets:
    """Where messages go: the commands of each system, the conflicts, the merged records."""

    commands: Mapping[str, str]
    conflicts: str
    golden: str


def results(
    targets: Targets,
    regime: Regime,
    encode: Encode,
    record: Record,
    event: Event,
    state: State,
    outcome: Outcome,
    hop: int = 1,
    pieces: Pieces | None = None,
) -> list[Decided]:
    """What an event's outcome sends, in order. `state` is the one after it; `hop` that of its commands; `pieces` what
    was written of the merged record before."""
    record_id = (record.key or b"").decode()
    found: list[Decided] = []
    if outcome.commands:
        ts_us = event_ts_us(event, record)
        for planned in outcome.commands:
            made = command(record_id, record, regime, planned, hop, ts_us)
            found.append(_output(record, targets.commands[planned.system], encode(made)))
    for verdict in outcome.verdicts:
        said = conflict(record_id, record, regime.rules.entity, verdict, event_ts_us(event, record))
        found.append(_output(record, targets.conflicts, encode(said)))
    if outcome.forget:
        found.append(_output(record, targets.golden, None))
    elif outcome.golden:
        found.append(_published(record, record_id, targets.golden, regime, state, pieces))
    return found


def event_ts_us(event: Event, record: Record) -> int:
    """When what a message says happened: by its writer's clock, or, where nobody wrote, by the log's."""
    return record.timestamp_ms * 1000 if isinstance(event, Nudged) else event.ts_us


def command(record_id: str, record: Record, regime: Regime, planned: Planned, hop: int, ts_us: int) -> Command:
    """A command, at the place of the input that it follows from."""
    lens = regime.lenses[planned.system]
    dump_set = lens.dump_new if planned.op == "c" else lens.dump
    dump = lens.dump
    units = [
        Unit(
            base=None if unit.base is None else dump(unit.base),
            set=None if unit.set is None else dump_set(unit.set),
        )
        for unit in planned.units
    ]
    return Command(
        id=command_id(record_id, planned.system, planned.number),
        record_id=record_id,
        entity=regime.rules.entity,
        system=planned.system,
        number=planned.number,
        op=planned.op,
        local_id=planned.local_id,
        units=tuple(units),
        partition=record.partition,
        offset=record.offset,
        hop=hop,
        ts_us=ts_us,
    )


def conflict(record_id: str, record: Record, entity: str, verdict: Verdict, ts_us: int) -> Conflict:
    """A verdict, on record."""
    return Conflict(
        id=f"{record_id}/{verdict.number}",
        record_id=record_id,
        entity=entity,
        field=verdict.field,
        kind=verdict.kind,
        rule=verdict.rule,
        winner=verdict.winner,
        current=_side(verdict, verdict.current),
        incoming=_side(verdict, verdict.incoming),
        detail=verdict.detail,
        partition=record.partition,
        offset=record.offset,
        ts_us=ts_us,
        version=verdict.version,
        due_us=verdict.due_us,
    )


def golden(codec: GoldenCodec, record_id: str, state: State, pieces: Pieces | None = None) -> bytes:
    """The merged record. Raises GoldenValueError."""
    existence = state.fields.get(EXISTENCE)
    deleted = existence is None or existence.value is None
    return codec.encode_fields(record_id, state.version, deleted, state.fields, pieces)


def _published(
    record: Record, record_id: str, topic: str, regime: Regime, state: State, pieces: Pieces | None
) -> Decided:
    try:
        return _output(record, topic, golden(regime.goldens, record_id, state, pieces))
    except SchemasError as error:
        # The merge stands; only this rendering of it cannot be had. Taking the event back would lose it.
        return rejected(record, error)


def _output(record: Record, topic: str, value: bytes | None) -> Output:
    return Output(topic, record.key, value, record.partition, (), 0, record)


def _side(verdict: Verdict, held: Held) -> Side:
    gone = held.value is None and verdict.field == EXISTENCE
    value = None if gone else msgspec.json.encode(held.value).decode()
    return Side(system=held.system, value=value, ts_us=held.ts_us)
