"""The merge of one record: what it is after an event, and what every system must be told.

One partition of the log gives all events of a record, from all systems, in one order, to one writer. So the hub
needs no vector clocks; it needs to know, when a user edits a row, which of its versions that row embodied. The
sink's own write tells: it leaves an echo in the target's own log, in commit order. Edits after it were made on a
row that showed it, edits before it were not. Nothing is guessed from time or from equal values.

Here is no input or output, no clock, no randomness: the same events give the same states, commands and verdicts,
numbered alike. The state given is changed in place; on an exception it is spoilt, and the caller decodes it anew.
"""

from typing import assert_never

from streams.merge import answers, decisions, fields, planning, rows
from streams.merge.events import Changed, Decided, Event, Nudged, Outcome
from streams.merge.rules import Rules
from streams.merge.states import State, SystemState, prepare
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE


def merge(state: State | None, event: Event, rules: Rules) -> tuple[State, Outcome]:
    """The state after an event, and what follows from it. `None` is the record of which nothing is known."""
    turn = begin(state, rules)
    if take(turn, event):
        plan(turn)
    return turn.state, turn.outcome


def begin(state: State | None, rules: Rules) -> Turn:
    """A turn at a record, with room for every field and system of the rules."""
    state = State() if state is None else state
    if not (state.fields.keys() >= rules.field_set and state.systems.keys() >= rules.rank.keys()):
        prepare(state, rules.fields, rules.systems)
    return Turn(state, rules, Outcome())


def take(turn: Turn, event: Event) -> bool:
    """Merge an event without planning. Returns whether it was news."""
    if not _merged(turn, event):
        return False
    settle(turn)
    return True


def plan(turn: Turn) -> None:
    """Plan for every system, in the order of their rank."""
    for system in turn.rules.systems:
        planning.plan(turn, system)


def _merged(turn: Turn, event: Event) -> bool:
    match event:
        case Changed():
            return _changed(turn, event)
        case Decided():
            return decisions.decide(turn, event)
        case Nudged():
            return True
        case _:
            assert_never(event)


def _changed(turn: Turn, event: Changed) -> bool:
    if event.system not in turn.rules.sides:
        turn.outcome.repeated = True
        return False
    answer = answers.is_answer(turn.system(event.system), event)
    if answer and rows.answers_elsewhere(turn, event):
        rows.is_news(turn, event)
        answers.missed(turn, event)
    elif not rows.is_news(turn, event):
        turn.outcome.repeated = not turn.outcome.verdicts
        return False
    elif answer:
        answers.acknowledge(turn, event)
    else:
        rows.observe(turn, event)
    return True


def settle(turn: Turn) -> None:
    """Parked fields on which everybody agrees by now are settled. Parked existence never settles by itself."""
    for system in turn.rules.systems:
        entry = turn.system(system)
        if entry.dissent:
            _settle_held(turn, system, entry)
    for number, item in list(turn.state.loose.items()):
        if item.edits is None and item.field in turn.rules.policies and item.candidate == turn.field(item.field).value:
            del turn.state.loose[number]
            turn.publish(item, "agreement", "current")


def _settle_held(turn: Turn, system: str, entry: SystemState) -> None:
    for name, item in list(entry.dissent.items()):
        if name != EXISTENCE and name in turn.rules.policies and fields.agrees(turn, system, name, item.candidate):
            del entry.dissent[name]
            turn.see(system, name)
            turn.publish(item, "agreement", "current")
