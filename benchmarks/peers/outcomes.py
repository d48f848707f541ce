"""What becomes of edits on both sides at once: rows edited on both while neither side hears of the other.

*split*: one column at the source, another at the target; the good outcome is that both edits are kept on both sides.
*later*: the same column on both, the target a moment later; the outcome should be the same on both sides.
"""

import asyncio
import time
from collections import Counter
from typing import Any

import asyncpg

from benchmarks.peers.drains import settled
from benchmarks.peers.pairs import Pair
from benchmarks.peers.peer import Peer
from benchmarks.report import Sample

CASE = "edits on both sides"
ROWS = 50
BETWEEN_S = 0.3
QUIET_S = 10.0
LIMIT_S = 60.0
EDIT = "update item set {} = $1, ts = clock_timestamp() where id between $2 and $3"
READ = "select id, a, b from item where id between $1 and $2"
Rows = dict[int, tuple[str, str]]


async def outcome(peer: Peer, number: int) -> Sample:
    """Edit, let it settle, and count what is found on both sides."""
    await settled(peer)
    first = 1000 + number * 2 * ROWS
    await peer.pause()
    await _edited(peer.pair, first)
    started = time.perf_counter()
    await peer.resume()
    source, target = await _at_rest(peer.pair, first)
    found = Counter(f"split: {split(source[key], target[key])}" for key in range(first, first + ROWS))
    found += Counter(f"later: {later(source[key], target[key])}" for key in range(first + ROWS, first + 2 * ROWS))
    more = {name: float(count) for name, count in found.items()}
    wall_s = time.perf_counter() - started
    return Sample(case=CASE, variant=peer.name, round=number, events=2 * ROWS, wall_s=wall_s, more=more)


async def _edited(pair: Pair, first: int) -> None:
    source, target = await asyncpg.connect(pair.source), await asyncpg.connect(pair.target)
    try:
        await source.execute(EDIT.format("a"), "SOURCE", first, first + 2 * ROWS - 1)
        await asyncio.sleep(BETWEEN_S)
        await target.execute(EDIT.format("b"), "TARGET", first, first + ROWS - 1)
        await target.execute(EDIT.format("a"), "TARGET", first + ROWS, first + 2 * ROWS - 1)
    finally:
        await source.close()
        await target.close()


async def _at_rest(pair: Pair, first: int) -> tuple[Rows, Rows]:
    """Both sides, once they have not changed for a while."""
    deadline, since, found = time.monotonic() + LIMIT_S, time.monotonic(), await _both(pair, first)
    while time.monotonic() < min(deadline, since + QUIET_S):
        await asyncio.sleep(0.2)
        now = await _both(pair, first)
        if now != found:
            since, found = time.monotonic(), now
    return found


async def _both(pair: Pair, first: int) -> tuple[Rows, Rows]:
    return await _read(pair.source, first), await _read(pair.target, first)


async def _read(dsn: str, first: int) -> Rows:
    connection = await asyncpg.connect(dsn)
    try:
        return {row["id"]: (row["a"], row["b"]) for row in await connection.fetch(READ, first, first + 2 * ROWS - 1)}
    finally:
        await connection.close()


def split(source: Any, target: Any) -> str:
    if source != target:
        return "sides differ"
    kept = (source[0] == "SOURCE", source[1] == "TARGET")
    words = {
        (True, True): "both kept",
        (True, False): "the target's edit lost",
        (False, True): "the source's edit lost",
    }
    return words.get(kept, "both lost")


def later(source: Any, target: Any) -> str:
    if source[0] != target[0]:
        return "sides differ"
    return {"SOURCE": "the source's kept", "TARGET": "the target's kept"}.get(source[0], "both lost")
