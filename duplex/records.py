"""One record as the pipeline holds it: found by its id, by a row of it, or by its natural key."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from duplex import broker, composition
from duplex.status.sentences import stamp
from duplex.usage import UsageError
from schemas.codec import Codec
from schemas.identifiers import record_of_key, row_key
from schemas.messages import Conflict
from schemas.project.loading import Loaded
from streams.identity.keys import KeyState
from streams.identity.rows import RowState
from streams.mapping.natural_keys import natural_key
from streams.merge import states
from streams.merge.goldens import golden
from streams.processors import changelogs

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ROW = re.compile(r"(?:(?P<system>[a-z][a-z0-9_]*):)?(?P<local>\[.*\])", re.DOTALL)
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


class RecordMissingError(UsageError):
    """Nothing that goes by this name."""

    def __init__(self, name: str, entities: tuple[str, ...], hint: str) -> None:
        super().__init__(
            "no such record",
            name,
            f"no record of {', '.join(entities)} has this id, row or natural key{hint}",
            "Give a record id, a row as `system:[7]`, or the value of the natural key.",
        )


async def find(loaded: Loaded, name: str, entity: str | None) -> list[Shown]:
    """The records that this name means, at least one. Raises RecordMissingError, BrokerError, CatalogMissingError."""
    composed = await composition.composed(loaded)
    entities = (entity,) if entity else tuple(composed.rules)
    if entity is not None and entity not in composed.rules:
        raise RecordMissingError(name, tuple(composed.rules), f" (there is no entity {entity})")
    found: list[Shown] = []
    waiting: list[str] = []
    for each in entities:
        for record_id in await _record_ids(composed, each, name, waiting):
            shown = await show(composed, each, record_id)
            if shown is not None and shown not in found:
                found.append(shown)
    if not found:
        raise RecordMissingError(name, entities, "".join(f"; {text}" for text in waiting))
    return found


async def _record_ids(composed: composition.Composition, entity: str, name: str, waiting: list[str]) -> list[str]:
    if UUID.fullmatch(name.lower()):
        return [name.lower()]
    found = []
    if row := ROW.fullmatch(name):
        found = [
            record_id
            for system in composed.project.entities[entity].systems
            if row["system"] in (None, system)
            and (record_id := await _of_row(composed, entity, system, row["local"], waiting))
        ]
    return found or await _of_natural_key(composed, entity, name)


async def _of_row(
    composed: composition.Composition, entity: str, system: str, local: str, waiting: list[str]
) -> str | None:
    if composed.project.entities[entity].identity == "key":
        return record_of_key(entity, local)
    data = await last_state(composed.kafka, composed.topics.state("links", entity), row_key(system, local))
    if data is None:
        return None
    row = msgspec.msgpack.decode(data, type=RowState)
    if row.record_id is None and row.waiting:
        why = "is parked as a second row of its record" if row.parked else "waits for its record"
        waiting.append(f"row {local} of {system} {why} ({len(row.waiting)} changes)")
    return row.record_id


async def _of_natural_key(composed: composition.Composition, entity: str, name: str) -> list[str]:
    match = composed.project.entities[entity].match
    if not match:
        return []
    words = [name] if len(match) == 1 else [word.strip() for word in name.split(",")]
    key = name if name.startswith("[") else natural_key(match, dict(zip(match, words, strict=False)))
    if key is None:
        return []
    data = await last_state(composed.kafka, composed.topics.state("claims", entity), key.encode())
    record_id = None if data is None else msgspec.msgpack.decode(data, type=KeyState).record_id
    return [record_id] if record_id else []


async def last_state(options: broker.Options, topic: str, key: bytes) -> bytes | None:
    """The last state of a key in a changelog: the newest stamp counts, as in recovery; None if there is none."""
    best: tuple[changelogs.Stamp, bytes | None] | None = None
    for message in await broker.read_key(options, topic, key):
        entry = changelogs.parse(changelogs.Entry(key, message.value, message.headers))
        if best is None or best[0] <= entry[0]:
            best = entry
    return None if best is None else best[1]


async def show(composed: composition.Composition, entity: str, record_id: str) -> Shown | None:
    """Everything about one record; None where the merge has never seen it."""
    key = record_id.encode()
    data = await last_state(composed.kafka, composed.topics.state("merge", entity), key)
    if data is None:
        return None
    state, rules = states.decode(data), composed.rules[entity]
    merged = golden(state, rules)
    fields = {
        name: FieldShown(value, merged.provenance[name].version, whose.system, whose.ts_us)
        for name, value in merged.values.items()
        if (whose := merged.provenance[name])
    }
    systems = {name: _row(state, name) for name in rules.systems if name in state.systems}
    return Shown(
        record_id=record_id,
        entity=entity,
        deleted=merged.deleted,
        fields=fields,
        systems=systems,
        conflicts=tuple(await _conflicts(composed, record_id)),
        partition=broker.partition_of(key, composed.topics.partitions),
    )


def _row(state: states.State, system: str) -> RowShown:
    entry = state.systems[system]
    behind = {
        name: f"shows version {seen}, the record has {state.fields[name].version}"
        for name, seen in entry.behind.items()
        if entry.image is not None and name in state.fields
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


async def _conflicts(composed: composition.Composition, record_id: str) -> list[Any]:
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
