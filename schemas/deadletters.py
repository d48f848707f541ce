"""Dead letters: the original bytes untouched, the reason in headers that Kafka Connect's users know."""

import time
from dataclasses import dataclass

PREFIX = "__connect.errors."
Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a record could not be processed, and why."""

    topic: str
    partition: int
    offset: int
    stage: str
    component: str
    error_class: str
    message: str


def headers(failure: Failure, original: Headers, now_ms: int | None = None) -> Headers:
    """The headers of a dead letter: the record's own, then ours."""
    at_ms = int(time.time() * 1000) if now_ms is None else now_ms
    ours = {
        "topic": failure.topic,
        "partition": str(failure.partition),
        "offset": str(failure.offset),
        "stage": failure.stage,
        "connector.name": failure.component,
        "exception.class.name": failure.error_class,
        "exception.message": failure.message,
        "timestamp": str(at_ms),
    }
    return [*original, *((PREFIX + name, value.encode()) for name, value in ours.items())]


def failure(found: Headers) -> Failure:
    """The failure that a dead letter's headers describe; absent headers read as empty."""
    ours = {
        name.removeprefix(PREFIX): value.decode(errors="replace") for name, value in found if name.startswith(PREFIX)
    }
    return Failure(
        topic=ours.get("topic", ""),
        partition=int(ours.get("partition", "-1")),
        offset=int(ours.get("offset", "-1")),
        stage=ours.get("stage", ""),
        component=ours.get("connector.name", ""),
        error_class=ours.get("exception.class.name", ""),
        message=ours.get("exception.message", ""),
    )
