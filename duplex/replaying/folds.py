"""Folding one partition of a record log: by the rules that really held, and beside them by others.

The true fold is the production processor on a store of its own; what it would send goes nowhere. The other fold
(`streams.replaying.shadows`) keeps a state only for records that have parted from the true one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from duplex.replaying.cuts import RESERVED
from schemas.codec import Codec
from schemas.messages import Allowance, Change, Conflict, Epoch, Loaded, Message, Result
from streams.errors import InvalidValueError, RowImageError
from streams.merge import states
from streams.merge.events import Event
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.processors.incoming import at_us, event_of
from streams.processors.merging import MergeProcessor
from streams.processors.records import Output, Record, Rejected, UnprocessableError
from streams.processors.stores import PartitionStore
from streams.replaying.differences import Ruling, ruling, text
from streams.replaying.shadows import Truth, follow, items

BRAKE = "brake"


class Spoken(msgspec.Struct, frozen=True):
    """A decision or amendment that has no object under the other rules."""

    offset: int
    kind: str
    field: str
    value: str | None
    why: str


class Notes(msgspec.Struct):
    """What is remembered of a record that has parted: both sides' verdicts, and what was said in vain."""

    now: list[Ruling] = []
    then: list[Ruling] = []
    spoken: list[Spoken] = []


@dataclass(eq=False)
class MisfitError(Exception):
    """A row image in the log that the other rules cannot read, though the true ones could."""

    record: Record
    system: str
    image: str
    reason: str


class TrueFold:
    """The states of a partition as the rules that held have made them."""

    def __init__(self, processor: MergeProcessor, content: dict[bytes, bytes] | None = None) -> None:
        self.processor = processor
        self.store = PartitionStore(content)

    def take(self, records: Sequence[Record]) -> None:
        """Merge these records, which follow those before."""
        self.processor.apply(records, self.store)
        self.store.settle()

    def content(self) -> dict[bytes, bytes]:
        """Everything in the store."""
        return dict(self.store.items())

    def states(self) -> dict[bytes, bytes]:
        """The states of records alone."""
        return {key: value for key, value in self.store.items() if not key.startswith(RESERVED)}


class OtherFold:
    """The true fold of a partition, and beside it the fold by other rules from the offset `since` on.

    `apart` has the other state of each record that has parted. Raises MisfitError out of `take`.
    """

    def __init__(self, true: TrueFold, other: MergeProcessor, since: int, codec: Codec) -> None:
        self.true = true
        self.rules = other.regimes.first
        self.apart: dict[bytes, bytes] = {}
        self.notes: dict[bytes, Notes] = {}
        self.last_us = 0
        self._regime = other.regimes.of(None)
        self._since = since
        self._codec = codec

    def take(self, records: Sequence[Record]) -> None:
        """Merge these records by both rules."""
        for record in records:
            if record.offset >= self._since:
                self._one(record)
            else:
                self.true.processor.apply((record,), self.true.store)
            self.last_us = at_us(record)
        self.true.store.settle()

    def other(self, key: bytes) -> bytes | None:
        """The state of a record under the other rules; None where they do not know it."""
        return self.apart.get(key) or self.true.store.get(key)

    def _one(self, record: Record) -> None:
        store, key = self.true.store, record.key
        before = None if key is None else store.get(key)
        results = self.true.processor.apply((record,), store)
        if key is None or record.value is None or key.startswith((RESERVED, b"$")):
            return
        after = store.get(key)
        if after == before and any(isinstance(result, Rejected) for result in results):
            return
        message = self._codec.decode(record.value)
        if isinstance(message, Loaded | Epoch | Allowance) or (isinstance(message, Change) and message.op == "l"):
            return
        event = self._event(message, record, before)
        if event is None and after == before and key not in self.apart:
            return
        conflicts = self._conflicts(results)
        self._follow(record, event, before, after, conflicts)

    def _follow(
        self, record: Record, event: Event | None, before: bytes | None, after: bytes | None, conflicts: list[Conflict]
    ) -> None:
        key = record.key or b""
        apart = key in self.apart
        true_before = None if before is None else states.decode(before)
        true_after = State() if after is None and before is None else states.decode(after or before or b"")
        mine = self.apart.get(key) if apart else before
        other = None if mine is None else states.decode(mine)
        followed = follow(other, event, Truth(true_before, true_after), self._rules(conflicts), together=not apart)
        now = [_of_message(record.offset, each) for each in conflicts if each.kind != "refused"]
        then = [ruling(record.offset, each) for each in followed.verdicts if each.kind != "refused"]
        data = states.encode(followed.state)
        same = data == after or (after is None and (before is None or not apart or followed.forget))
        self._note(key, true_before, same, now, then)
        if followed.orphans:
            spoken = [Spoken(record.offset, o.kind, o.field, text(o.value), o.why) for o in followed.orphans]
            self.notes.setdefault(key, Notes()).spoken += spoken
        if same:
            self.apart.pop(key, None)
        else:
            self.apart[key] = data

    def _note(self, key: bytes, before: State | None, same: bool, now: list[Ruling], then: list[Ruling]) -> None:
        if key not in self.notes:
            if same and [_judged(each) for each in now] == [_judged(each) for each in then]:
                return
            open_before = [_open(each) for each in _parked(before)]
            self.notes[key] = Notes(list(open_before), list(open_before))
        self.notes[key].now += now
        self.notes[key].then += then

    def _rules(self, conflicts: Sequence[Conflict]) -> Rules:
        """The other rules; what the brake held in truth, it holds here: it is about the rate, not about the record."""
        held = next((each.incoming.system for each in conflicts if each.rule == BRAKE), None)
        return self._regime.loads.rules(self.true.store, held)

    def _event(self, message: Message, record: Record, before: bytes | None) -> Event | None:
        """The event as the other rules' lenses read it; None where it is none to them. Raises MisfitError."""
        if isinstance(message, Change | Result) and message.system not in self.rules.rank:
            return None
        try:
            return event_of(message, record, self._regime, None if before is None else states.decode(before))
        except RowImageError as error:
            assert isinstance(message, Change | Result)
            image = message.after if isinstance(message, Change) else message.left
            raise MisfitError(record, message.system, image or "", str(error)) from error
        except (UnprocessableError, InvalidValueError):
            return None

    def _conflicts(self, results: Sequence[Any]) -> list[Conflict]:
        topic = self.true.processor.conflicts
        found = [each.value for each in results if isinstance(each, Output) and each.topic == topic]
        return [self._codec.decode_as(value, Conflict) for value in found if value is not None]


def _judged(one: Ruling) -> tuple[int, str, str]:
    return one.number, one.field, one.winner


def _parked(state: State | None) -> list[tuple[int, Any, State]]:
    return [] if state is None else [(state.offset, item, state) for item in items(state)]


def _open(found: tuple[int, Any, State]) -> Ruling:
    """An item that was parked already when the rules parted."""
    offset, item, state = found
    field = state.fields[item.field]
    return Ruling(
        offset=offset,
        number=item.number,
        field=item.field,
        rule="parked before",
        winner="parked",
        current_system=field.by,
        current=text(field.value),
        incoming_system=item.system,
        incoming=text(item.shown()),
    )


def _of_message(offset: int, conflict: Conflict) -> Ruling:
    return Ruling(
        offset=offset,
        number=int(conflict.id.rpartition("/")[2]),
        field=conflict.field,
        rule=conflict.rule,
        winner=conflict.winner,
        current_system=conflict.current.system,
        current=conflict.current.value,
        incoming_system=conflict.incoming.system,
        incoming=conflict.incoming.value,
        detail=conflict.detail,
    )
