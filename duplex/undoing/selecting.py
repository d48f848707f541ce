"""Which events are to be undone, and the changes they made, found by folding the log as it was folded then."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from duplex import broker
from duplex.composition import Composition
from duplex.replaying import cuts, logs
from duplex.replaying.errors import StateUnreadError
from duplex.replaying.replay import processor
from duplex.undoing import changes
from duplex.undoing.changes import FieldChange, Step
from duplex.undoing.errors import LogIncompleteError, NothingError
from schemas.codec import Codec
from schemas.errors import SchemasError
from schemas.messages import Change
from streams.merge import states
from streams.merge.states import State
from streams.processors.records import Record
from streams.processors.stores import PartitionStore

COMMAND = re.compile(r"(?P<record>[0-9a-f-]{36})/(?P<system>[a-z][a-z0-9_]*)/(?P<number>[0-9]+)")
Advance = Callable[[str, int, int, int], None]


class Selection(Protocol):
    """What to undo. `record_id` and `partition` narrow what is read."""

    @property
    def record_id(self) -> str | None: ...

    @property
    def partition(self) -> int | None: ...

    def takes(self, record: Record, message: object) -> bool:
        """Whether an event is concerned; asked only of events that changed something."""
        ...

    def chosen(self, found: Sequence[FieldChange], states_after: "Sequence[Moment]") -> list[FieldChange]:
        """Of the changes that the concerned events made to one record, those to undo."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of a record after an event."""

    offset: int
    state: State


@dataclass(frozen=True, slots=True)
class OfRecord:
    """The last change of a record, or of these fields of it."""

    record_id: str
    fields: tuple[str, ...] = ()
    partition: int | None = None

    def takes(self, record: Record, message: object) -> bool:
        return True

    def chosen(self, found: Sequence[FieldChange], states_after: Sequence[Moment]) -> list[FieldChange]:
        return changes.last_of(found, self.fields)


@dataclass(frozen=True, slots=True)
class OfEvents:
    """A range of events of one partition, both ends included."""

    partition: int
    first: int
    last: int
    record_id: str | None = None

    def takes(self, record: Record, message: object) -> bool:
        return self.first <= record.offset <= self.last

    def chosen(self, found: Sequence[FieldChange], states_after: Sequence[Moment]) -> list[FieldChange]:
        return list(found)


@dataclass(frozen=True, slots=True)
class OfTransaction:
    """What one transaction of a system did, in every record."""

    system: str
    transaction: int
    record_id: str | None = None
    partition: int | None = None

    def takes(self, record: Record, message: object) -> bool:
        return isinstance(message, Change) and message.system == self.system and message.transaction == self.transaction

    def chosen(self, found: Sequence[FieldChange], states_after: Sequence[Moment]) -> list[FieldChange]:
        return list(found)


@dataclass(frozen=True, slots=True)
class OfSystem:
    """Everything that a system's users did since a moment (milliseconds, UTC), by the log's own time."""

    system: str
    since_ms: int
    record_id: str | None = None
    partition: int | None = None

    def takes(self, record: Record, message: object) -> bool:
        return isinstance(message, Change) and message.system == self.system and record.timestamp_ms >= self.since_ms

    def chosen(self, found: Sequence[FieldChange], states_after: Sequence[Moment]) -> list[FieldChange]:
        return list(found)


@dataclass(frozen=True, slots=True)
class OfCommand:
    """What one command carried to a system: the changes that made the versions it brought, and what the target's own
    triggers did beside it."""

    record_id: str
    system: str
    number: int
    partition: int | None = None

    @property
    def id(self) -> str:
        return f"{self.record_id}/{self.system}/{self.number}"

    def takes(self, record: Record, message: object) -> bool:
        return True

    def chosen(self, found: Sequence[FieldChange], states_after: Sequence[Moment]) -> list[FieldChange]:
        brought = set[tuple[str, int]]()
        for moment in states_after:
            entry = moment.state.systems.get(self.system)
            if entry is not None and entry.out is not None and entry.out.number == self.number:
                brought |= {pair for unit in entry.out.units for pair in unit.versions.items()}
        return [change for change in found if (change.field, change.version) in brought]


