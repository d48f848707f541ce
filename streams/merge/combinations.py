"""Values made of two: counters to which both sides added, lists to which both sides put things.

A base is the value that an editor saw: `(value,)`, or `()` where it is not known.
"""

import decimal
import math
import re
from collections.abc import Iterable
from decimal import Decimal

from streams.merge.values import Value

Base = tuple[Value] | tuple[()]
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_EXACT = decimal.Context(
    prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.Inexact, decimal.Overflow]
)


def delta(incoming: Value, base: Base) -> Decimal | None:
    """What an edit of a counter added, exactly; None if that cannot be said: no base, or no number."""
    if not base:
        return None
    after, before = number(incoming), _count(base[0])
    return None if after is None or before is None else _EXACT.subtract(after, before)


def total(current: Value, incoming: Value, base: Base) -> Value:
    """The counter with what the edit added, in the numbers' own kind; None if that cannot be said.

    Decimal text stays decimal text, whole numbers stay whole, floats are added as the decimals that they print as.
    """
    added, held = delta(incoming, base), _count(current)
    if added is None or held is None:
        return None
    result = _EXACT.add(held, added)
    kinds = {type(value) for value in (current, incoming, *base)}
    if str in kinds:
        return plain(result)
    return float(result) if float in kinds else int(result)


def number(value: Value) -> Decimal | None:
    """A value as an exact decimal, if it is a finite number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    return Decimal(value) if isinstance(value, str) and _PLAIN.fullmatch(value) else None


def plain(value: Decimal) -> str:
    """The canonical text of a decimal: no exponent, no trailing zeros, no negative zero."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def together(current: Value, incoming: Value, base: Base) -> tuple[Value, ...] | None:
    """The list with what the edit added, without what it removed; None if one of the values is no list.

    Without a base: the elements of both.
    """
    held, wanted, seen = _elements(current), _elements(incoming), _elements(base[0] if base else None)
    if held is None or wanted is None or seen is None:
        return None
    added, removed = without(wanted, seen), {_same(element) for element in without(seen, wanted)}
    kept = [element for element in held if _same(element) not in removed]
    return (*kept, *without(added, kept))


def without(elements: Iterable[Value], others: Iterable[Value]) -> list[Value]:
    """The elements that are not among the others, each once, in their order."""
    known, found = {_same(element) for element in others}, []
    for element in elements:
        if _same(element) not in known:
            known.add(_same(element))
            found.append(element)
    return found


def is_same_set(one: Value, other: Value) -> bool:
    """Whether two lists have the same elements."""
    left, right = _elements(one), _elements(other)
    if left is None or right is None:
        return False
    return {_same(element) for element in left} == {_same(element) for element in right}


def _count(value: Value) -> Decimal | None:
    return Decimal(0) if value is None else number(value)


def _elements(value: Value) -> tuple[Value, ...] | None:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else None


def _same(element: Value) -> tuple[bool, Value]:
    # True == 1 in Python, and not in a list of a user's.
    return isinstance(element, bool), element
