"""How a field's conflicts are decided, as the project file says it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Tag

from schemas.project.base import Name, Part, refuse, word_or
from schemas.project.durations import Duration

FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=80)]


class Priority(Part):
    """Conflicts go to the system named earlier; a system not named ranks after those that are."""

    priority: list[Name] = Field(min_length=1)


class Function(Part):
    """Conflicts are decided by a function of the project's own, from `policies/*.py` beside the file."""

    function: FunctionName


def _no_person(value: Any) -> Any:
    if value == "manual" or (isinstance(value, dict) and "manual" in value):
        raise refuse("decides what nobody has decided in time, so it may not be manual")
    return value


Deciding = Annotated[
    Annotated[Literal["newest", "sum", "union"], Tag("<word>")]
    | Annotated[Priority, Tag("<priority>")]
    | Annotated[Function, Tag("<function>")],
    word_or("priority", "function"),
    BeforeValidator(_no_person),
]


class Deadline(Part):
    """How long a conflict waits for a person, and what decides it `then`."""

    deadline: Duration
    then: Deciding

    @property
    def deadline_us(self) -> int:
        """The deadline in microseconds, from the moment of parking."""
        return self.deadline


class ManualUntil(Part):
    """Conflicts wait for a person, and not for ever."""

    manual: Deadline


OnConflict = Annotated[
    Annotated[Literal["newest", "manual", "sum", "union"], Tag("<word>")]
    | Annotated[Priority, Tag("<priority>")]
    | Annotated[ManualUntil, Tag("<manual>")]
    | Annotated[Function, Tag("<function>")],
    word_or("priority", "manual", "function"),
]


class Guard(Part):
    """Against two systems that rewrite each other: the flip after so many within the window is parked."""

    flips: int = Field(8, ge=2, le=1000)
    window: Duration = 60_000_000

    @property
    def window_us(self) -> int:
        """The window in microseconds."""
        return self.window


def function_of(policy: "str | Priority | ManualUntil | Function | None") -> str | None:
    """The name of the function that a policy calls, itself or after its deadline; None if it calls none."""
    if isinstance(policy, ManualUntil):
        policy = policy.manual.then
    return policy.function if isinstance(policy, Function) else None
