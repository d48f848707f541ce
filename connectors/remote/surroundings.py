"""What the program lends a connector whose system keeps nothing for it: notes that survive, and deliveries of webhooks.

A connector that has a method `attach(Surroundings)` is given them before its source or sink is opened, and by every
command that changes something. The same connector object then serves the source and the sink of its system, in one
process: so locks and counters in it hold for both.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

ASKED = "sync/"
"""Names of notes that begin so are what commands ask of a running system: `sync/<resource>`, or all with none."""


class Notes(Protocol):
    """Small values by name, kept for the system across restarts and moves to other machines."""

    def get(self, name: str) -> bytes | None:
        """A value as last put; from memory."""
        ...

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so, in no particular order."""
        ...

    async def put(self, values: Mapping[str, bytes | None]) -> None:
        """Keep these (None: forget). Returns when they are safe. Raises UnreachableError."""
        ...


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook delivery whose signature was verified: body and headers (lower-case names) as they came.

    `position` goes to `Hooks.ack`; `received_us` is when the bridge took it.
    """

    position: tuple[int, int]
    delivery_id: str
    body: bytes
    headers: Mapping[str, str]
    received_us: int


class Hooks(Protocol):
    """The deliveries of one system's webhooks, as they lie in Kafka."""

    def read(self) -> AsyncIterator[Sequence[Hook]]:
        """Batches after the last acknowledged position, for ever; repeats after a restart, never omits."""
        ...

    async def ack(self, positions: Sequence[tuple[int, int]]) -> None:
        """Everything up to these (partition, offset) is done with."""
        ...


class NoHooks:
    """Of a system without webhooks: nothing ever comes."""

    async def read(self) -> AsyncIterator[Sequence[Hook]]:
        """Ends at once."""
        return
        yield ()

    async def ack(self, positions: Sequence[tuple[int, int]]) -> None:
        """Nothing to do."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is lent. `writing`: a sink runs beside the source, and begins by finishing what was under way."""

    notes: Notes
    hooks: Hooks = field(default_factory=NoHooks)
    writing: bool = True


@runtime_checkable
class Attachable(Protocol):
    """A connector that needs surroundings."""

    def attach(self, surroundings: Surroundings) -> None: ...
