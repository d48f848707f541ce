"""What is known of a record's values: plain values for the JSON answer, and for the sentences made from them.

Times are microseconds since the epoch, UTC. `source_us` is the writer's clock (0: the row was found by an initial
load), `log_us` the broker's, when the event was appended to the record log; delays are between times of the broker.
"""

from typing import Any, Literal

import msgspec

EventKind = Literal["edit", "load", "echo", "look", "answer", "decision", "amendment", "nudge"]
DeliveryOutcome = Literal["waiting", "confirmed", "found", "left alone", "refused", "elsewhere", "withdrawn"]


class EventFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the record log. `(incarnation, seq)` is its place in its system's own log; `by` names the operator
    of a decision or an amendment, `reason` what that person gave as the reason."""

    kind: EventKind
    partition: int
    offset: int
    log_us: int
    source_us: int = 0
    system: str | None = None
    local_id: str | None = None
    op: str | None = None
    incarnation: int | None = None
    seq: int | None = None
    transaction: int | None = None
    by: str = ""
    reason: str = ""


class ConflictFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a value met: a value of `system` that lost against it, was parked beside it, or was refused.

    `offset` is that of the event that brought the two together; `of_field` "$" says that it was about existence.
    """

    id: str
    kind: str
    of_field: str
    rule: str
    winner: str
    system: str
    value: Any
    ts_us: int
    offset: int
    detail: str = ""


class DeliveryFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A command that carried a value. `offset` is where in the record log it was decided.

    `outcome`: waiting (no echo yet), confirmed (written, and the echo says so), found (the row held it already),
    left alone (the row had changed, nothing was written), refused (`error` says why), elsewhere (another local row
    answered), withdrawn (an operator gave it up). `delay_us` is from the value's event to the echo.
    """

    command: str
    system: str
    op: str
    offset: int
    decided_us: int
    outcome: DeliveryOutcome = "waiting"
    echo: EventFacts | None = None
    delay_us: int | None = None
    error: str | None = None


class StandingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a system's row shows the present value. `how` it came to: wrote (its own edit), told (by a command),
    held (it was there already). `shown_as` is the value as the row has it, where that is another (a lossy column).
    `why` is one sentence where it does not show it."""

    system: str
    shows: bool
    how: Literal["wrote", "told", "held"] | None = None
    since: EventFacts | None = None
    shown_as: Any = None
    why: str = ""


class ValueFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a field: whose, from which event, under which rule, what it met, how it travelled.

    `rule` says how it came to be the record's: first value, no conflict, the policy that decided, decision, or the
    kind of an amendment. `policy` and `epoch` are the field's rules at that time. `event` is None where the log no
    longer has it.
    """

    value: Any
    version: int
    system: str
    ts_us: int
    rule: str
    policy: str
    epoch: int
    event: EventFacts | None
    met: tuple[ConflictFacts, ...] = ()
    commands: tuple[DeliveryFacts, ...] = ()


class ParkedFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A value that waits for a person. `due_us` is when its deadline decides it; 0: never."""

    id: str
    system: str
    value: Any
    ts_us: int
    due_us: int = 0


class FieldFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A field: its present value (None: it never had one), its earlier ones (newest first), and where it stands."""

    current: ValueFacts | None
    earlier: tuple[ValueFacts, ...] = ()
    standing: tuple[StandingFacts, ...] = ()
    parked: tuple[ParkedFacts, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A record explained. `fields` has "$", the record's existence, last. `events` counts what was read of the log,
    from `first_offset` to `last_offset`; `complete` says that it is the record's whole history, and `remarks` say
    what is missing otherwise."""

    record_id: str
    entity: str
    partition: int
    deleted: bool
    events: int
    first_offset: int
    last_offset: int
    complete: bool
    remarks: tuple[str, ...]
    fields: dict[str, FieldFacts]

    def only(self, name: str) -> "Explanation":
        """The same, of one field."""
        return msgspec.structs.replace(self, fields={name: self.fields[name]})
