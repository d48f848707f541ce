"""What a user's own processor is written with.

    from streams.processors.user import Output, Record, processor

    @processor(input="{pipeline}.golden.contact", output="{pipeline}.welcome")
    async def welcome(batch: Sequence[Record]) -> list[Output]:
        return [Output(record.key, b"hello") for record in batch]

A file `processors/*.py` in the project's folder may hold any number of them. A batch holds records of one partition,
in order. What the function returns is sent and acknowledged before the batch counts as done; after a crash the batch
comes again. A batch that raises is tried again, then taken apart, and only the records that fail by themselves go
to the dead letters.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from streams.errors import StreamsError
from streams.processors.records import Record

__all__ = ["Output", "Record", "UserCodeError", "processor"]

PIPELINE = "{pipeline}"
MARK = "__duplex_processor__"


@dataclass(frozen=True, slots=True)
class Output:
    """A message to send. `topic` overrides the one that the decorator names."""

    key: bytes | None
    value: bytes | None
    topic: str | None = None
    headers: Sequence[tuple[str, bytes]] = ()


Function = Callable[[Sequence[Record]], Awaitable[Iterable[Output]]]
F = TypeVar("F", bound=Callable[..., Awaitable[Iterable["Output"]]])


@dataclass(eq=False)
class UserCodeError(StreamsError):
    """A user's processor that cannot be loaded."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Declared:
    """A function with what its decorator says. Topics may begin with `{pipeline}`."""

    name: str
    function: Function
    input: str
    output: str | None
    file: str
    line: int
    attempts: int
    timeout_s: float


def processor(
    *,
    input: str,  # noqa: A002 - read as a sentence, at the top of a user's function
    output: str | None = None,
    attempts: int = 3,
    timeout_s: float = 60.0,
) -> Callable[[F], F]:
    """Make an `async def name(batch)` a processor of `input`. `output` is where an Output without a topic goes.

    `attempts` is how often a batch is tried before it is taken apart, `timeout_s` how long one call may take.
    Raises UserCodeError for a function that cannot be one.
    """

    def mark(function: F) -> F:
        # Its type says that it is awaitable; a user's editor may not have.
        found: object = function
        code, name = inspect.unwrap(function).__code__, function.__name__
        place = (code.co_filename, code.co_firstlineno)
        if not inspect.iscoroutinefunction(found):
            raise UserCodeError(*place, f"processor {name} must be an `async def`")
        if len(inspect.signature(function).parameters) != 1:
            raise UserCodeError(*place, f"processor {name} must take one argument, the batch")
        if attempts < 1 or timeout_s <= 0:
            raise UserCodeError(*place, f"processor {name}: attempts and timeout_s must be positive")
        setattr(function, MARK, Declared(name, function, input, output, *place, attempts, timeout_s))
        return function

    return mark
