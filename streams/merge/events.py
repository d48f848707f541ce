"""What goes into the merge and what comes out of it."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from streams.merge.values import Row, Value


class Changed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry of a system's own log, with the row it left (None: gone).

    `position` is (source incarnation, sequence number). `ts_us` is already the lesser of the source's clock and the
    log's append time. `command` is set on an echo: the id of the command that caused the entry; `failed` then holds
    the target's reason if it refused the write. `before_id` is the row's earlier local id when its key changed.
    `load` marks a row read by an initial load. `at_us` is the log's append time: deadlines are judged by it.
    """

    system: str
    local_id: str
    position: tuple[int, int]
    ts_us: int
    after: Row | None
    before_id: str | None = None
    command: str | None = None
    failed: str | None = None
    load: bool = False
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look at a row of a system without a log. `order` is the application's version of the row, or the
    connector's own number of its looks; `after` None: no such row.
    """

    system: str
    local_id: str
    order: int
    ts_us: int
    after: Row | None
    load: bool = False
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The result of a command to a system without a log: the row its sink found, and the row it left.

    `found_order` and `left_order` place them among the looks. `failed` has the system's reason if it refused.
    """

    system: str
    local_id: str | None
    command: str
    found_order: int
    found: Row | None
    left_order: int
    left: Row | None
    ts_us: int
    failed: str | None = None
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An operator's decision of a parked item: see `schemas.messages.Decision`.

    `item` is the number of the verdict that parked it, or that verdict's whole id. `candidate` is the parked value
    the operator was shown, `version` the field's version shown beside it. For an item at "$" (existence) `version`
    is the greatest of the record, `candidate` is None for a delete and ((field, value), …) for edits of a deleted
    record; `value` None then says that the record is to be gone, anything else that it is to live.
    """

    item: str
    candidate: Value
    version: int
    value: Value
    ts_us: int
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudged:
    """Nothing happened, but plan anew. `reason` as in `schemas.messages.Nudge`; `system` narrows a retry."""

    reason: Literal["loaded", "rules", "deadline", "retry", "forget"] = "loaded"
    system: str | None = None
    at_us: int = 0


@dataclass(frozen=True, slots=True)
class Amend:
    """A value for a field, if the field still has this version. At "$": None ends the record, else it revives; the
    version is then the greatest of the record (to revive, that of the tombstone will do).
    """

    field: str
    version: int
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """Values that an operator gives a record: see `schemas.messages.Amendment`."""

    kind: Literal["undo", "replay", "edit"]
    fields: tuple[Amend, ...]
    ts_us: int
    at_us: int = 0


Event = Changed | Looked | Answered | Decided | Nudged | Amended


class PlannedUnit(msgspec.Struct, frozen=True, gc=False):
    """Columns to set as a whole if all still equal `base`; None stands for "no row"."""

    base: Row | None
    set: Row | None


class Planned(msgspec.Struct, frozen=True, gc=False):
    """A command, before it has an address in the log."""

    system: str
    number: int
    op: Literal["c", "u", "d"]
    local_id: str | None
    units: tuple[PlannedUnit, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """One side of a verdict: whose value, which, since when. `value` is None for a row that is gone."""

    system: str
    value: Value
    ts_us: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A conflict decided or parked, or a write refused: what goes on record. Fields as in `messages.Conflict`.

    A parked item is a verdict whose winner is "parked"; its number is the item's. When its candidate changes the
    same number comes again, and when it is settled once more, with the winner: the last one of a number counts.
    """

    number: int
    field: str
    kind: Literal["value", "existence", "refused"]
    rule: str
    winner: Literal["current", "incoming", "parked", "merged"]
    current: Held
    incoming: Held
    detail: str = ""
    version: int = 0
    due_us: int = 0


class Outcome(msgspec.Struct, gc=False):
    """What one event led to, beside the new state.

    `golden` says that the merged record itself changed; `repeated` that the event had been merged before, or was
    nobody's; `refusal` why a decision was not carried out (the state is then as it was); `forget` that nothing of the
    record need be kept any more.
    """

    commands: list[Planned] = []
    verdicts: list[Verdict] = []
    golden: bool = False
    repeated: bool = False
    refusal: str = ""
    forget: bool = False
