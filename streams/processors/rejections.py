"""What a batch comes to: the outputs to send, with the dead letters of the records that failed among them."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from schemas import deadletters
from streams.processors.records import Decided, Output, Record, Rejected
from streams.processors.stores import LaneStore

if TYPE_CHECKING:
    from streams.processors.lanes import BatchProcessor

log = structlog.get_logger(__name__)


async def decide(
    processor: "BatchProcessor", records: Sequence[Record], store: LaneStore, output_bytes: int, topic: str
) -> tuple[list[Output], int]:
    """The outputs of a batch, dead letters included, and how many of those there are.

    A record whose output is larger than the broker takes is rejected like one that cannot be read: the batch is
    taken back and decided again without it, so that its state does not claim what was never sent.
    """
    rejected: list[Rejected] = []
    left = list(records)
    while True:
        decided = processor.apply(left, store)
        if inspect.isawaitable(decided):
            decided = await decided
        oversized = _oversized(decided, output_bytes)
        if not oversized:
            break
        store.rollback()
        causes = {(each.record.topic, each.record.offset) for each in oversized}
        left = [record for record in left if (record.topic, record.offset) not in causes]
        rejected += oversized
    rejected += [each for each in decided if isinstance(each, Rejected)]
    outputs = [each for each in decided if isinstance(each, Output)]
    return outputs + [_deadletter(processor.name, topic, each) for each in rejected], len(rejected)


def _oversized(decided: Sequence[Decided], output_bytes: int) -> list[Rejected]:
    """The first such record of each key: what follows it may be small enough once that one is out."""
    found: dict[bytes | None, Rejected] = {}
    for output in decided:
        if isinstance(output, Output) and output.cause is not None and _size(output) > output_bytes:
            message = f"its output to {output.topic} has {_size(output)} bytes, more than the {output_bytes} allowed"
            found.setdefault(output.cause.key, Rejected(output.cause, "OutputTooLarge", message, "produce"))
    return list(found.values())


def _size(output: Output) -> int:
    return len(output.key or b"") + len(output.value or b"")


def _deadletter(processor: str, topic: str, rejected: Rejected) -> Output:
    record = rejected.record
    failure = deadletters.Failure(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        stage=rejected.stage,
        component=processor,
        error_class=rejected.error_class,
        message=rejected.message,
    )
    log.warning("record sent to the dead letters", reason=rejected.message, place=_place(record), processor=processor)
    return Output(topic, record.key, record.value, headers=deadletters.headers(failure, list(record.headers)))


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"
