"""The peers in turns: each is woken, measured and put to rest, whoever was first in one round last in the next."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from benchmarks.peers.captures import capture
from benchmarks.peers.drains import drain, settled
from benchmarks.peers.latencies import latency
from benchmarks.peers.outcomes import outcome
from benchmarks.peers.pairs import Pair, Size
from benchmarks.peers.patience import PeerError
from benchmarks.peers.peer import Peer, Relay
from benchmarks.report import Sample
from benchmarks.stage import Stage
from duplex.errors import DuplexError

Made = Callable[[Pair], Peer]
Measure = Callable[[Peer], Awaitable[Sample]]
# Java compiles what runs often: its first drains are half as fast.
JAVA = ("debezium", "symmetricds")
CAPTURES = 3
FAILURES = (PeerError, DuplexError, OSError, RuntimeError, asyncpg.PostgresError)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure. `warm` drains of programs in Java come first and are not kept; of others, one at most.

    `rates` in changes a second, for `time_s` each.
    """

    size: Size
    rounds: int
    warm: int
    rates: Sequence[int]
    time_s: int
    captures: bool = True
    outcomes: bool = True


@dataclass(slots=True)
class Turns:
    """`keep` gets each sample as it is made, `say` a line for people. A peer that fails is left out from then on."""

    stage: Stage
    plan: Plan
    keep: Callable[[Sample], None]
    say: Callable[[str], None]
    peers: list[Peer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def run(self, made: Mapping[str, Made]) -> None:
        """All that is planned, for all of them; they are stopped at the end."""
        try:
            for name, make in made.items():
                await self._joined(name, make)
            await self._measure()
        finally:
            for peer in list(self.peers):
                await self._stopped(peer)

    async def _joined(self, name: str, make: Made) -> None:
        self.say(f"starting {name}")
        pair = await Pair.made(self.stage, self.plan.size.rows)
        try:
            peer = make(pair)
        except FAILURES as error:
            self._failed(name, error)
            return
        self.peers.append(peer)
        async with self._kept_apart(peer):
            await peer.start()
            await settled(peer)
            for number in range(self.plan.warm if name in JAVA else min(1, self.plan.warm)):
                sample = await drain(self.stage, peer, self.plan.size, -1 - number)
                self.say(f"warm: {told(sample)}")
            await peer.rest()

    async def _measure(self) -> None:
        plan = self.plan
        for number in range(plan.rounds):
            await self._each(number, lambda peer, number=number: drain(self.stage, peer, plan.size, number))  # type: ignore[misc]
            if plan.captures and number < CAPTURES:
                await self._each(number, lambda peer, number=number: self._capture(peer, number), self._relays())  # type: ignore[misc]
        for rate in plan.rates:
            for number in range(max(1, plan.rounds // 5)):
                await self._each(
                    number,
                    lambda peer, rate=rate, number=number: latency(self.stage, peer, rate, plan.time_s, number),  # type: ignore[misc]
                )
        if plan.outcomes:
            await self._each(0, lambda peer: outcome(peer, 0), [peer for peer in self.peers if peer.two_way])

    async def _capture(self, peer: Peer, number: int) -> Sample:
        assert isinstance(peer, Relay)
        return await capture(self.stage, peer, peer, self.plan.size, number)

    def _relays(self) -> list[Peer]:
        """Whoever goes by way of a topic; of duplex the one-way form, for both capture alike."""
        return [peer for peer in self.peers if isinstance(peer, Relay) and not peer.two_way]

    async def _each(self, number: int, measure: Measure, among: Sequence[Peer] | None = None) -> None:
        peers = list(self.peers if among is None else among)
        for peer in peers if number % 2 == 0 else peers[::-1]:
            async with self._kept_apart(peer):
                await peer.wake()
                sample = await measure(peer)
                self.keep(sample)
                self.say(told(sample))
                await peer.rest()

    @asynccontextmanager
    async def _kept_apart(self, peer: Peer) -> AsyncIterator[None]:
        """What one peer cannot do is told at the end, and does not end the others."""
        try:
            yield
        except FAILURES as error:
            self._failed(peer.name, error, peer.log)
            await self._stopped(peer)

    async def _stopped(self, peer: Peer) -> None:
        if peer in self.peers:
            self.peers.remove(peer)
            try:
                await peer.stop()
            except FAILURES as error:
                self._failed(peer.name, error)

    def _failed(self, name: str, error: BaseException, log: Path | None = None) -> None:
        self.failures.append(f"{name}: {error}")
        self.say(f"FAILED {name}: {error}")
        if log is not None and log.exists():
            kept = Path(tempfile.gettempdir()) / f"duplex-peers-{name.replace(', ', '-').replace(' ', '-')}.log"
            shutil.copy(log, kept)
            self.say(f"its log is kept in {kept}")


def told(sample: Sample) -> str:
    """A sample in a line."""
    return f"{sample.case}, {sample.variant}, round {sample.round}: {sample.rate:,.0f}/s"
