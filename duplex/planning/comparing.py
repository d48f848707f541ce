"""Reads every row of every system, puts them together as records, and asks the merge what it would do."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import structs

from duplex import catalog, checking, composition, systems
from duplex.broker import BrokerError
from duplex.planning import changes
from duplex.planning.actions import Action, Plan, counted
from schemas.project.findings import ProjectFileError
from schemas.project.loading import Loaded
from schemas.project.model import Entity
from streams.errors import RowImageError
from streams.mapping.compiled import TableLens
from streams.mapping.natural_keys import natural_key
from streams.merge.events import Planned, Verdict
from streams.merge.previews import preview
from streams.merge.rules import Rules
from streams.merge.values import Row, Value

Say = Callable[[str], None]
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class LocalRow:
    """A row as the merge takes it, with its readable fields."""

    system: str
    local_id: str
    row: Row
    values: Mapping[str, Value]


@dataclass(slots=True)
class Records:
    """The rows of one entity, put together: by record, the row of each system; and what could not take part."""

    rows: dict[str, int] = field(default_factory=dict)
    found: dict[str, dict[str, LocalRow]] = field(default_factory=dict)
    apart: list[Action] = field(default_factory=list)


async def plan(loaded: Loaded, *, say: Say) -> Plan:
    """What a first sync would do, and what a change of rules would. Reads all rows; writes nothing.

    A broker that does not answer hides only whether rules change. Raises ProjectFileError for what does not fit the
    tables, UnreachableError for a system that does not answer, MappingError, PolicyError.
    """
    composed, compared = await _compared(loaded, say)
    say("comparing rules with those applied")
    try:
        return structs.replace(compared, rules=tuple(await changes.rule_changes(composed)))
    except BrokerError as error:
        return structs.replace(compared, silence=str(error))


async def _compared(loaded: Loaded, say: Say) -> tuple[composition.Composition, Plan]:
    async with systems.opened(loaded.project) as connectors:
        checked = await checking.check(loaded, connectors)
        for error in checked.silent.values():
            raise error
        if checked.errors:
            raise ProjectFileError(tuple(checked.errors))
        entries = catalog.catalog(catalog.entry(*place, table) for place, table in checked.tables.items())
        composed = composition.compose(loaded, entries)
        counts, actions = {}, []
        for name in loaded.project.entities:
            say(f"reading all rows of {name}")
            records = await _read(composed, connectors, name)
            found = [*records.apart, *compare(composed.rules[name], records)]
            counts[name] = counted(len(records.found), records.rows, found)
            actions += found
    return composed, Plan(entities=counts, actions=tuple(actions))


async def _read(composed: composition.Composition, connectors: systems.Connectors, name: str) -> Records:
    records = Records()
    entity = composed.project.entities[name]
    for system in entity.systems:
        spec = next(spec for spec in composed.specs[system] if spec.entity == name)
        key = spec.key or composed.catalog[f"{system}/{name}"].key
        lens = composed.lens(name, system)
        records.rows[system] = 0
        async for chunk in connectors[system].rows(spec):
            records.rows[system] += len(chunk)
            for text in chunk:
                add(records, entity, lens, key, text)
    return records


def add(records: Records, entity: Entity, lens: TableLens, key: tuple[str, ...], text: str) -> None:
    """Put a row where it belongs: to the record it names, or aside with the reason."""
    local = _local_id(text, key)
    try:
        if not lens.admits(text) or lens.is_gone(text):
            return
        row = lens.load(text)
    except RowImageError as error:
        records.apart.append(_apart(lens, "invalid", local, local, str(error)))
        return
    one = LocalRow(lens.system, local, row, lens.get(row))
    name = record_name(entity, one)
    there = records.found.setdefault(name, {})
    if one.system in there:
        detail = f"the record is that of row {there[one.system].local_id} already"
        records.apart.append(_apart(lens, "duplicate", name, local, detail))
        return
    there[one.system] = one


def record_name(entity: Entity, one: LocalRow) -> str:
    """What tells this row's record from others: its shared key, its natural key, or else the row itself."""
    if entity.identity == "key":
        return one.local_id
    own = f"{one.system}:{one.local_id}"
    return natural_key(entity.match, one.values) or own if entity.match else own


def _apart(lens: TableLens, kind: str, record: str, local: str, detail: str) -> Action:
    return Action(
        kind=kind,  # type: ignore[arg-type]
        entity=lens.entity,
        record=record,
        system=lens.system,
        local_id=local,
        detail=detail,
    )


def _local_id(text: str, key: tuple[str, ...]) -> str:
    values = _KEYS.decode(text)
    return f"[{','.join(bytes(values[column]).decode() for column in key)}]"


def compare(rules: Rules, records: Records) -> Iterator[Action]:
    """What the merge would do to each record."""
    for name, rows in records.found.items():
        if len(rows) > 1:
            where = " = ".join(f"{system} {one.local_id}" for system, one in rows.items())
            yield Action(kind="link", entity=rules.entity, record=name, detail=where)
        outcome = preview({system: (one.local_id, one.row) for system, one in rows.items()}, rules)
        for verdict in outcome.verdicts:
            yield _of_verdict(rules, name, verdict)
        for command in outcome.commands:
            yield _of_command(rules, name, command)


def _of_verdict(rules: Rules, name: str, verdict: Verdict) -> Action:
    refused = verdict.kind == "refused"
    winner = {
        "current": verdict.current.system,
        "incoming": verdict.incoming.system,
        "parked": "nobody yet: parked",
        "merged": "a value made of both",
    }
    return Action(
        kind="invalid" if refused else "conflict",
        entity=rules.entity,
        record=name,
        system=verdict.incoming.system if refused else "",
        values={} if refused else {verdict.field: (verdict.current.value, verdict.incoming.value)},
        detail=verdict.detail if refused else _decided(verdict, winner[verdict.winner]),
    )


def _decided(verdict: Verdict, winner: str) -> str:
    return f"{verdict.current.system} against {verdict.incoming.system}, by {verdict.rule}: {winner}"


def _of_command(rules: Rules, name: str, command: Planned) -> Action:
    values: dict[str, tuple[Value, Value]] = {}
    for unit in command.units:
        base, new = unit.base or {}, unit.set or {}
        values |= {
            column: (base.get(column), new.get(column))
            for column in (*base, *(column for column in new if column not in base))
            if base.get(column) != new.get(column)
        }
    kinds = {"c": "create", "u": "update", "d": "delete"}
    return Action(
        kind=kinds[command.op],  # type: ignore[arg-type]
        entity=rules.entity,
        record=name,
        system=command.system,
        local_id=command.local_id,
        values=values,
    )
