"""Sending amendments into the record log: in turn, not faster than wanted, and only while live traffic is served."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from duplex import broker
from duplex.composition import Composition
from duplex.replaying.errors import BehindError
from duplex.replaying.reports import RecordChange
from schemas.codec import Codec
from schemas.messages import Amend, Amendment
from schemas.placement import partition_of
from streams.processors.settings import group_id

LAG_LIMIT = 1000
CHECK_EVERY_S = 1.0
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Sent:
    """An amendment in the log."""

    amendment: Amendment
    partition: int
    offset: int


def amendments(changes: Sequence[RecordChange], amended_by: str, reason: str, ts_us: int) -> Iterator[Amendment]:
    """What carries these differences out: for each record the fields that can be amended, existence last."""
    for change in changes:
        fields = tuple(
            Amend(field=each.field, version=each.version, value=_text(each.then))
            for each in change.fields
            if each.amendable
        )
        if fields:
            yield Amendment(
                record_id=change.record_id,
                entity=change.entity,
                kind="replay",
                fields=fields,
                amended_by=amended_by,
                reason=reason,
                ts_us=ts_us,
            )


def _text(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


async def send(
    composed: Composition,
    wanted: Sequence[Amendment],
    rate_per_s: float,
    say: Callable[[str], None],
    advance: Callable[[int, int], None],
) -> list[Sent]:
    """Put these amendments into the record log; each one's place there. Raises BrokerError, BehindError."""
    codec, sent = Codec(), list[Sent]()
    topics, began_s, checked_s = composed.topics, time.monotonic(), 0.0
    async with broker.producer(composed.kafka) as client:
        for amendment in wanted:
            if time.monotonic() - checked_s > CHECK_EVERY_S:
                await _let_live_traffic_through(composed, wanted, len(sent), say)
                checked_s = time.monotonic()
            await asyncio.sleep(max(0.0, began_s + len(sent) / rate_per_s - time.monotonic()))
            key = amendment.record_id.encode()
            place = await client.send_and_wait(
                topics.records(amendment.entity),
                codec.encode(amendment),
                key=key,
                partition=partition_of(key, topics.partitions),
            )
            sent.append(Sent(amendment, place.partition, place.offset))
            advance(len(sent), len(wanted))
    return sent


async def _let_live_traffic_through(
    composed: Composition, wanted: Sequence[Amendment], sent: int, say: Callable[[str], None]
) -> None:
    """Wait until the merge is nearly at the end of its log. Raises BehindError."""
    pairs = [
        (group_id(composed.topics.pipeline, f"merge.{entity}"), composed.topics.records(entity))
        for entity in sorted({each.entity for each in wanted})
    ]
    told, began_s = False, time.monotonic()
    while (lag := sum(each.messages for each in await broker.lags(composed.kafka, pairs))) > LAG_LIMIT:
        if not told:
            say(f"the processors are {lag} events behind: waiting, live traffic comes first")
            told = True
        if time.monotonic() - began_s > PATIENCE_S:
            raise BehindError(lag, PATIENCE_S, sent, len(wanted))
        await asyncio.sleep(CHECK_EVERY_S)
