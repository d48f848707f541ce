"""The state of one record: what the merge remembers between events, and its bytes.

A version is the hub's counter for one field of one record. The version of f *seen* by a system is the one that its
row embodies; the invariant is that seeing the hub's version means showing the hub's value. Most rows see most fields,
so only the others are kept: `behind[f]` is the version seen where it is not the hub's. `NOT_SHOWN` is a version that
nobody ever has. Existence is a field like the others, named "$": True while the record lives, None when not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from streams.errors import StreamsError
from streams.merge.events import Planned, PlannedUnit
from streams.merge.values import EXISTENCE

FORMAT = 1
NOT_SHOWN = -1
BEFORE_ALL = (-1, -1)
NESTING_LIMIT = 8
Scalar = str | int | float | bool | None
Stored: Any = Scalar
for _ in range(NESTING_LIMIT):
    Stored = Scalar | tuple[Stored, ...]


@dataclass(eq=False)
class StateError(StreamsError):
    """Bytes that are no state of a record, or of a format this program does not know."""

    reason: str

    def __str__(self) -> str:
        return f"not a merge state: {self.reason}. Rebuild the table by a replay of the record log."


class FieldState(msgspec.Struct, array_like=True, gc=False):
    """The hub's value of one field: which version, since when (µs), and by whom."""

    value: Stored = None
    version: int = 0
    ts_us: int = 0
    by: str = ""


class Item(msgspec.Struct, array_like=True, gc=False):
    """Something parked for a person. `number` is that of the verdict which parked it.

    `due_us` is when its fallback policy decides it (0: never). At "$" it is a delete (`edits` None) or edits against a
    tombstone (`edits`), with the versions that their rows showed before (`seen`). Elsewhere `candidate` is the parked
    value. `bases` has what the editor saw of each field before the first of these edits, where that is known. `rule`
    is what parked it, where that was not the policy: brake, oscillation, function, sum.
    """

    number: int
    system: str
    field: str
    ts_us: int
    candidate: Stored = None
    edits: dict[str, Stored] | None = None
    seen: dict[str, int] = {}
    due_us: int = 0
    bases: dict[str, Stored] = {}
    rule: str = ""

    def shown(self) -> Any:
        """The candidate as a person sees it."""
        return self.candidate if self.edits is None else tuple(self.edits.items())


class SentUnit(msgspec.Struct, array_like=True, gc=False):
    """A unit of the command that is out, with the versions it brings."""

    base: dict[str, Stored] | None
    set: dict[str, Stored] | None
    versions: dict[str, int]


class Sent(msgspec.Struct, array_like=True, gc=False):
    """The command that is out: sent, and not yet answered by its echo."""

    number: int
    op: Literal["c", "u", "d"]
    units: list[SentUnit]


class Look(msgspec.Struct, array_like=True, gc=False):
    """A look at a row of a system without a log, held while a command is out; or the last one at a row beside ours,
    held for the day that ours goes."""

    order: int
    ts_us: int
    after: dict[str, Stored] | None
    local_id: str = ""
    load: bool = False


class Flip(msgspec.Struct, array_like=True, gc=False):
    """How often a system returned to values of its own which others had replaced, and since when (µs).

    `previous` are these values, the last few. Of a system that writes over an owner's value it is the value that it
    insists on, and the count is of that.
    """

    previous: Stored
    count: int
    since_us: int


class SystemState(msgspec.Struct, array_like=True, gc=False):
    """What the merge knows of one system's row.

    `behind` has the version seen of every field whose version is another. `position` belongs to the row `local_id`;
    `others` keeps the last position of every other local row that was ever heard of. `refused` are the versions that
    the target would not take; `suspects` those of a refused command with several units, which are therefore tried
    one by one. `late` are looks that are held (see `Look`). `lost` are commands that an
    operator has given up waiting for, whose answers may still come.
    """

    image: dict[str, Stored] | None = None
    local_id: str | None = None
    position: tuple[int, int] = BEFORE_ALL
    number: int = 0
    behind: dict[str, int] = {}
    out: Sent | None = None
    dissent: dict[str, Item] = {}
    refused: dict[str, int] = {}
    suspects: dict[str, int] = {}
    others: dict[str, tuple[int, int]] = {}
    late: list[Look] = []
    lost: list[Sent] = []


class State(msgspec.Struct, array_like=True, gc=False):
    """One record. `version` counts versions, `decisions` verdicts; `loose` holds parked items that no row shows any
    more, by number; `flips` what is counted, by field and system, of those that rewrite each other, and of those that
    insist.

    `offset` and `trail` are the caller's to keep: the place of the last event in the log, and of the last ones before.
    """

    format: int = FORMAT
    offset: int = -1
    version: int = 0
    decisions: int = 0
    fields: dict[str, FieldState] = {}
    systems: dict[str, SystemState] = {}
    loose: dict[int, Item] = {}
    flips: dict[str, Flip] = {}
    trail: list[int] = []

    @property
    def alive(self) -> bool:
        """Whether the record exists."""
        return self.fields[EXISTENCE].value is not None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)


def encode(state: State) -> bytes:
    """The bytes of a state: the same state has the same bytes."""
    return _encoder.encode(state)


def decode(data: bytes) -> State:
    """The state in these bytes, sharing nothing with any other. Raises StateError."""
    try:
        state = _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StateError(str(error)) from error
    if state.format != FORMAT:
        raise StateError(f"format {state.format}, where {FORMAT} is known")
    return state


def prepare(state: State, fields: Iterable[str], systems: Iterable[str]) -> None:
    """Make room for fields and systems that the state has not met yet."""
    for name in (EXISTENCE, *fields):
        if name not in state.fields:
            state.fields[name] = FieldState()
    for system in systems:
        if system not in state.systems:
            unseen = {name: 0 for name, field in state.fields.items() if field.version > 0}
            state.systems[system] = SystemState(behind=unseen)


def planned(system: str, local_id: str | None, sent: Sent) -> Planned:
    """The command as it leaves the merge."""
    units = [PlannedUnit(unit.base, unit.set) for unit in sent.units]
    return Planned(system, sent.number, sent.op, local_id, tuple(units))