@dataclass(slots=True)
class Undoing:
    """What undoing would do: the steps of every record, and where each record is."""

    entity: str
    steps: dict[str, list[Step]] = field(default_factory=dict)
    partitions: dict[str, int] = field(default_factory=dict)


async def select(composed: Composition, entity: str, selection: Selection, advance: Advance) -> Undoing:
    """The steps that undo what was selected in an entity; none where nothing of it changed anything.

    Raises BrokerError, LogReadError, LogIncompleteError, StateUnreadError.
    """
    topic = composed.topics.records(entity)
    bounds = await logs.bounds(composed.kafka, topic)
    partitions = sorted(bounds) if selection.partition is None else [selection.partition]
    if selection.record_id is not None:
        partitions = [broker.partition_of(selection.record_id.encode(), len(bounds))]
    found = Undoing(entity)
    for partition in partitions:
        if partition not in bounds:
            raise NothingError(f"partition {partition}", f"{topic} has partitions 0 to {len(bounds) - 1}")
        await _of_partition(composed, entity, selection, partition, bounds[partition], found, advance)
    return found


async def _of_partition(
    composed: Composition,
    entity: str,
    selection: Selection,
    partition: int,
    bounds: logs.Bounds,
    found: Undoing,
    advance: Advance,
) -> None:
    topic, cut = composed.topics.records(entity), await cuts.cut(composed, entity, partition)
    if cut.position is None:
        if bounds.end > bounds.first:
            raise StateUnreadError(composed.topics.state("merge", entity), partition)
        return
    fold = _Fold(composed, entity, selection)
    async for batch in logs.records(composed.kafka, topic, partition, bounds.first, cut.position):
        fold.take(batch)
        if batch:
            advance(entity, partition, batch[-1].offset + 1 - bounds.first, cut.position - bounds.first)
    apart = [key for key in fold.found if fold.store.get(key) != cut.content.get(key)]
    if apart:
        raise LogIncompleteError(topic, partition, len(apart), bounds.first)
    for key, made in fold.found.items():
        chosen = selection.chosen(made, fold.moments.get(key, []))
        if steps := changes.steps(chosen, states.decode(cut.content[key])):
            found.steps[key.decode()] = steps
            found.partitions[key.decode()] = partition


class _Fold:
    """One partition, folded by the production processor, with the changes that selected events made."""

    def __init__(self, composed: Composition, entity: str, selection: Selection) -> None:
        self.store = PartitionStore()
        self.found: dict[bytes, list[FieldChange]] = {}
        self.moments: dict[bytes, list[Moment]] = {}
        self._codec = Codec()
        self._processor = processor(composed, entity, self._codec)
        self._selection = selection
        self._key = None if selection.record_id is None else selection.record_id.encode()
        self._keeps_moments = isinstance(selection, OfCommand)

    def take(self, records: Sequence[Record]) -> None:
        for record in records:
            before = self.store.get(record.key or b"")
            self._processor.apply((record,), self.store)
            after = self.store.get(record.key or b"")
            if record.key and after is not None and after != before and self._key in (None, record.key):
                self._note(record, record.key, before, after)
        self.store.settle()

    def _note(self, record: Record, key: bytes, before: bytes | None, after: bytes) -> None:
        if not self._selection.takes(record, self._message(record)):
            return
        state = states.decode(after)
        made = changes.changes(key.decode(), record.offset, None if before is None else states.decode(before), state)
        if made:
            self.found.setdefault(key, []).extend(made)
        if self._keeps_moments:
            self.moments.setdefault(key, []).append(Moment(record.offset, state))

    def _message(self, record: Record) -> object:
        try:
            return self._codec.decode(record.value or b"")
        except SchemasError:
            return None
