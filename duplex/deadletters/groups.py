"""Dead letters of one cause, taken together: the same stage, class and message but for its ids and numbers."""

import re
from collections.abc import Iterable

import msgspec

from duplex.deadletters.book import Entry

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
NUMBERED = re.compile(r"(?<![\w#])[\w-]*\d[\w.:-]*")
CONSIDERED, LONGEST = 2_000, 300


class Group(msgspec.Struct, frozen=True):
    """Letters of one cause: how many, when first and last (ms, UTC), where from, and the newest as an example."""

    count: int
    stage: str
    error: str
    message: str
    first_ms: int
    last_ms: int
    topics: list[str]
    components: list[str]
    example: str


def folded(message: str) -> str:
    """A message in which what differs from record to record (quoted text, ids, numbers) is `…` or `#`."""
    return NUMBERED.sub("#", QUOTED.sub('"…"', message[:CONSIDERED]))[:LONGEST]


def grouped(entries: Iterable[Entry]) -> list[Group]:
    """The groups of these entries, the largest first."""
    members: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        failure = entry.failure
        members.setdefault((failure.stage, failure.error_class, folded(failure.message)), []).append(entry)
    groups = [_group(cause, of_it) for cause, of_it in members.items()]
    return sorted(groups, key=lambda group: (-group.count, -group.last_ms, group.error, group.message))


def _group(cause: tuple[str, str, str], entries: list[Entry]) -> Group:
    times = [entry.last.at_ms for entry in entries]
    newest = max(entries, key=lambda entry: entry.last.at_ms)
    return Group(
        count=len(entries),
        stage=cause[0],
        error=cause[1],
        message=cause[2],
        first_ms=min(times),
        last_ms=max(times),
        topics=sorted({entry.failure.topic for entry in entries}),
        components=sorted({entry.failure.component for entry in entries}),
        example=newest.id,
    )
