"""What a user of the embedded servers may choose."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str], None]


def silent(_message: str) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`durable`: Postgres waits for the disk (fsync). `heap_mb`: Kafka's Java heap, in megabytes.

    `short_lived`: Java's compiler aims at a quick start, not at speed in the long run.
    """

    durable: bool = True
    short_lived: bool = False
    heap_mb: int = 512
