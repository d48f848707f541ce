"""What a project's own policies are written with.

    from streams.mapping.functions import policy

    @policy
    def longest(current, incoming, base):
        return max(current or "", incoming or "", key=len)

A file `policies/*.py` in the project's folder may hold any number of them. A function is given the record's value, the
edit's, and the value that the editor saw (None where that is not known, or where there is none), in the canonical
forms of the field's type: decimals and times as text, lists and groups as tuples. It returns the value that the field
shall have, for any of these the same at every call; when it raises, the edit is parked with the reason.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from schemas.project.model import FieldRule
from streams.errors import InvalidValueError, StreamsError
from streams.mapping.conversions import canonical
from streams.mapping.validity import validator
from streams.merge.values import Value

MARK = "__duplex_policy__"
Call = Callable[[Value, Value, Value], Value]
F = TypeVar("F", bound=Callable[..., object])


@dataclass(eq=False)
class PolicyError(StreamsError):
    """A policy function that cannot be used."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Declared:
    """A policy function, and where it stands. `digest` is that of its file's text: another text is another function."""

    name: str
    function: Callable[..., object]
    file: str
    line: int
    digest: str = ""


Functions = Mapping[str, Declared]


def policy(function: F) -> F:
    """Make `def name(current, incoming, base)` a policy that a field may name. Raises PolicyError."""
    code, name = inspect.unwrap(function).__code__, function.__name__
    place = (code.co_filename, code.co_firstlineno)
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise PolicyError(*place, f"policy {name} must be a plain function: it may wait for nothing")
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError as error:
        raise PolicyError(*place, f"policy {name} must take three arguments: current, incoming, base") from error
    setattr(function, MARK, Declared(name, function, *place))
    return function


def caller(declared: Declared, rule: FieldRule) -> Call:
    """The function for one field: what it returns is taken in canonical form, and must be what the field takes.

    The call raises InvalidValueError for anything else, and whatever the function raises.
    """
    validate = validator(rule)

    def call(current: Value, incoming: Value, base: Value) -> Value:
        answer = declared.function(current, incoming, base)
        try:
            value = canonical(rule, answer)
            if validate is not None:
                validate(value)
        except InvalidValueError as error:
            raise InvalidValueError(
                f"policy {declared.name} returned a value that", f"is not taken: {error}"
            ) from error
        return value

    return call


def changed(name: str) -> Call:
    """In place of a function whose text is no longer the one that these rules were made with."""

    def call(current: Value, incoming: Value, base: Value) -> Value:
        raise InvalidValueError(f"policy {name}", "has another text than when these rules were applied")

    return call
