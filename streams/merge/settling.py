"""What waits for a person, looked at again after an event: it is settled where all agree by now, or decided when its
time has come."""

from streams.merge import fields, oscillation, resolutions
from streams.merge.states import SystemState
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE


def settle(turn: Turn) -> None:
    """Settle what is agreed upon, and decide what is due: a decision may be what others agree with."""
    if turn.state.flips:
        oscillation.forget_past(turn)
    if agree(turn) and resolutions.decide_due(turn):
        agree(turn)


def agree(turn: Turn) -> bool:
    """Parked fields on which everybody agrees by now are settled. Parked existence never settles by itself.

    Returns whether anything that stays parked is due.
    """
    state, is_due = turn.state, False
    for system in turn.rules.systems:
        entry = state.systems[system]
        if entry.dissent and _settle_held(turn, system, entry):
            is_due = True
    if state.loose and _settle_loose(turn):
        is_due = True
    return is_due


def _settle_loose(turn: Turn) -> bool:
    is_due = False
    for number, item in list(turn.state.loose.items()):
        if item.edits is None and item.field in turn.rules.policies and item.candidate == turn.field(item.field).value:
            del turn.state.loose[number]
            oscillation.rest(turn, item.field, item.candidate)
            turn.publish(item, "agreement", "current")
        elif 0 < item.due_us <= turn.at_us:
            is_due = True
    return is_due


def _settle_held(turn: Turn, system: str, entry: SystemState) -> bool:
    is_due = False
    for name, item in list(entry.dissent.items()):
        if name != EXISTENCE and name in turn.rules.policies and fields.agrees(turn, system, name, item.candidate):
            del entry.dissent[name]
            oscillation.rest(turn, name, turn.field(name).value)
            turn.see(system, name)
            turn.publish(item, "agreement", "current")
        elif 0 < item.due_us <= turn.at_us:
            is_due = True
    return is_due
