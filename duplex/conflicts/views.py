"""Conflicts as they are shown: as data for `--json`, and in one line each."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from duplex.conflicts import conditions
from duplex.conflicts.book import Entry
from duplex.status.sentences import ago
from schemas.messages import Side

WIDTH = 40
APART = (
    "Rows in each other's way (kinds duplicate and key), which no choice of a value settles: change or delete one of",
    "the rows in its system, and the other takes its place by itself. What was settled so stays listed here.",
)
EXISTENCE = "$"


class SideShown(msgspec.Struct, frozen=True):
    """One of the two values: whose, what it is (null: no row), and since when (µs; 0: a load found it)."""

    system: str
    value: Any
    ts_us: int


class ConflictShown(msgspec.Struct, frozen=True):
    """A conflict as data. `id` names it in every command, `short` as long as no other begins so. `name` is the record's
    natural key or first field, where it is known. `state`: open or decided."""

    id: str
    short: str
    entity: str
    record_id: str
    name: str | None
    field: str
    kind: str
    rule: str
    state: str
    winner: str
    current: SideShown
    incoming: SideShown
    version: int
    since_us: int
    at_us: int
    due_us: int | None
    detail: str


def shown(entry: Entry, short: str, name: str | None) -> ConflictShown:
    """A conflict as data."""
    last = entry.last
    return ConflictShown(
        id=entry.id,
        short=short,
        entity=last.entity,
        record_id=last.record_id,
        name=name,
        field=last.field,
        kind=last.kind,
        rule=last.rule,
        state="open" if entry.open else "decided",
        winner=last.winner,
        current=_side(last.current),
        incoming=_side(last.incoming),
        version=last.version,
        since_us=entry.since_us,
        at_us=last.ts_us,
        due_us=last.due_us or None,
        detail=last.detail,
    )


def _side(side: Side) -> SideShown:
    return SideShown(side.system, conditions.value(side), side.ts_us)


def line(one: ConflictShown, now_us: int) -> str:
    """A conflict in one line: its id, the record, the field, both values with whose and how old, and how it stands."""
    whose = one.name if one.name is not None else f"record {one.record_id[:8]}"
    place = whose if one.field == EXISTENCE else f"{whose} {one.field}"
    sides = f"{_held(one, one.current, now_us)} | {_held(one, one.incoming, now_us)}"
    return f"{one.short}  {one.entity} {place}:  {sides}  {standing(one, now_us)}"


def _held(one: ConflictShown, side: SideShown, now_us: int) -> str:
    age = "loaded" if side.ts_us == 0 else f"{ago((now_us - side.ts_us) / 1e6)} ago"
    return f"{side.system or 'nobody'} {cut(said(one.field, side.value))} ({age})"


def standing(one: ConflictShown, now_us: int) -> str:
    """How it stands: open and for how long, or by which rule it ended."""
    if one.state == "open":
        due = "" if one.due_us is None else f", {due_in(one.due_us, now_us)}"
        why = "" if one.rule in ("manual", "parked") else f" ({one.rule})"
        # The merge does not keep when it parked a value that a load found; only the forgotten message said that.
        length = ago((now_us - one.since_us) / 1e6) if one.since_us else "longer than is on record"
        return f"open for {length}{why}{due}"
    return f"{one.rule}: {one.winner}"


def due_in(due_us: int, now_us: int) -> str:
    """When a deadline is, seen from now."""
    left_s = (due_us - now_us) / 1e6
    return f"due in {ago(left_s)}" if left_s > 0 else f"due since {ago(-left_s)}"


def said(field: str, value: Any) -> str:
    """A value of a conflict as people read it; of existence: that the record lives, is deleted, or what was edited."""
    if field != EXISTENCE:
        return text(value)
    if value is None:
        return "deleted"
    if isinstance(value, list) and all(isinstance(each, list) and len(each) == 2 for each in value):
        return "with " + ", ".join(f"{name} {text(edited)}" for name, edited in value)
    return "lives" if value is True else text(value)


def text(value: Any) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


def cut(long: str, width: int = WIDTH) -> str:
    """The beginning of a text that is too long for a line."""
    return long if len(long) <= width else long[: width - 1] + "…"


def totals(counts: Mapping[str, int]) -> Iterator[str]:
    """Counts by entity and field, the most first."""
    for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        yield f"  {count:>7,}  {name}"
