"""Which events are to be undone, and the changes they made, found by merging them again as they were merged.

Of one record, its own events are read, by its trail. Of a range of events, whole partitions are.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from duplex.composition import Composition
from duplex.explaining import retelling
from duplex.explaining.explanation import same
from duplex.explaining.finding import Found
from duplex.explaining.retelling import Retold
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
from streams.processors import refolding
from streams.processors.records import Record
from streams.processors.stores import PartitionStore

COMMAND = re.compile(r"(?P<record>[0-9a-f-]{36})/(?P<system>[a-z][a-z0-9_]*)/(?P<number>[0-9]+)")
Advance = Callable[[str, int, int, int], None]


@dataclass(frozen=True, slots=True)
class OfRecord:
    """The last change of a record, or of these fields of it; the record was found with `retelling.beside`."""

    found: Found
    fields: tuple[str, ...] = ()

    def chosen(self, made: Sequence[FieldChange], folded: Sequence[refolding.Step]) -> list[FieldChange]:
        """Of the changes that the record's events made, those to undo."""
        return changes.last_of(made, self.fields)


@dataclass(frozen=True, slots=True)
class OfCommands:
    """What commands of a record carried: the changes that made the versions they brought, and what the targets' own
    triggers did beside them. The record was found with `retelling.beside`; a command is (system, number)."""

    found: Found
    commands: frozenset[tuple[str, int]]

    def chosen(self, made: Sequence[FieldChange], folded: Sequence[refolding.Step]) -> list[FieldChange]:
        """Of the changes that the record's events made, those to undo."""
        brought = set[tuple[str, int]]()
        for step in folded:
            for system, entry in {} if step.after is None else step.after.systems.items():
                if entry.out is not None and (system, entry.out.number) in self.commands:
                    brought |= {pair for unit in entry.out.units for pair in unit.versions.items()}
        return [change for change in made if (change.field, change.version) in brought]


class Range(Protocol):
    """Events of many records. `partition` narrows what is read."""

    @property
    def partition(self) -> int | None: ...

    def takes(self, record: Record, message: object) -> bool:
        """Whether an event is concerned; asked only of events that changed something."""
        ...


@dataclass(frozen=True, slots=True)
class OfEvents:
    """A range of events of one partition, both ends included."""

    partition: int
    first: int
    last: int

    def takes(self, record: Record, message: object) -> bool:
        return self.first <= record.offset <= self.last


@dataclass(frozen=True, slots=True)
class OfTransaction:
    """What one transaction of a system did, in every record."""

    system: str
    transaction: int
    partition: int | None = None

    def takes(self, record: Record, message: object) -> bool:
        return isinstance(message, Change) and message.system == self.system and message.transaction == self.transaction


@dataclass(frozen=True, slots=True)
class OfSystem:
    """Everything that a system's users did since a moment (milliseconds, UTC), by the log's own time."""

    system: str
    since_ms: int
    partition: int | None = None

    def takes(self, record: Record, message: object) -> bool:
        return isinstance(message, Change) and message.system == self.system and record.timestamp_ms >= self.since_ms


Selection = OfRecord | OfCommands | Range


@dataclass(slots=True)
class Undoing:
    """What undoing would do: the steps of every record, and where each record is."""

    entity: str
    steps: dict[str, list[Step]] = field(default_factory=dict)
    partitions: dict[str, int] = field(default_factory=dict)


async def select(composed: Composition, entity: str, selection: Selection, advance: Advance) -> Undoing:
    """The steps that undo what was selected in an entity; none where nothing of it changed anything.

    Raises BrokerError, LogReadError, LogUnreadableError, LogIncompleteError, StateUnreadError.
    """
    if isinstance(selection, OfRecord | OfCommands):
        return await _of_record(composed, selection)
    topic = composed.topics.records(entity)
    bounds = await logs.bounds(composed.kafka, topic)
    partitions = sorted(bounds) if selection.partition is None else [selection.partition]
    undoing = Undoing(entity)
    for partition in partitions:
        if partition not in bounds:
            raise NothingError(f"partition {partition}", f"{topic} has partitions 0 to {len(bounds) - 1}")
        await _of_partition(composed, entity, selection, partition, bounds[partition], undoing, advance)
    return undoing


async def _of_record(composed: Composition, selection: OfRecord | OfCommands) -> Undoing:
    found = selection.found
    retold = await retelling.retell(composed, found)
    if not is_whole(retold):
        raise await _incomplete(composed, found, retold)
    undoing = Undoing(found.entity)
    if steps := of_record(selection, retold):
        undoing.steps[found.record_id] = steps
        undoing.partitions[found.record_id] = found.partition
    return undoing


def is_whole(retold: Retold) -> bool:
    """Whether the log's events make the state that the pipeline holds, so that the earlier values are known."""
    last = retold.steps[-1].after if retold.steps else None
    return last is not None and same(last, retold.live)


def of_record(selection: OfRecord | OfCommands, retold: Retold) -> list[Step]:
    """What undoes the selected changes of a record."""
    made = list[FieldChange]()
    for step in retold.steps:
        if step.after is not None:
            made += changes.changes(selection.found.record_id, step.record.offset, step.before, step.after)
    return changes.steps(selection.chosen(made, retold.steps), retold.live)


async def _incomplete(composed: Composition, found: Found, retold: Retold) -> LogIncompleteError:
    topic = composed.topics.records(found.entity)
    bounds = await logs.bounds(composed.kafka, topic)
    first = bounds[found.partition].first if retold.missing or not retold.steps else 0
    return LogIncompleteError(topic, found.partition, 1, first)


async def _of_partition(
    composed: Composition,
    entity: str,
    selection: Range,
    partition: int,
    bounds: logs.Bounds,
    undoing: Undoing,
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
    apart = [key for key in fold.made if fold.store.get(key) != cut.content.get(key)]
    if apart:
        raise LogIncompleteError(topic, partition, len(apart), bounds.first)
    for key, made in fold.made.items():
        if steps := changes.steps(made, states.decode(cut.content[key])):
            undoing.steps[key.decode()] = steps
            undoing.partitions[key.decode()] = partition


class _Fold:
    """One partition, folded by the production processor, with the changes that selected events made."""

    def __init__(self, composed: Composition, entity: str, selection: Range) -> None:
        self.store = PartitionStore()
        self.made: dict[bytes, list[FieldChange]] = {}
        self._codec = Codec()
        self._processor = processor(composed, entity, self._codec)
        self._selection = selection

    def take(self, records: Sequence[Record]) -> None:
        for record in records:
            before = self.store.get(record.key or b"")
            self._processor.apply((record,), self.store)
            after = self.store.get(record.key or b"")
            if record.key and after is not None and after != before:
                self._note(record, record.key, before, after)
        self.store.settle()

    def _note(self, record: Record, key: bytes, before: bytes | None, after: bytes) -> None:
        if not self._selection.takes(record, self._message(record)):
            return
        earlier = None if before is None else states.decode(before)
        made = changes.changes(key.decode(), record.offset, earlier, states.decode(after))
        if made:
            self.made.setdefault(key, []).extend(made)

    def _message(self, record: Record) -> object:
        try:
            return self._codec.decode(record.value or b"")
        except SchemasError:
            return None
