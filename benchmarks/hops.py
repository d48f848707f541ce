"""Where an edit's time goes on its way, read back from the topics: the log append times and the writers' clocks.

commit → `records` (the relay, and identity where there is one) → `commands` (the merge) → the row in the other
database (the sink; its echo carries the time of the write).
"""

import statistics
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

from benchmarks.stage import consuming
from schemas.codec import Codec
from schemas.messages import Change, Command
from schemas.topics import Topics

READ_TIMEOUT_MS = 2_000


async def hops_ms(bootstrap: str, topics: Topics, entity: str, since_us: int) -> Mapping[str, float]:
    """The median of each hop in milliseconds, over the edits made since then that led to a command."""
    edits: dict[tuple[int, int], tuple[int, int]] = {}
    written: dict[str, int] = {}
    commands: dict[str, tuple[tuple[int, int], int]] = {}
    names = (topics.records(entity), topics.commands("crm"), topics.commands("erp"))
    codec = Codec()
    for record in await _read(bootstrap, names):
        message = codec.decode(record.value)
        if isinstance(message, Command):
            commands[message.id] = ((message.partition, message.offset), record.timestamp * 1000)
        elif isinstance(message, Change) and message.origin is not None:
            written[message.origin.command] = message.ts_us
        elif isinstance(message, Change) and message.op == "u" and message.ts_us >= since_us:
            edits[record.partition, record.offset] = (message.ts_us, record.timestamp * 1000)
    whole = [
        (*edits[place], decided_us, written[name])
        for name, (place, decided_us) in commands.items()
        if place in edits and name in written
    ]
    steps = ("commit → records", "records → command", "command → row")
    return {step: _median([way[place + 1] - way[place] for way in whole]) for place, step in enumerate(steps)}


def _median(found_us: list[int]) -> float:
    return statistics.median(found_us) / 1000 if found_us else 0.0


async def _read(bootstrap: str, names: tuple[str, ...]) -> list[Any]:
    found: list[Any] = []
    async with consuming(bootstrap) as consumer:
        places = [TopicPartition(name, number) for name in names for number in range(4)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=READ_TIMEOUT_MS, max_records=5000)).values():
                found += records
    return found
