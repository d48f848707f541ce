"""What a user of the embedded servers may choose."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str], None]


def silent(_message: str) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`durable`: Postgres waits for the disk (fsync). `short_lived`: the Java compiler aims at a quick start, not at speed.

    `heap_mb` is Kafka's Java heap in megabytes.
    """

    durable: bool = True
    short_lived: bool = False
    heap_mb: int = 512
