"""Policy functions tried on generated values: one that is not deterministic is refused, and shown where.

Randomness is a parameter, so that a counterexample can be found again. That no input is changed need not be tried:
canonical values cannot be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.project.model import Column, Entity, FieldRule
from streams.errors import InvalidValueError
from streams.mapping.conversions import canonical
from streams.mapping.functions import Declared
from streams.mapping.laws import Randomness, sample_value
from streams.merge.values import Value

ROUNDS = 300
Case = tuple[Value, Value, Value]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function made of a case: a value, or the name of what it raised."""

    value: Value = None
    raised: str | None = None
    reason: str = ""

    def told(self) -> str:
        """The answer for a person."""
        return repr(self.value) if self.raised is None else f"{self.raised}: {self.reason}"

    def same(self, other: "Answer") -> bool:
        """Whether two answers are alike; what an error says may well differ."""
        return (self.value, self.raised) == (other.value, other.raised) and type(self.value) is type(other.value)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a function was seen to be: for each law a case that breaks it, or None; and how often it raised."""

    commutative: str | None
    idempotent: str | None
    raised: int
    cases: int
    example: str = ""

    def sentences(self, name: str) -> Iterator[str]:
        """The facts for a person."""
        for law, broken in (("commutative", self.commutative), ("idempotent", self.idempotent)):
            yield f"{name} is {law}" if broken is None else f"{name} is not {law}: {broken}"
        if self.raised:
            yield f"{name} raised in {self.raised} of {self.cases} cases, which parks the edit; {self.example}"


def cases(rule: FieldRule, randomness: Randomness, meanings: Sequence[Value] = (), count: int = ROUNDS) -> list[Case]:
    """Cases for a field: current, incoming, base. `meanings` are values that its tables of values know."""

    def one() -> Value:
        if meanings and randomness.randint(0, 2):
            return randomness.choice(meanings)
        return sample_value(rule, randomness)

    found: list[Case] = [(None, None, None)]
    while len(found) < count:
        current, incoming = one(), one()
        base = randomness.choice((None, current, incoming, one()))
        found.append((current, incoming, base))
    return found


def meanings(entity: Entity, field: str) -> tuple[Value, ...]:
    """The values that a field's tables of values know, in any system."""
    rule = entity.fields[field]
    mapped = [held.map.get(field) for held in entity.systems.values()]
    texts = [text for one in mapped if isinstance(one, Column) for text in one.values or ()]
    if rule.type == "boolean":
        return (True, False) if texts else ()
    return tuple(dict.fromkeys(canonical(rule, text) for text in texts))


def answer(declared: Declared, rule: FieldRule, case: Case) -> Answer:
    """What the function makes of one case. Raises InvalidValueError for what is not of the field's type."""
    try:
        given = declared.function(*case)
    except Exception as error:  # noqa: BLE001 - a project's function may raise anything
        return Answer(raised=type(error).__name__, reason=str(error)[:200])
    return Answer(canonical(rule, given))


def fault(declared: Declared, rule: FieldRule, tried: Sequence[Case]) -> str | None:
    """Why a function cannot decide a field, with the case that shows it; None if none of these does.

    Every case is tried twice, the second time in the opposite order, so that a memory of earlier calls shows.
    """
    first: dict[int, Answer] = {}
    for index in (*range(len(tried)), *reversed(range(len(tried)))):
        try:
            now = answer(declared, rule, tried[index])
        except InvalidValueError as error:
            return f"{told(declared, tried[index])} is no value of the field: {error}"
        was = first.setdefault(index, now)
        if not was.same(now):
            return f"is not deterministic: {told(declared, tried[index])} is {was.told()}, and then {now.told()}"
    if all(one.raised for one in first.values()):
        return f"raises whatever it is given: {told(declared, tried[0])} is {first[0].told()}"
    return None


def told(declared: Declared, case: Case) -> str:
    """A call for a person."""
    return f"{declared.name}({', '.join(map(repr, case))})"


def facts(declared: Declared, rule: FieldRule, tried: Sequence[Case]) -> Facts:
    """What a deterministic function is beside: nothing is demanded of it, and its author may want to know."""
    commutative = idempotent = None
    answers = [answer(declared, rule, case) for case in tried]
    raised = [index for index, one in enumerate(answers) if one.raised]
    for case, one in zip(tried, answers, strict=True):
        current, incoming, base = case
        other = answer(declared, rule, (incoming, current, base))
        if commutative is None and not one.same(other):
            commutative = f"{told(declared, case)} is {one.told()}, and with the two exchanged {other.told()}"
        again = answer(declared, rule, (one.value, incoming, base)) if one.raised is None else one
        if idempotent is None and not one.same(again):
            idempotent = f"{told(declared, case)} is {one.told()}, and a second time {again.told()}"
    example = f"{told(declared, tried[raised[0]])} is {answers[raised[0]].told()}" if raised else ""
    return Facts(commutative, idempotent, len(raised), len(tried), example)
