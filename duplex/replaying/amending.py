"""Sending amendments into the record log: in turn, not faster than wanted, and only while live traffic is served."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from duplex import broker
from duplex.composition import Composition
from duplex.replaying.pacing import MACHINE, Clock, Gate, Pace
from duplex.replaying.reports import RecordChange
from schemas.codec import Codec
from schemas.messages import Amend, Amendment
from schemas.placement import partition_of
from streams.processors.settings import group_id


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
    clock: Clock = MACHINE,
) -> list[Sent]:
    """Put these amendments into the record log; each one's place there. Raises BrokerError, BehindError."""
    codec, topics, sent = Codec(), composed.topics, list[Sent]()
    pace, gate = Pace(rate_per_s), Gate(_lag_of(composed, wanted), len(wanted), say, clock)
    async with broker.producer(composed.kafka) as client:
        for amendment in wanted:
            await gate.opened(len(sent))
            await clock.sleep(pace.wait_s(clock.now_s()))
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


def _lag_of(composed: Composition, wanted: Sequence[Amendment]) -> Callable[[], Awaitable[int]]:
    """How many events the merges of these amendments' entities are behind, together."""
    names = composed.topics
    entities = sorted({each.entity for each in wanted})
    pairs = [(group_id(names.pipeline, f"merge.{entity}"), names.records(entity)) for entity in entities]

    async def lag() -> int:
        return sum(each.messages for each in await broker.lags(composed.kafka, pairs))

    return lag
