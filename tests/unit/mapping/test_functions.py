"""Policy functions: what may be one, and what is seen of one that is tried."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from schemas.project.model import FieldRule
from streams.mapping import function_laws
from streams.mapping.functions import MARK, Declared, PolicyError, policy

TEXT, NUMBER = FieldRule(), FieldRule(type="integer")


def declared(function: Callable[..., object]) -> Declared:
    return Declared("it", function, "policies/it.py", 1)


def fault(function: Callable[..., object], rule: FieldRule = TEXT) -> str | None:
    return function_laws.fault(declared(function), rule, function_laws.cases(rule, random.Random(1)))


def facts(function: Callable[..., object], rule: FieldRule = NUMBER) -> function_laws.Facts:
    return function_laws.facts(declared(function), rule, function_laws.cases(rule, random.Random(1)))


def longest(current: Any, incoming: Any, base: Any) -> Any:
    return max(current or "", incoming or "", key=lambda text: (len(text), text))


def greatest(current: Any, incoming: Any, base: Any) -> Any:
    return max(current or 0, incoming or 0)


def test_a_function_is_marked_with_its_place() -> None:
    mark = getattr(policy(longest), MARK)
    assert (mark.name, mark.file, mark.line) == ("longest", __file__, longest.__code__.co_firstlineno)


async def waiting(current: Any, incoming: Any, base: Any) -> Any:
    return current


@pytest.mark.parametrize(
    ("function", "words"), [(waiting, "must be a plain function"), (lambda a, b: a, "must take three arguments")]
)
def test_what_cannot_be_one_is_refused_with_its_place(function: Callable[..., object], words: str) -> None:
    with pytest.raises(PolicyError, match=rf"test_functions\.py:\d+: .*{words}"):
        policy(function)


@pytest.mark.parametrize("function", [longest, lambda current, incoming, base: base])
def test_a_deterministic_function_has_no_fault(function: Callable[..., object]) -> None:
    assert fault(function) is None


def counting() -> Callable[..., object]:
    numbers = itertools.count()
    return lambda current, incoming, base: str(next(numbers))


def remembering() -> Callable[..., object]:
    """The same at every repeat at once, and not in another order."""
    seen: list[object] = []

    def function(current: Any, incoming: Any, base: Any) -> Any:
        if seen[-1:] != [(current, incoming)]:
            seen.append((current, incoming))
        return str(len(seen))

    return function


@pytest.mark.parametrize("function", [counting(), remembering(), lambda current, incoming, base: str(random.random())])
def test_one_that_is_not_deterministic_is_told_with_a_case(function: Callable[..., object]) -> None:
    found = fault(function)
    assert found is not None
    assert found.startswith("is not deterministic: it(")
    assert ", and then " in found


def test_what_it_returns_must_be_of_the_fields_type() -> None:
    assert "is no value of the field" in str(fault(lambda current, incoming, base: 7, TEXT))
    group = FieldRule(group=["street", "city"])
    assert "is no list of 2 values" in str(fault(lambda current, incoming, base: "x", group))
    assert fault(lambda current, incoming, base: incoming, group) is None


def test_one_that_always_raises_is_a_fault_and_one_that_sometimes_does_a_fact() -> None:
    assert "raises whatever it is given" in str(fault(lambda current, incoming, base: 1 / 0))
    found = facts(lambda current, incoming, base: current + incoming)
    assert 0 < found.raised < found.cases
    assert "TypeError" in list(found.sentences("sum"))[-1]


def test_laws_are_seen_and_not_demanded() -> None:
    assert facts(greatest).commutative is None
    assert facts(greatest).idempotent is None
    left = facts(lambda current, incoming, base: current)
    assert left.commutative is not None and left.idempotent is None
    more = facts(lambda current, incoming, base: (current or 0) + (incoming or 0))
    assert more.commutative is None and more.idempotent is not None
    assert list(facts(greatest).sentences("greatest")) == ["greatest is commutative", "greatest is idempotent"]


@pytest.mark.parametrize(
    "kind", ["string", "integer", "decimal", "float", "boolean", "date", "datetime", "uuid", "json", "bytes", "list"]
)
def test_every_type_has_cases_that_are_canonical(kind: Any) -> None:
    rule = FieldRule(type=kind, places=2 if kind == "decimal" else None)
    tried = function_laws.cases(rule, random.Random(7), count=100)
    assert len(set(map(repr, tried))) > 3
    assert function_laws.fault(declared(lambda current, incoming, base: incoming), rule, tried) is None
    assert tried == function_laws.cases(rule, random.Random(7), count=100)
