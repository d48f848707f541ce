"""The two cases that nearly all events are, when nobody contends anything: a user's edit of a row that shows the hub's
values, and the echo of a command that was carried out as it was meant. What waits for a person is in nobody's way but
its own field's.

They are merged by what changed alone. Everything here follows from the rules of `rows`, `fields` and `answers`: where a
guard holds, they come to the same bytes, which the simulation compares (`tests/simulation/hubs.py`). Where it does not
hold, nothing was changed, and they decide.
"""

from streams.merge import fields, oscillation, planning, rows, settling
from streams.merge.events import Changed, Outcome
from streams.merge.rules import Rules
from streams.merge.sides import Side
from streams.merge.states import Sent, State, SystemState
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE, Row, Value


def merged(state: State, event: Changed, rules: Rules) -> Outcome | None:
    """What an event leads to that nobody contends, the state changed in place; None, and the state as it was, where it
    is no such event."""
    side = rules.sides.get(event.system)
    entry = state.systems.get(event.system)
    if side is None or entry is None or entry.image is None or event.after is None:
        return None
    if event.local_id != entry.local_id or event.position <= entry.position or event.failed is not None:
        return None
    before, after = entry.image, side.image(event.after)
    if before.keys() != side.column_set or not _is_calm(state, rules):
        return None
    turn = Turn(state, rules, Outcome())
    turn.at_us = event.at_us or event.ts_us
    if event.command is None:
        is_done = _edited(turn, event, entry, side, before, after)
    else:
        is_done = _echoed(turn, event, entry, before, after)
    if not is_done:
        return None
    entry.position = event.position
    rows.replace(entry, after)
    _proceed(turn)
    return turn.outcome


def _is_calm(state: State, rules: Rules) -> bool:
    """Whether the record lives, and has all fields and systems of the rules."""
    return state.fields.keys() >= rules.field_set and state.systems.keys() >= rules.rank.keys() and state.alive


def _edited(turn: Turn, event: Changed, entry: SystemState, side: Side, before: Row, after: Row) -> bool:
    """An edit of fields of which the row showed the hub's version: each value is the hub's now."""
    columns = [column for column, value in after.items() if before[column] != value]
    if not columns or side.unread:
        return False
    concerned = frozenset([name for column in columns for name in side.read_from[column]])
    then, now = side.some(before, concerned), side.some(after, concerned)
    if len(now) < len(concerned):
        return False
    edits = {name: value for name, value in now.items() if name not in then or then[name] != value}
    if entry.dissent and not entry.dissent.keys().isdisjoint(edits):
        return False
    for name in edits:
        if name in entry.behind or name not in turn.rules.followed or oscillation.is_watched(turn, event.system, name):
            return False
    for name, value in edits.items():
        if turn.state.fields[name].by != event.system:
            oscillation.rewritten(turn, event.system, name, value)
        fields.assign(turn, event.system, name, value, event.ts_us)
    return True


def _echoed(turn: Turn, event: Changed, entry: SystemState, before: Row, after: Row) -> bool:
    """The echo of the update that is out: the row was as the command expected it, and is as it was to be."""
    sent = entry.out
    if sent is None or sent.op != "u" or event.command is None:
        return False
    if str(sent.number) != event.command.rpartition("/")[2] or not _is_carried_out(sent, before, after):
        return False
    if entry.dissent and _is_over_parked(sent, entry):
        return False
    entry.out = None
    behind = entry.behind
    for unit in sent.units:
        for name, version in unit.versions.items():
            if version == turn.state.fields[name].version:
                behind.pop(name, None)
            else:
                behind[name] = version
    return True


def _is_carried_out(sent: Sent, before: Row, after: Row) -> bool:
    """Whether every unit was written where it differed, and nothing else changed."""
    wanted: dict[str, Value] = dict(before)
    for unit in sent.units:
        base, new = unit.base, unit.set
        if base is None or new is None or base == new or base.keys() != new.keys():
            return False
        for column, value in base.items():
            if column not in before or before[column] != value:
                return False
        wanted.update(new)
    return wanted == after


def _is_over_parked(sent: Sent, entry: SystemState) -> bool:
    """Whether the command wrote a field that is parked by now, or existence is."""
    parked = entry.dissent.keys()
    return EXISTENCE in parked or not all([parked.isdisjoint(unit.versions) for unit in sent.units])  # noqa: C419 cheaper


def _proceed(turn: Turn) -> None:
    """Settle what waits, and plan for each system that lacks something; of a record that lives, one that lacks nothing
    is told nothing."""
    settling.settle(turn)
    state = turn.state
    for system in turn.rules.systems:
        entry = state.systems[system]
        if entry.out is None and (entry.image is None or (entry.behind and not _is_parked(entry))):
            planning.plan(turn, system)


def _is_parked(entry: SystemState) -> bool:
    """Whether the row lacks nothing but what it has parked: that is not to be written over."""
    return bool(entry.dissent) and entry.behind.keys() <= entry.dissent.keys()
