"""What crosses a topic, as Python values. The wire form of each is `envelopes/<name>.avsc`; `codec` converts.

Times are microseconds since the epoch, UTC (`ts_us`). Row images are JSON object text, exactly as the system
wrote it, so that nobody between capture and merge pays for decoding it and nothing is rounded on the way.
A local id is the JSON array text of the row's key values, in key order: `[7]`, `["DE","0042"]`.
"""

from typing import Literal

import msgspec

Operation = Literal["c", "u", "d", "r", "t", "l"]
Outcome = Literal["applied", "failed"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a log entry says of the command that caused it: present on echoes only.

    `outcome` is "failed" when the target refused the write as such (a constraint, a type); `error` is then one
    sentence of the target's. "applied" says only that the command was carried out as far as its comparisons
    allowed: which units were written follows from comparing the row found with the row left.
    """

    command: str
    record_id: str
    hop: int
    outcome: Outcome = "applied"
    error: str | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a system's own log.

    `(system, incarnation, seq)` identifies it. `op`: c created, u updated, d deleted, r read by a load, t table
    truncated (a marker; each row of it has its own d), l the initial load has ended (a marker, in every
    partition). `before_id` is set only when the row's key changed: the key it had. `before` and `after` are
    JSON object text of the whole row. `types` fingerprints the row's columns.
    """

    system: str
    entity: str
    table: str
    incarnation: int
    seq: int
    op: Operation
    local_id: str
    before_id: str | None = None
    before: str | None = None
    after: str | None = None
    types: str = ""
    ts_us: int
    transaction: int = 0
    origin: Origin | None = None


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """Columns that move together: written as a whole if all still equal `base`, left alone if not.

    Both are JSON object text over the same columns; null stands for "no row" (base of a create, set of a delete).
    """

    base: str | None
    set: str | None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a sink must do to one local row. `id` is `record_id/system/number`.

    `op`: c create (one unit, base null), u update, d delete (one unit, set null). `(partition, offset)` is the
    place in the record log at which it was decided: the sink's fence against doing it twice.
    `local_id` is null for a create whose key the target generates.
    """

    id: str
    record_id: str
    entity: str
    system: str
    number: int
    op: Literal["c", "u", "d"]
    local_id: str | None
    units: tuple[Unit, ...]
    partition: int
    offset: int
    hop: int
    ts_us: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A sink's answer for a system without a log: the row it found and the row it left.

    `found_order` and `left_order` are the application's version of the row, or the connector's number of its looks.
    """

    command: str
    record_id: str
    entity: str
    system: str
    local_id: str | None
    found_order: int
    found: str | None
    left_order: int
    left: str | None
    outcome: Outcome
    error: str | None = None
    ts_us: int


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two values of a conflict: whose, which (JSON text; null: no row), and since when."""

    system: str
    value: str | None
    ts_us: int


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A decision between two values, or the parking of one, on record. `id` is `record_id/number`.

    `field` is "$" for the record's existence. `kind`: value (same field edited on both sides), existence (a delete
    against edits), duplicate (two rows of one system claim one record), key (a natural key already taken),
    refused (the target system did not take a write). `winner`: current, incoming, parked, or merged (a value made of
    both: the counters' sum, the lists' union, a function's answer). `version` is the hub's version of the field beside
    which this was shown (of existence: the greatest of the record): a decision must name it. `due_us` is when a parked
    item is decided by its fallback policy; 0: never.
    """

    id: str
    record_id: str
    entity: str
    field: str
    kind: Literal["value", "existence", "duplicate", "key", "refused"]
    rule: str
    winner: Literal["current", "incoming", "parked", "merged"]
    current: Side
    incoming: Side
    detail: str = ""
    partition: int
    offset: int
    ts_us: int
    version: int = 0
    due_us: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's decision of a parked item, an event in the record's own log.

    `candidate` is the parked value the operator was shown (JSON text), `version` the hub's version shown beside it.
    """

    record_id: str
    entity: str
    item: str
    candidate: str | None
    version: int
    value: str | None
    decided_by: str
    reason: str = ""
    ts_us: int


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Which record a local row belongs to. `record_id` null with `parked` says why it belongs to none for now.

    `moved_from` is set where the row came here by a change of its key: the local id it had; `(incarnation, seq)`
    is then the place of that change in the system's log, so that a repeat can be told from a later return.
    """

    entity: str
    system: str
    local_id: str
    record_id: str | None
    parked: str | None = None
    moved_from: str | None = None
    incarnation: int = 0
    seq: int = 0


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the owner of one natural key. `natural_key` is its normalised JSON array text.

    `kind`: claim (this row wants the record of this key), hold (this row is linked to `record_id` and now carries
    the key), release (it carries the key no more), gone (its row was deleted). `moved_from` is set on a claim or hold
    of a row whose local id changed: the id it had.
    """

    kind: Literal["claim", "hold", "release", "gone"]
    entity: str
    natural_key: str
    system: str
    local_id: str
    record_id: str | None = None
    moved_from: str | None = None
    ts_us: int


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A barrier in a record log: every row of a system's initial load that passed through partition `partition` of
    `partitions` of its changes stands before this. The load is complete where all of them have been seen."""

    system: str
    entity: str
    partition: int
    partitions: int


class Nudge(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing happened to this record, but what it wants may be planned now.

    `reason`: loaded (a load has ended), rules (new rules hold, and open items are to be decided by them), deadline (a
    parked item is due), retry (an operator wants what is out, or was refused, to be sent anew; to `system`, or to
    all), forget (the tombstone is past its horizon).
    """

    record_id: str
    entity: str
    reason: Literal["loaded", "rules", "deadline", "retry", "forget"]
    system: str | None = None


class Amend(msgspec.Struct, frozen=True, kw_only=True):
    """One field of an amendment: its value (JSON text), if the field still has this version.

    `field` "$" is existence: null ends the record, anything else revives it.
    """

    field: str
    version: int
    value: str | None


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """Values that an operator gives a record: the compensation of earlier edits (undo), or what other rules would have
    made of the same log (replay). A field that has moved on since is left alone, and put on record as a conflict.
    """

    record_id: str
    entity: str
    kind: Literal["undo", "replay", "edit"]
    fields: tuple[Amend, ...]
    amended_by: str
    reason: str = ""
    ts_us: int


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """From here on, in this partition of an entity's record log, these rules hold.

    `rules` is JSON text of everything they are compiled from (`schemas.project.epochs`), `fingerprint` its digest.
    `resolve`: open items are to be decided by them where they are no longer left to a person.
    """

    entity: str
    number: int
    fingerprint: str
    rules: str
    resolve: bool = False
    applied_by: str = ""
    ts_us: int


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's approval of deletes that the brake would hold, in this partition: at most so many, until then."""

    entity: str
    system: str
    deletes: int
    until_us: int
    allowed_by: str
    reason: str = ""
    ts_us: int


Message = (
    Change | Command | Result | Conflict | Decision | Link | Claim | Loaded | Nudge | Amendment | Epoch | Allowance
)
