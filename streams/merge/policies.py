"""What becomes of two values of a field when neither writer had seen the other's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from streams.errors import StreamsError
from streams.merge.combinations import Base, delta, is_same_set, plain, together, total, without
from streams.merge.rules import Deciding, Function, Manual, Newest, Owner, Policy, Priority, Sum, Union
from streams.merge.turns import DECISION
from streams.merge.values import Value

DEPTH_LIMIT = 7
LEAST, GREATEST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A value, who gave it, and when (µs)."""

    value: Value
    ts_us: int
    by: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """The value that stands from now on, and whose it is; `detail` says how it was made of both."""

    winner: Literal["current", "incoming", "merged"]
    value: Value
    detail: str = ""


@dataclass(eq=False)
class UndecidedError(StreamsError):
    """A policy that came to no value: the edit is to be parked under `rule`, with the reason."""

    rule: str
    reason: str

    def __str__(self) -> str:
        return self.reason


def rule(policy: Deciding, incoming: Claim, current: Claim, base: Base, rank: Mapping[str, int]) -> Ruling:
    """Decide between two values. `base` is what the incoming one's writer saw. Raises UndecidedError."""
    match policy:
        case Sum():
            return _added(incoming, current, base) or _one_of(Newest(), incoming, current, rank)
        case Union():
            return _united(incoming, current, base) or _one_of(Newest(), incoming, current, rank)
        case Function():
            return _called(policy, incoming.value, current.value, base)
        case Newest() | Priority() | Owner():
            return _one_of(policy, incoming, current, rank)
        case _:
            assert_never(policy)


def incoming_wins(policy: Policy, incoming: Claim, current: Claim, rank: Mapping[str, int]) -> bool:
    """Whether the incoming value takes the current one's place, where one of them must.

    `rank` orders the systems, the first is 0. Counters, lists and functions are as newest where only one may stand.
    """
    match policy:
        case Newest() | Sum() | Union() | Function():
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


def mended(policy: Sum | Union, current: Value, incoming: Value, base: Base) -> Value:
    """The counter or list with what an edit added to it or took away; None where that cannot be said.

    Raises UndecidedError.
    """
    if isinstance(policy, Union):
        return together(current, incoming, base)
    result = total(current, incoming, base)
    _check(result, "sum")
    return result


def _one_of(policy: Policy, incoming: Claim, current: Claim, rank: Mapping[str, int]) -> Ruling:
    if incoming_wins(policy, incoming, current, rank):
        return Ruling("incoming", incoming.value)
    return Ruling("current", current.value)


def _added(incoming: Claim, current: Claim, base: Base) -> Ruling | None:
    change, result = delta(incoming.value, base), mended(Sum(), current.value, incoming.value, base)
    if change is None or result is None:
        return None
    sign = "-" if change < 0 else "+"
    detail = f"{_shown(current.value)} {sign} {plain(abs(change))} ({incoming.by}) over base {_shown(base[0])}"  # type: ignore[misc]
    return _ruling(result, incoming.value, current.value, detail)


def _united(incoming: Claim, current: Claim, base: Base) -> Ruling | None:
    result = together(current.value, incoming.value, base)
    if result is None:
        return None
    if is_same_set(result, current.value):
        return Ruling("current", current.value)
    if is_same_set(result, incoming.value):
        return Ruling("incoming", incoming.value)
    more, less = without(result, current.value or ()), without(current.value or (), result)  # type: ignore[arg-type]
    parts = [f"{word} {', '.join(map(_shown, some))}" for word, some in (("added", more), ("removed", less)) if some]
    return Ruling("merged", result, f"{' and '.join(parts)} ({incoming.by})")


def _called(policy: Function, incoming: Value, current: Value, base: Base) -> Ruling:
    try:
        result = _frozen(policy.call(current, incoming, base[0] if base else None))
    except Exception as error:
        reason = f"function {policy.name} raised {type(error).__name__}: {error}"
        raise UndecidedError("function", reason) from error
    _check(result, "function", f"function {policy.name} gave ")
    return _ruling(result, incoming, current, f"made by function {policy.name}")


def _ruling(result: Value, incoming: Value, current: Value, detail: str) -> Ruling:
    if result == current:
        return Ruling("current", current)
    if result == incoming:
        return Ruling("incoming", incoming)
    return Ruling("merged", result, detail)


def _check(value: Any, rule_name: str, whose: str = "") -> None:
    """Raises UndecidedError for what no state can hold: a number that is too large, or a thing that is no value."""
    fault = _fault(value, DEPTH_LIMIT)
    if fault:
        raise UndecidedError(rule_name, whose + fault)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _fault(value: Any, depth: int) -> str:
    if isinstance(value, tuple):
        if depth == 0:
            return "a value nested too deeply"
        return next((fault for part in value if (fault := _fault(part, depth - 1))), "")
    if isinstance(value, int) and not LEAST <= value <= GREATEST:
        return "a whole number that 64 bits do not hold"
    if isinstance(value, float) and value - value != 0:
        return f"{value}, which is no finite number"
    return (
        "" if value is None or isinstance(value, str | int | float) else f"a {type(value).__name__}, which is no value"
    )


def _shown(value: Value) -> str:
    return "nothing" if value is None else str(value)


def _age(claim: Claim, rank: Mapping[str, int]) -> tuple[int, bool, int]:
    """Later is greater; at the same instant a value beats a blank, then the system of the better rank wins."""
    place = -1 if claim.by == DECISION else rank.get(claim.by, len(rank))
    return claim.ts_us, not is_blank(claim.value), -place


def _place(system: str, ranking: tuple[str, ...]) -> int:
    if system == DECISION:
        return -1
    return ranking.index(system) if system in ranking else len(ranking)
