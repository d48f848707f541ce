"""Which of two values of a field wins when neither writer had seen the other's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from streams.merge.rules import Manual, Newest, Owner, Policy, Priority
from streams.merge.turns import DECISION
from streams.merge.values import Value


@dataclass(frozen=True, slots=True)
class Claim:
    """A value, who gave it, and when (µs)."""

    value: Value
    ts_us: int
    by: str


def incoming_wins(policy: Policy, incoming: Claim, current: Claim, rank: Mapping[str, int]) -> bool:
    """Whether the incoming value takes the current one's place. `rank` orders the systems, the first is 0."""
    match policy:
        case Newest():
            return _age(incoming, rank) >= _age(current, rank)
        case Priority(ranking):
            return _place(incoming.by, ranking) <= _place(current.by, ranking)
        case Owner(system):
            return incoming.by == system
        case Manual():
            return False
        case _:
            assert_never(policy)


def is_blank(value: Value) -> bool:
    """Whether a value says nothing: null, or a group of nulls."""
    return value is None or (isinstance(value, tuple) and all(is_blank(part) for part in value))


def _age(claim: Claim, rank: Mapping[str, int]) -> tuple[int, bool, int]:
    """Later is greater; at the same instant a value beats a blank, then the system of the better rank wins."""
    place = -1 if claim.by == DECISION else rank.get(claim.by, len(rank))
    return claim.ts_us, not is_blank(claim.value), -place


def _place(system: str, ranking: tuple[str, ...]) -> int:
    if system == DECISION:
        return -1
    return ranking.index(system) if system in ranking else len(ranking)
