"""What a system must be told: by versions and not by values, one command at a time."""

from collections.abc import Iterable

from streams.merge.sides import Side
from streams.merge.states import Sent, SentUnit, SystemState, planned
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE, Values


def plan(turn: Turn, system: str) -> None:
    """Send this system what its row lacks, unless a command is out or its existence waits for a person."""
    entry, side = turn.system(system), turn.rules.sides[system]
    if entry.out is not None or EXISTENCE in entry.dissent or not side.writable or system in turn.rules.loading:
        return
    alive = turn.state.alive
    if alive and entry.image is None:
        _create(turn, system, entry, side)
    elif alive:
        _update(turn, system, entry, side)
    elif entry.image is not None:
        _delete(turn, system, entry)
    elif not entry.lost and not entry.refused:
        # A create that was given up, or refused, may have met a row that is yet to be read: absence says nothing then.
        entry.behind.clear()


def _create(turn: Turn, system: str, entry: SystemState, side: Side) -> None:
    fields = turn.state.fields
    if any(fields[name].value is None for name in turn.rules.required):
        return
    versions = {name: fields[name].version for name in (EXISTENCE, *side.writable)}
    if not _is_refused(entry, versions):
        values = {name: fields[name].value for name in side.writable}
        _report_unwritable(turn, system, side, values)
        _send(turn, system, "c", [SentUnit(None, side.put(values, None, side.columns), versions)])


def _delete(turn: Turn, system: str, entry: SystemState) -> None:
    versions = {name: field.version for name, field in turn.state.fields.items()}
    if turn.rules.ignores_deletes(system) or _is_refused(entry, {EXISTENCE: versions[EXISTENCE]}):
        return
    _send(turn, system, "d", [SentUnit(entry.image, None, versions)])


def _update(turn: Turn, system: str, entry: SystemState, side: Side) -> None:
    if not entry.behind:
        return
    entry.behind.pop(EXISTENCE, None)
    fields, told_by, dissent = turn.state.fields, side.told_by, entry.dissent
    behind = {name: fields[name].version for name in entry.behind if name in told_by and name not in dissent}
    if not behind:
        return
    units = _units_behind(turn, system, entry, side, behind)
    if entry.suspects:
        units = [unit for unit in units if entry.suspects.items() >= unit.versions.items()][:1] or units
    if units:
        _send(turn, system, "u", units)


def _units_behind(turn: Turn, system: str, entry: SystemState, side: Side, behind: dict[str, int]) -> list[SentUnit]:
    """The units that differ from what they should show; those that show it already are up to date."""
    image, fields, units = entry.image, turn.state.fields, []
    assert image is not None
    for place in sorted({side.told_by[name] for name in behind}):
        unit = side.told[place]
        versions = {name: behind[name] for name in unit.fields if name in behind}
        if entry.refused and _refused_of(entry, unit.fields) == versions:
            continue
        base = {column: image.get(column) for column in unit.columns}
        values = {name: fields[name].value for name in versions}
        want = side.written(values, base, unit.columns)
        if want != base:
            units.append(SentUnit(base, want, versions))
        else:
            _report_unwritable(turn, system, side, values)
            for name in versions:
                turn.see(system, name)
    return units


def _report_unwritable(turn: Turn, system: str, side: Side, values: Values) -> None:
    """Put on record what this system has no way to say: its row stays as it is."""
    for name, why in side.lens.unwritable(values).items():
        turn.refuse(name, system, None, why, "unwritable")


def _is_refused(entry: SystemState, versions: dict[str, int]) -> bool:
    return bool(entry.refused) and entry.refused.items() >= versions.items()


def _refused_of(entry: SystemState, fields: Iterable[str]) -> dict[str, int]:
    """What the target would not take of a unit: these versions together. Fewer of them are another want."""
    return {name: entry.refused[name] for name in fields if name in entry.refused}


def _send(turn: Turn, system: str, op: str, units: list[SentUnit]) -> None:
    entry = turn.system(system)
    entry.number += 1
    entry.out = Sent(entry.number, op, units)  # type: ignore[arg-type]
    turn.outcome.commands.append(planned(system, entry.local_id, entry.out))
