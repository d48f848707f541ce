"""How fast a pipeline catches up, and what that takes: changes written while it is paused, then resumed."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from benchmarks.accounting import metered
from benchmarks.peers import children
from benchmarks.peers.pairs import SUM, Size, arrival, execute, load, value
from benchmarks.peers.patience import PeerError, eventually
from benchmarks.peers.peer import Peer
from benchmarks.report import Sample
from benchmarks.stage import Stage

CASE = "drain"
LIMIT_S = 600.0
SETTLE_LIMIT_S = 600.0
SAMPLE_EVERY_S = 0.25
EQUAL_LIMIT_S = 60.0


async def drain(stage: Stage, peer: Peer, size: Size, number: int) -> Sample:
    """One drain. Raises PeerError when the changes do not arrive or the tables differ afterwards."""
    await settled(peer)
    await peer.pause()
    await peer.pair.tidy()
    before = await value(peer.pair.target, SUM)
    loaded = await load(stage, peer.pair, size, number)
    wanted = await value(peer.pair.source, SUM)
    # What autovacuum would do: the queue tables of trigger-based peers have grown from nothing.
    await execute(peer.pair.source, "analyze")
    async with highest(peer.pids()) as memory:
        with metered(lambda: roots(stage, peer)) as used:
            resumed = time.perf_counter()
            await peer.resume()
            seen = await arrival(peer.pair, wanted, LIMIT_S, peer.name)
            wall_s = time.perf_counter() - resumed
            await peer.confirm()
    await equal(peer)
    more = {"peak MB": memory.peak_mb, "load: source CPU s": loaded.server_cpu_s, "load: s in singles": loaded.single_s}
    more |= {
        "load: s in bulk": loaded.bulk_s,
        "confirmed s": used.wall_s,
        "band/s": band(seen, before, wanted) or loaded.changes / wall_s,
    }
    shares = used.us_per(loaded.changes)
    return Sample(
        case=CASE, variant=peer.name, round=number, events=loaded.changes, wall_s=wall_s, cpu_us=shares, more=more
    )


def roots(stage: Stage, peer: Peer) -> Mapping[str, Sequence[int]]:
    """Whose CPU time counts, by name."""
    return {"pipeline": peer.pids(), **peer.servers(), **stage.pids("kafka", "source", "target")}


def band(seen: Sequence[tuple[float, int]], before: int, wanted: int) -> float:
    """Changes per second between the first and the last tenth, without start and tail; 0 when it was too quick."""
    tenth = (wanted - before) / 10
    first = next(look for look in seen if look[1] >= before + tenth)
    last = next(look for look in seen if look[1] >= wanted - tenth)
    return (last[1] - first[1]) / (last[0] - first[0]) if last[0] - first[0] > 0.2 else 0.0


async def settled(peer: Peer) -> None:
    """Changes arrive: one is made until the tables are equal. Raises PeerError."""

    async def arrives() -> bool:
        await execute(peer.pair.source, "update item set n = n + 1, rev = rev + 1 where id = 1")
        return await _equal_within(peer, 3.0)

    await eventually(arrives, SETTLE_LIMIT_S, peer.name, "a first change arrived")
    await peer.confirm()


async def equal(peer: Peer) -> None:
    """Raises PeerError when the tables are not equal, row by row."""
    if not await _equal_within(peer, EQUAL_LIMIT_S):
        raise PeerError(peer.name, "the tables differ although every change is counted")


async def _equal_within(peer: Peer, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while await peer.pair.differences():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.2)
    return True


@dataclass(slots=True)
class Memory:
    """The greatest resident memory seen, in megabytes."""

    peak_mb: float = 0.0


@asynccontextmanager
async def highest(pids: Sequence[int]) -> AsyncIterator[Memory]:
    """Look at the memory of these trees of processes again and again while the block runs."""
    memory = Memory()

    async def look() -> None:
        while True:
            memory.peak_mb = max(memory.peak_mb, children.resident_mb(pids))
            await asyncio.sleep(SAMPLE_EVERY_S)

    task = asyncio.create_task(look())
    try:
        yield memory
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
