"""Dead letters: the original bytes untouched, the reason in headers that Kafka Connect's users know.

What people do with a dead letter is on the same topic, in the same partition behind it: an empty message, the *mark*,
whose headers say which letter, what was done, by whom, and why. A message that was sent again names its letter
in a header, so that one which fails anew can be told from a new one.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

PREFIX = "__connect.errors."
LETTER = "duplex.deadletter"
MARK = "duplex.deadletter.mark"
NAMES = frozenset(
    PREFIX + name
    for name in (
        "topic",
        "partition",
        "offset",
        "stage",
        "connector.name",
        "exception.class.name",
        "exception.message",
        "timestamp",
    )
)
Headers = list[tuple[str, bytes]]
Deed = Literal["retried", "dropped", "closed"]
DEEDS: tuple[Deed, ...] = ("retried", "dropped", "closed")


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


@dataclass(frozen=True, slots=True)
class Mark:
    """What was done with a letter (`partition:offset` of the dead letters) and when. `place` is the topic, partition
    and offset to which it was sent again."""

    letter: str
    deed: Deed
    at_ms: int
    by: str
    reason: str = ""
    place: tuple[str, int, int] | None = None
    edited: bool = False


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
    """The failure that a dead letter's headers describe; absent headers read as empty, and no number as -1."""
    ours = {name.removeprefix(PREFIX): _text(value) for name, value in found if name.startswith(PREFIX)}
    return Failure(
        topic=ours.get("topic", ""),
        partition=_number(ours.get("partition", "")),
        offset=_number(ours.get("offset", "")),
        stage=ours.get("stage", ""),
        component=ours.get("connector.name", ""),
        error_class=ours.get("exception.class.name", ""),
        message=ours.get("exception.message", ""),
    )


def time_ms(found: Headers) -> int | None:
    """When the record was set aside (ms, UTC); None where no header says."""
    at_ms = _number(_last(found, PREFIX + "timestamp") or "")
    return None if at_ms < 0 else at_ms


def original(found: Headers) -> Headers:
    """The record's own headers: those of a dead letter without ours. A header of its own by one of our names stays."""
    ours = set(NAMES)
    kept: Headers = []
    for name, value in reversed(found):
        if name in ours:
            ours.discard(name)
        else:
            kept.append((name, value))
    return kept[::-1]


def sent_again(own: Headers, letter: str) -> Headers:
    """The headers with which a record's message is sent again: its own, and the letter that it comes from."""
    return [*((name, value) for name, value in own if name != LETTER), (LETTER, letter.encode())]


def earlier(found: Headers) -> str | None:
    """The letter that a message, or the dead letter it became, was sent again from; None for a message of its own."""
    return _last(found, LETTER)


def mark_headers(mark: Mark) -> Headers:
    """A mark as the headers of its message."""
    place = () if mark.place is None else (("place", " ".join(map(str, mark.place))),)
    edited = (("edited", "true"),) if mark.edited else ()
    said = (("letter", mark.letter), ("at", str(mark.at_ms)), ("by", mark.by), ("reason", mark.reason), *place, *edited)
    return [(MARK, mark.deed.encode()), *((f"{MARK}.{name}", value.encode()) for name, value in said)]


def mark(found: Headers) -> Mark | None:
    """The mark that a message of the dead-letter topic is; None for a letter."""
    deed = _last(found, MARK)
    if deed not in DEEDS:
        return None
    said = {name.removeprefix(f"{MARK}."): _text(value) for name, value in found}
    return Mark(
        letter=said.get("letter", ""),
        deed=deed,
        at_ms=_number(said.get("at", "")),
        by=said.get("by", ""),
        reason=said.get("reason", ""),
        place=_place(said.get("place", "").split()),
        edited=said.get("edited") == "true",
    )


def _place(words: list[str]) -> tuple[str, int, int] | None:
    return (words[0], _number(words[1]), _number(words[2])) if len(words) == 3 else None


def _last(found: Iterable[tuple[str, bytes]], wanted: str) -> str | None:
    values = [value for name, value in found if name == wanted]
    return _text(values[-1]) if values else None


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1
