"""From the source to the topic alone: changes written while nothing runs, then only the first half goes on."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.accounting import metered
from benchmarks.peers.drains import band, roots, settled
from benchmarks.peers.pairs import Size, load
from benchmarks.peers.patience import PeerError
from benchmarks.peers.peer import Peer, Relay
from benchmarks.report import Sample
from benchmarks.stage import Stage, consuming
from benchmarks.waiting import POLL_S

CASE = "capture alone"
LIMIT_S = 300.0


async def capture(stage: Stage, peer: Peer, relay: Relay, size: Size, number: int) -> Sample:
    """The rate is that between the first and the last tenth, so that no start-up counts. Raises PeerError."""
    await settled(peer)
    await relay.hold()
    await peer.pair.tidy()
    places = [TopicPartition(relay.topic, number) for number in range(relay.partitions)]
    async with consuming(stage.bootstrap) as consumer:
        before = await _end(consumer, places)
        loaded = await load(stage, peer.pair, size, number)
        await relay.relay()
        with metered(lambda: roots(stage, peer)) as used:
            seen = await _filled(consumer, places, before + loaded.changes, peer.name)
    await relay.go_on()
    rate = band(seen, before, before + loaded.changes) or loaded.changes / seen[-1][0]
    return Sample(
        case=CASE,
        variant=peer.name,
        round=number,
        events=loaded.changes,
        wall_s=loaded.changes / rate,
        cpu_us=used.us_per(loaded.changes),
    )


async def _filled(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], wanted: int, peer: str
) -> list[tuple[float, int]]:
    started, seen = time.perf_counter(), list[tuple[float, int]]()
    while True:
        seen.append((time.perf_counter() - started, await _end(consumer, places)))
        if seen[-1][1] >= wanted:
            return seen
        if seen[-1][0] > LIMIT_S:
            raise PeerError(peer, f"after {LIMIT_S:.0f} s its topic holds {seen[-1][1]} of {wanted} messages")
        await asyncio.sleep(POLL_S)


async def _end(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> int:
    return sum((await consumer.end_offsets(places)).values())
