"""Dead letters as they are shown: as data for `--json`, and in lines."""

import contextlib
import shlex
from collections.abc import Iterator
from typing import Any

import msgspec

from duplex.deadletters.book import Entry
from duplex.deadletters.conditions import key_text
from duplex.deadletters.editing import Draft
from duplex.deadletters.errors import EditError
from duplex.deadletters.groups import Group
from duplex.reading import Reader
from duplex.status.sentences import ago, stamp

WIDTH = 160


class LetterShown(msgspec.Struct, frozen=True):
    """A dead letter as data. `topic`, `partition` and `offset` are where the message came from; `failures` is how often
    it failed; times are ms, UTC."""

    id: str
    state: str
    topic: str
    partition: int
    offset: int
    key: str | None
    component: str
    stage: str
    error: str
    message: str
    at_ms: int
    failures: int


class Event(msgspec.Struct, frozen=True):
    """One thing that happened to a letter: it was rejected, or somebody did something with it."""

    at_ms: int
    what: str
    by: str
    detail: str


class Detail(msgspec.Struct, frozen=True):
    """All about one letter. `value` is what the message says, `kind` which message it is; of bytes that are none, their
    text or hex. `advice` is what speaks against sending it again."""

    letter: LetterShown
    headers: dict[str, str]
    kind: str
    value: Any
    history: list[Event]
    advice: str | None


def shown(entry: Entry) -> LetterShown:
    """A letter as data."""
    letter, failure = entry.last, entry.failure
    return LetterShown(
        id=entry.id,
        state=entry.state,
        topic=failure.topic,
        partition=failure.partition,
        offset=failure.offset,
        key=None if letter.key is None else key_text(entry),
        component=failure.component,
        stage=failure.stage,
        error=failure.error_class,
        message=failure.message,
        at_ms=letter.at_ms,
        failures=len(entry.letters),
    )


def detail(entry: Entry, reader: Reader, advice: str | None) -> Detail:
    """All about a letter as data."""
    kind, value = reader.decoded(entry.last.origin)
    with contextlib.suppress(EditError):
        # As it would be edited: no number of a row loses a digit.
        value = msgspec.Raw(msgspec.json.format(Draft(entry.id, entry.last.value).text.encode(), indent=-1))
    headers = {name: value.decode(errors="replace") for name, value in entry.last.headers}
    return Detail(shown(entry), headers, kind, value, sorted(_history(entry), key=lambda each: each.at_ms), advice)


def _history(entry: Entry) -> Iterator[Event]:
    for letter in entry.letters:
        failed = letter.failure
        yield Event(letter.at_ms, "rejected", failed.component, f"{_class(failed.error_class)}: {failed.message}")
    for mark in entry.marks:
        edited = "edited, " if mark.edited else ""
        place = "" if mark.place is None else f"{edited}to {mark.place[0]}/{mark.place[1]}@{mark.place[2]}"
        yield Event(mark.at_ms, mark.deed, mark.by, " ".join(part for part in (place, mark.reason) if part))


def group_line(group: Group, now_ms: int) -> str:
    """A group in one line."""
    first, last = (ago((now_ms - each) / 1e3) for each in (group.first_ms, group.last_ms))
    span = f"{last} ago" if first == last else f"{first} to {last} ago"
    whose = ", ".join(group.components)
    cause = cut(f"{group.stage} {_class(group.error)}: {group.message}")
    return f"{group.count:>7,}  {cause}  ({whose}; {span})  for example {group.example}"


def line(one: LetterShown, now_ms: int) -> str:
    """A letter in one line: its id, how it stands, its age, where it came from, and why it was set aside."""
    again = f", failed {one.failures} times" if one.failures > 1 else ""
    place = f"{one.topic}/{one.partition}@{one.offset}"
    age = ago((now_ms - one.at_ms) / 1e3)
    why = cut(f"{_class(one.error)}: {one.message}")
    return f"{one.id}  {one.state}{again}  {age} ago  {place}  key {one.key}  {one.component}: {why}"


def page(found: Detail) -> Iterator[str]:
    """One letter for a person, with the lines to paste."""
    one = found.letter
    yield f"{one.id}  {one.state}" + (f", failed {one.failures} times" if one.failures > 1 else "")
    yield f"  from     {one.topic}, partition {one.partition}, offset {one.offset}, key {one.key}"
    yield f"  by       {one.component}, stage {one.stage}"
    yield f"  because  {one.error}: {one.message}"
    yield from (f"  header   {name}: {value}" for name, value in found.headers.items())
    yield f"  message  {found.kind}"
    text = msgspec.json.format(msgspec.json.encode(found.value), indent=2).decode()
    yield from (f"    {each}" for each in text.splitlines())
    yield "  history"
    yield from (f"    {stamp(each.at_ms * 1000)}  {each.what} by {each.by}  {each.detail}" for each in found.history)
    yield from _advice(found)


def _advice(found: Detail) -> Iterator[str]:
    one = found.letter
    if found.advice is not None:
        yield f"  not to be sent again: {found.advice}."
    else:
        yield f"  duplex deadletters retry {shlex.quote(one.id)}"
        if found.kind not in ("bytes", "json", "tombstone", "golden"):
            yield f"  duplex deadletters retry {shlex.quote(one.id)} --edit"
    if one.state == "open":
        yield f"  duplex deadletters drop {shlex.quote(one.id)} --reason TEXT"


def cut(long: str) -> str:
    """The beginning of a text that is too long for a line."""
    flat = " ".join(long.split())
    return flat if len(flat) <= WIDTH else flat[: WIDTH - 1] + "…"


def _class(name: str) -> str:
    return name.rpartition(".")[2]
