"""The guard against systems that keep rewriting each other's value of a field, with nobody at the keyboard.

Only a field that changes hands is watched: an edit by the system that wrote the hub's value costs nothing.
"""

from streams.merge.states import Flip
from streams.merge.turns import DECISION, Turn
from streams.merge.values import Value

RULE = "oscillation"
INSISTS = "\n"
"""Between a field and the system that insists on a value of its own, where `State.flips` counts that."""
SKEW_LIMIT_US = 3_600_000_000
"""How slow a source's clock may be, that stamped the hub's value: one that is older than the window for sure is not
part of any quarrel, and not worth a place in the state."""


def rewritten(turn: Turn, system: str, name: str, value: Value) -> str:
    """Note that a system is about to replace the hub's value, and say why that is once too often, if it is."""
    field, flips, guard = turn.field(name), turn.state.flips, turn.rules.guard
    if field.by in ("", DECISION, system) or guard.flips <= 0:
        return ""
    flip = flips.get(name)
    if flip is None and turn.at_us - field.ts_us > guard.window_us + SKEW_LIMIT_US:
        return ""
    if flip is None or value != flip.previous or turn.at_us - flip.since_us > guard.window_us:
        flips[name] = Flip(field.value, 0, turn.at_us)
        return ""
    flip.previous, flip.count = field.value, flip.count + 1
    if flip.count < guard.flips:
        return ""
    del flips[name]
    seconds = (turn.at_us - flip.since_us) / 1_000_000
    return f"{field.by} and {system} have rewritten each other {flip.count} times in {seconds:.1f} s"


def insisted(turn: Turn, system: str, name: str, value: Value) -> str:
    """Note that a system wrote this value into another's field, and say why that is once too often, if it is.

    Its row is corrected each time; one that insists would be corrected for ever. Each system is counted for itself:
    of two that insist on different values neither may hide the other.
    """
    flips, guard, place = turn.state.flips, turn.rules.guard, name + INSISTS + system
    flip = flips.get(place)
    if guard.flips <= 0:
        return ""
    if flip is None or value != flip.previous or turn.at_us - flip.since_us > guard.window_us:
        flips[place] = Flip(value, 0, turn.at_us)
        return ""
    flip.count += 1
    if flip.count < guard.flips:
        return ""
    del flips[place]
    seconds = (turn.at_us - flip.since_us) / 1_000_000
    return f"{system} has written over {turn.field(name).by}'s value {flip.count + 1} times in {seconds:.1f} s"


def forget(turn: Turn, name: str) -> None:
    """The field has come to rest: what was counted of it counts no more."""
    flips = turn.state.flips
    for place in [place for place in flips if place.partition(INSISTS)[0] == name]:
        del flips[place]


def forget_past(turn: Turn) -> None:
    """Let go of what happened longer ago than the window."""
    limit_us = turn.at_us - turn.rules.guard.window_us
    for name in [name for name, flip in turn.state.flips.items() if flip.since_us < limit_us]:
        del turn.state.flips[name]
