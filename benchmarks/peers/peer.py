"""What the comparison asks of a pipeline. Every peer keeps `item` of one pair of databases in step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from benchmarks.peers.pairs import Pair


class Peer(Protocol):
    """One way from `pair.source` to `pair.target`, or both ways.

    `stamped`: it commits in the target with the source's time of commit, so that arrival needs a trigger to be seen.
    """

    pair: Pair

    @property
    def name(self) -> str: ...

    @property
    def two_way(self) -> bool: ...

    @property
    def stamped(self) -> bool: ...

    @property
    def log(self) -> Path | None:
        """What it says, while it has not been stopped; None where it has no log of its own."""
        ...

    async def start(self) -> None:
        """Install it and run it. Whether changes arrive is asked afterwards. Raises PeerError."""
        ...

    async def pause(self) -> None:
        """Read and apply nothing; what is changed meanwhile is kept."""
        ...

    async def resume(self) -> None: ...

    async def rest(self) -> None:
        """Let others be measured: take as little of the machine as it can, for any time."""
        ...

    async def wake(self) -> None:
        """Back to work after a rest."""
        ...

    async def stop(self) -> None: ...

    async def confirm(self) -> None:
        """Wait until it has nothing more to do for what has arrived already (echoes, acknowledgements)."""
        ...

    def pids(self) -> Sequence[int]:
        """The roots of its own processes; databases and broker are not among them."""
        ...

    def servers(self) -> Mapping[str, Sequence[int]]:
        """Servers that it alone needs, by name."""
        ...


@runtime_checkable
class Relay(Protocol):
    """A pipeline by way of a topic, of which the first half can run alone. `topic` gets one message per change."""

    @property
    def topic(self) -> str: ...

    @property
    def partitions(self) -> int: ...

    async def hold(self) -> None:
        """Neither half runs."""
        ...

    async def relay(self) -> None:
        """Only the first half runs: from the source to the topic."""
        ...

    async def go_on(self) -> None:
        """Both halves run again."""
        ...
