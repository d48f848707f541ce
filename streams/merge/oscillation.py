"""The guard against systems that keep rewriting each other's values of a field, with nobody at the keyboard.

What is counted is a return: a system gives a value again that was its own and that another system had replaced. So it
does not matter how many systems and values go round, and a system that only comes by is none of them. Only a field
that changes hands is watched: an edit by the system that wrote the hub's value costs nothing.
"""

from streams.merge.states import Flip
from streams.merge.turns import DECISION, Turn
from streams.merge.values import Value

RULE = "oscillation"
INSISTS = "\n"
"""Between a field and the system that insists on a value of its own, where `State.flips` counts that."""
RETURNS = "\n\n"
"""Between a field and the system that returns to values of its own, likewise."""
WORDS_LIMIT = 4
SKEW_LIMIT_US = 3_600_000_000
"""How slow a source's clock may be, that stamped the hub's value: one that is older than the window for sure is not
part of any quarrel, and not worth a place in the state."""


def rewritten(turn: Turn, system: str, name: str, value: Value) -> str:
    """Note that a system is about to replace the hub's value, and say why that is once too often, if it is.

    It is when the systems have returned to their values as often as the guard allows, and this one has its half of
    that: whoever does so for the first time is not to pay for the others.
    """
    field, guard = turn.field(name), turn.rules.guard
    if field.by in ("", DECISION, system) or guard.flips <= 0:
        return ""
    own = _recent(turn, name + RETURNS + system)
    if own is None and turn.at_us - field.ts_us > guard.window_us + SKEW_LIMIT_US:
        return ""
    if own is not None:
        own.count = own.count + 1 if _knows(own, value) else 0
        why = _too_often(turn, system, name) if 2 * own.count >= guard.flips else ""
        if why:
            return why
    _note(turn, name + RETURNS + field.by, field.value)
    return ""


def is_watched(turn: Turn, system: str, name: str) -> bool:
    """Whether an edit may be one rewriting too many, by what was counted until now; else `rewritten` lets it pass."""
    if not turn.state.flips or turn.field(name).by == system:
        return False
    own = _recent(turn, name + RETURNS + system)
    return own is not None and 2 * (own.count + 1) >= turn.rules.guard.flips


def _recent(turn: Turn, place: str) -> Flip | None:
    """What was counted there, unless it began longer ago than the window."""
    flip = turn.state.flips.get(place)
    return flip if flip is not None and turn.at_us - flip.since_us <= turn.rules.guard.window_us else None


def _returning(turn: Turn, name: str) -> dict[str, Flip]:
    """By system what was counted of a field."""
    begin = name + RETURNS
    found = {place[len(begin) :]: _recent(turn, place) for place in turn.state.flips if place.startswith(begin)}
    return {system: flip for system, flip in found.items() if flip is not None}


def _knows(flip: Flip, value: Value) -> bool:
    return isinstance(flip.previous, tuple) and value in flip.previous


def _note(turn: Turn, place: str, value: Value) -> None:
    """A system's value is replaced by another's: if it is given again, that is a return. The last few are kept."""
    flip = _recent(turn, place) or Flip((), 0, turn.at_us)
    assert isinstance(flip.previous, tuple)
    flip.previous = (*(word for word in flip.previous if word != value), value)[-WORDS_LIMIT:]
    turn.state.flips[place] = flip


def _too_often(turn: Turn, system: str, name: str) -> str:
    returned = {other: flip for other, flip in _returning(turn, name).items() if flip.count > 0}
    total = sum(flip.count for flip in returned.values())
    if total < turn.rules.guard.flips:
        return ""
    others = ", ".join(sorted({turn.field(name).by, *returned} - {system}))
    seconds = (turn.at_us - min(flip.since_us for flip in returned.values())) / 1_000_000
    return f"{others} and {system} have rewritten each other {total} times in {seconds:.1f} s"


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


def rest(turn: Turn, name: str, value: Value) -> None:
    """All agree on a value, or its system has a second word: what was counted counts no more, unless it goes round."""
    if _counted(turn, name) and not any(_knows(flip, value) for flip in _returning(turn, name).values()):
        forget(turn, name)


def forget(turn: Turn, name: str) -> None:
    """A person, or a policy, has decided the field: what was counted of it counts no more."""
    for place in _counted(turn, name):
        del turn.state.flips[place]


def _counted(turn: Turn, name: str) -> list[str]:
    """Where `State.flips` has something of a field."""
    begin = name + INSISTS
    return [place for place in turn.state.flips if place.startswith(begin)]


def forget_past(turn: Turn) -> None:
    """Let go of what happened longer ago than the window."""
    limit_us = turn.at_us - turn.rules.guard.window_us
    for name in [name for name, flip in turn.state.flips.items() if flip.since_us < limit_us]:
        del turn.state.flips[name]
