"""From commit to visible on the other side, at a fixed rate: every edit counted, on one clock.

Each row is edited at most once and stamped with `clock_timestamp()` in a transaction of its own. The source commits
synchronously: readers of the write-ahead log see only what is flushed, and would otherwise wait for the log writer.
Visible is the time of the commit that left the row in the target; a peer that commits with the source's time has a
trigger in the target note the arrival instead.
"""

import asyncio
from pathlib import Path

import asyncpg

from benchmarks.accounting import metered
from benchmarks.peers.drains import roots, settled
from benchmarks.peers.pairs import SUM, Pair, arrival, execute, value
from benchmarks.peers.peer import Peer
from benchmarks.report import Sample
from benchmarks.stage import Stage, path, sql

LIMIT_S = 120.0
SQL = Path(__file__).parent / "sql"


def case(rate: int) -> str:
    """What the figures of a rate are filed under."""
    return f"latency at {rate}/s"


async def latency(stage: Stage, peer: Peer, rate: int, time_s: int, number: int) -> Sample:
    """`rate` edits a second for `time_s`. Raises PeerError when they do not arrive."""
    await settled(peer)
    await peer.pair.tidy()
    await execute(peer.pair.source, "select setval('turn', 1, false)")
    if peer.stamped:
        await execute(peer.pair.target, (SQL / "stamp.sql").read_text())
    since = await value(peer.pair.source, "select clock_timestamp()")
    words = ("--client=8", "--jobs=1", f"--rate={rate}", f"--time={time_s}")
    with metered(lambda: roots(stage, peer)) as used:
        edits = await asyncio.to_thread(stage.pgbench, peer.pair.source, path("paced.sql"), *words)
        await arrival(peer.pair, await value(peer.pair.source, SUM), LIMIT_S, peer.name)
    found = await _delays_ms(peer.pair, since, stamped=peer.stamped)
    more = {f"p{share} ms": part(found, share / 100) for share in (50, 90, 99)} | {"max ms": found[-1]}
    shares = used.us_per(edits)
    return Sample(
        case=case(rate), variant=peer.name, round=number, events=edits, wall_s=time_s, cpu_us=shares, more=more
    )


async def _delays_ms(pair: Pair, since: object, *, stamped: bool) -> list[float]:
    query = (SQL / "stamped.sql").read_text() if stamped else sql("latency.sql")
    connection = await asyncpg.connect(pair.target)
    try:
        found = sorted(await connection.fetchval(query, since, 1, pair.rows))
        if stamped:
            await connection.execute("drop trigger stamp on item")
        return found
    finally:
        await connection.close()


def part(ordered: list[float], share: float) -> float:
    """The value below which that share lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
