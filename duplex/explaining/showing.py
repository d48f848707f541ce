"""One record as the pipeline holds it: every system's row, the merged values, and what is under way."""

from collections.abc import Iterator
from typing import Any

import msgspec

from duplex import broker
from duplex.composition import Composition
from duplex.explaining.finding import Found
from duplex.status.sentences import stamp
from schemas.codec import Codec
from schemas.messages import Conflict
from streams.merge import states
from streams.merge.goldens import golden
from streams.merge.rules import Rules

LATEST_CONFLICTS = 5


class FieldShown(msgspec.Struct, frozen=True):
    """A merged field: its value, the hub's version of it, whose it is (system), and since when (µs; 0: a load)."""

    value: Any
    version: int
    system: str
    ts_us: int


class RowShown(msgspec.Struct, frozen=True):
    """One system's row: its last known image, which fields lag behind the merged record, and what is under way."""

    local_id: str | None
    row: dict[str, Any] | None
    behind: dict[str, str]
    open_command: dict[str, Any] | None
    parked: dict[str, Any]
    refused: tuple[str, ...]


class Shown(msgspec.Struct, frozen=True):
    """A record with everything that is known of it. `conflicts` are the latest ones."""

    record_id: str
    entity: str
    deleted: bool
    fields: dict[str, FieldShown]
    systems: dict[str, RowShown]
    conflicts: tuple[Any, ...]
    partition: int


async def show(composed: Composition, found: Found) -> Shown:
    """Everything about one record. Raises BrokerError, StateError."""
    state, rules = states.decode(found.state), composed.rules[found.entity]
    merged = golden(state, rules)
    fields = {
        name: FieldShown(value, merged.provenance[name].version, whose.system, whose.ts_us)
        for name, value in merged.values.items()
        if (whose := merged.provenance[name])
    }
    systems = {name: _row(state, rules, name) for name in rules.systems if name in state.systems}
    return Shown(
        record_id=found.record_id,
        entity=found.entity,
        deleted=merged.deleted,
        fields=fields,
        systems=systems,
        conflicts=tuple(await _conflicts(composed, found.record_id)),
        partition=found.partition,
    )


def _row(state: states.State, rules: Rules, system: str) -> RowShown:
    # A field that a system has no place for, or is only read from it, is not told there: it cannot lag.
    entry, told = state.systems[system], rules.lenses[system].writable
    behind = {
        name: f"shows version {seen}, the record has {state.fields[name].version}"
        for name, seen in entry.behind.items()
        if entry.image is not None and name in state.fields and name in told
    }
    sent = None
    if entry.out is not None:
        sent = {
            "number": entry.out.number,
            "op": entry.out.op,
            "units": [{"base": unit.base, "set": unit.set} for unit in entry.out.units],
        }
    parked = {name: item.shown() for name, item in entry.dissent.items()}
    return RowShown(entry.local_id, entry.image, behind, sent, parked, tuple(entry.refused))


async def _conflicts(composed: Composition, record_id: str) -> list[Any]:
    codec = Codec()
    messages = await broker.read_key(composed.kafka, composed.topics.conflicts, record_id.encode())
    found = [codec.decode_as(message.value, Conflict) for message in messages if message.value is not None]
    return [msgspec.to_builtins(each) for each in found[-LATEST_CONFLICTS:]]


def lines(one: Shown) -> Iterator[str]:
    """A record for a person."""
    yield f"{one.entity} {one.record_id}  {'deleted' if one.deleted else 'alive'}  (partition {one.partition})"
    width = max((len(name) for name in one.fields), default=0)
    for name, field in one.fields.items():
        whose = (
            f"version {field.version}, {field.system or 'nobody'}, {stamp(field.ts_us) if field.ts_us else 'loaded'}"
        )
        yield f"  {name:<{width}}  {_json(field.value)}  ({whose})"
    for system, row in one.systems.items():
        yield f"  {system} {row.local_id or 'has no row'}{'' if row.row is None else '  ' + _json(row.row)}"
        yield from (f"    behind: {name} {text}" for name, text in row.behind.items())
        if row.open_command is not None:
            yield f"    waits for the answer to command {one.record_id}/{system}/{row.open_command['number']}"
        yield from (f"    parked: {name} {_json(value)}" for name, value in row.parked.items())
        if row.refused:
            yield f"    refused by {system}: {', '.join(row.refused)}"
    for conflict in one.conflicts:
        yield f"  {_conflict(conflict)}"


def _conflict(conflict: dict[str, Any]) -> str:
    current, incoming = conflict["current"], conflict["incoming"]
    return (
        f"{stamp(conflict['ts_us'])} {conflict['kind']} of {conflict['field']}: {current['system']} {current['value']} "
        f"against {incoming['system']} {incoming['value']}, by {conflict['rule']}: {conflict['winner']}"
        + (f" ({conflict['detail']})" if conflict["detail"] else "")
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
