"""The brake on mass deletes: how many rows a system has lost within a window, and whether one more is held.

Everything is counted per partition of the record log, by the log's append times, from events alone: a second fold of
the log holds the same deletes. The threshold of a count is shared out among the partitions, rounded up; a share is
that of the partition's own rows, as they were before the deletes in the window.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from schemas.messages import Allowance
from schemas.project.model import Brake
from streams.merge.events import Answered, Changed, Event, Looked
from streams.merge.states import State, SystemState
from streams.processors.reserved import BRAKE, ROWS
from streams.processors.stores import Store

RULE = "brake"
PARTS = 64
SPANS_LIMIT = 100
OPEN_END = -1
Span = tuple[int, int]


class Braking(msgspec.Struct, array_like=True):
    """Of one system: deletes by 64th parts of the window, (when the part began in µs, how many); how many more are
    allowed, and until when; and the spans of offsets within which the brake held (first, first no more; -1: holds on).
    """

    deletes: list[tuple[int, int]] = []
    allowed: int = 0
    until_us: int = 0
    spans: list[Span] = []


class Ruling(NamedTuple):
    """What the brake says to one more delete: that it is held, or that an allowance lets it pass."""

    held: bool
    allowed: bool


def has_row(state: State | None, system: str) -> bool:
    """Whether the system has a row of this record."""
    entry = None if state is None else state.systems.get(system)
    return entry is not None and entry.image is not None


def may_delete(event: Event, state: State | None) -> bool:
    """Whether this event may say that a row which is there was deleted, by someone who is not us."""
    if isinstance(event, Changed):
        return event.after is None and event.command is None and has_row(state, event.system)
    if isinstance(event, Looked):
        return event.after is None and has_row(state, event.system)
    if isinstance(event, Answered) and state is not None and has_row(state, event.system):
        return _was_deleted(event, state.systems[event.system])
    return False


def _was_deleted(event: Answered, entry: SystemState) -> bool:
    """Whether a row was deleted around a command, by someone who is not us: before it was found, while an update was
    under way, or since. The looks that were held while the command was out are merged with its answer."""
    gone = [look.order for look in entry.late if look.after is None and look.local_id == entry.local_id]
    if event.found is None or any(order < event.found_order for order in gone):
        return True
    is_ours = entry.out is not None and entry.out.op == "d"
    return not is_ours and (event.left is None or any(order > event.left_order for order in gone))


class Watch(NamedTuple):
    """A system's row as an event meets it, and what the brake says should the event delete it."""

    system: str
    had_row: bool
    ruling: Ruling | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Braking).decode


def read(data: bytes | None) -> Braking:
    """What a store's value says."""
    return Braking() if data is None else _decode(data)


def rows(store: Store, system: str) -> int:
    """How many rows a system has in this partition."""
    found = store.get(ROWS + system.encode())
    return 0 if found is None else msgspec.msgpack.decode(found, type=int)


def count_row(store: Store, system: str, more: int) -> None:
    """Rows came (positive), or went."""
    store.put(ROWS + system.encode(), _encode(max(0, rows(store, system) + more)))


def judge(store: Store, brake: Brake, system: str, at_us: int, partitions: int) -> Ruling:
    """Whether one more delete of this system, at this time, is held. Changes nothing."""
    state = read(store.get(BRAKE + system.encode()))
    within = sum(count for _, count in _within(state, brake, at_us))
    passes_count = within + 1 > -(-brake.count // partitions)
    passes_share = within + 1 > brake.share * (rows(store, system) + within)
    if not (passes_count and passes_share):
        return Ruling(False, False)
    allowed = state.allowed > 0 and at_us < state.until_us
    return Ruling(not allowed, allowed)


def note(store: Store, brake: Brake, system: str, ruling: Ruling, at_us: int, offset: int) -> None:
    """A row of this system was deleted, by this ruling."""
    key = BRAKE + system.encode()
    state = read(store.get(key))
    state.deletes = _added(_within(state, brake, at_us), brake, at_us)
    state.allowed -= ruling.allowed
    if ruling.held != (bool(state.spans) and state.spans[-1][1] == OPEN_END):
        state.spans = _switched(state.spans, ruling.held, offset)
    store.put(key, _encode(state))


def watch(store: Store, brake: Brake | None, event: Event, state: State | None, partitions: int) -> Watch | None:
    """Look at a row before an event is merged; None for an event of no system."""
    if not isinstance(event, Changed | Looked | Answered):
        return None
    ruling = None
    if brake is not None and may_delete(event, state):
        ruling = judge(store, brake, event.system, event.at_us, partitions)
    return Watch(event.system, has_row(state, event.system), ruling)


def watched(store: Store, brake: Brake | None, seen: Watch, state: State, at_us: int, offset: int) -> None:
    """Count what became of the row. `state` is the one after the event."""
    has = has_row(state, seen.system)
    if has == seen.had_row:
        return
    count_row(store, seen.system, 1 if has else -1)
    if brake is not None and seen.ruling is not None:
        note(store, brake, seen.system, seen.ruling, at_us, offset)


def allow(store: Store, allowance: Allowance) -> None:
    """Let deletes pass that the brake would hold; what was allowed before is over."""
    key = BRAKE + allowance.system.encode()
    state = read(store.get(key))
    state.allowed, state.until_us = allowance.deletes, allowance.until_us
    store.put(key, _encode(state))


def held_at(spans: Iterable[Span], offset: int) -> bool:
    """Whether the brake held deletes at this place."""
    return any(first <= offset and (end == OPEN_END or offset < end) for first, end in spans)


def _within(state: Braking, brake: Brake, at_us: int) -> list[tuple[int, int]]:
    return [(start_us, count) for start_us, count in state.deletes if start_us > at_us - brake.window_us]


def _added(deletes: list[tuple[int, int]], brake: Brake, at_us: int) -> list[tuple[int, int]]:
    start_us = at_us - at_us % max(1, brake.window_us // PARTS)
    if deletes and deletes[-1][0] >= start_us:
        last_us, count = deletes[-1]
        return [*deletes[:-1], (last_us, count + 1)]
    return [*deletes, (start_us, 1)]


def _switched(spans: list[Span], held: bool, offset: int) -> list[Span]:
    if held:
        return [*spans, (offset, OPEN_END)][-SPANS_LIMIT:]
    return [*spans[:-1], (spans[-1][0], offset)]
