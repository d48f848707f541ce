"""What a replay found: per partition whether the fold is the live state, per record what would be otherwise."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from duplex.replaying.cuts import Cut
from duplex.replaying.filters import Condition
from duplex.replaying.folds import Notes, OtherFold, Spoken, TrueFold
from streams.merge import states
from streams.merge.digests import digest
from streams.merge.events import Planned
from streams.merge.states import State
from streams.merge.values import EXISTENCE, Value
from streams.replaying import differences
from streams.replaying.differences import Difference, Ruling, RulingChange
from streams.replaying.shadows import finish


class FieldChange(msgspec.Struct, frozen=True):
    """A field: its value now, what it would be, and why. `version` is what an amendment names; `amendable` is false
    for a field that only one of the two sets of rules has."""

    field: str
    now: Any
    then: Any
    version: int
    why: str
    amendable: bool = True


class ConflictChange(msgspec.Struct, frozen=True):
    """A conflict that goes otherwise (`streams.replaying.differences.RulingChange`), both rulings in words."""

    change: str
    field: str
    offset: int
    now: str | None
    then: str | None


class CommandShown(msgspec.Struct, frozen=True):
    """A command that would be sent: what it finds and what it sets, column by column (null: no row)."""

    system: str
    op: str
    local_id: str | None
    base: dict[str, Any] | None
    set: dict[str, Any] | None


class RecordChange(msgspec.Struct, frozen=True):
    """Everything that would be otherwise with one record."""

    entity: str
    record_id: str
    partition: int
    fields: tuple[FieldChange, ...]
    conflicts: tuple[ConflictChange, ...]
    commands: tuple[CommandShown, ...]
    spoken: tuple[Spoken, ...]


class PartitionReport(msgspec.Struct, kw_only=True):
    """One partition: what was folded, and whether it came to the live state.

    `first` is the log's first offset and `position` the one behind the last that was folded. Digests are SHA-256 over
    all states of records in the order of their ids, None where there was nothing to compare with; `apart` counts the
    records whose fold differs from the live state, `bookkeeping` the processor's own entries that do.
    """

    entity: str
    partition: int
    first: int
    position: int
    events: int
    seconds: float
    records: int
    digest: str
    live_digest: str | None = None
    apart: int = 0
    bookkeeping: int = 0


class Report(msgspec.Struct, kw_only=True):
    """The whole replay. `unjudged` counts records that would differ, but whose fold is not the live state;
    `asked_in_vain` those of which the condition could not be asked."""

    rules: str | None
    partitions: list[PartitionReport] = []
    records: list[RecordChange] = []
    unjudged: int = 0
    asked_in_vain: int = 0

    @property
    def equal(self) -> bool:
        """Whether every fold came to the live state, byte for byte."""
        return all(each.live_digest in (None, each.digest) for each in self.partitions)

    @property
    def spoilt(self) -> bool:
        """Whether the live state is not what a whole log makes."""
        return any(each.first == 0 and each.live_digest not in (None, each.digest) for each in self.partitions)

    @property
    def events(self) -> int:
        return sum(each.events for each in self.partitions)

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.partitions)


def compare(report: PartitionReport, fold: TrueFold, cut: Cut) -> set[bytes]:
    """Set the fold beside the live state; the records that differ."""
    live, folded = cut.records, fold.states()
    report.live_digest = digest(live.items())
    apart = _differing(live, folded)
    report.apart = len(apart)
    report.bookkeeping = len(_differing(cut.content, fold.content())) - len(apart)
    return apart


def _differing(these: Mapping[bytes, bytes], those: Mapping[bytes, bytes]) -> set[bytes]:
    return {key for key in these.keys() | those.keys() if these.get(key) != those.get(key)}


def of_live(entity: str, partition: int, keys: Iterable[bytes], cut: Cut, fold: TrueFold) -> list[RecordChange]:
    """The records whose fold differs from the live state, field by field."""
    found = []
    for key in sorted(keys):
        live, folded = _decoded(cut.content.get(key)), _decoded(fold.store.get(key))
        fields = [
            _field(each, "the live state is not what the log makes") for each in differences.differences(live, folded)
        ]
        found.append(RecordChange(entity, key.decode(), partition, tuple(fields), (), (), ()))
    return found


def of_rules(
    entity: str, partition: int, fold: OtherFold, condition: Condition | None, only: bytes | None = None
) -> dict[bytes, RecordChange]:
    """The records that would be otherwise under the other rules."""
    found = {}
    for key in sorted(fold.apart.keys() | fold.notes.keys()):
        now = _decoded(fold.true.store.get(key))
        if (only is not None and key != only) or not _matches(condition, key, now, fold):
            continue
        change = _record(entity, partition, key, now, fold)
        if change.fields or change.conflicts or change.commands or change.spoken:
            found[key] = change
    return found


def _matches(condition: Condition | None, key: bytes, now: State | None, fold: OtherFold) -> bool:
    if condition is None:
        return True
    asked = now if now is not None else _decoded(fold.other(key))
    return asked is not None and condition.holds(key.decode(), asked, fold.rules)


def _record(entity: str, partition: int, key: bytes, now: State | None, fold: OtherFold) -> RecordChange:
    notes = fold.notes.get(key, Notes())
    then, commands = _decoded(fold.apart.get(key)), []
    if then is None:
        then = now
    else:
        then, wanted, late = finish(then, fold.rules, fold.last_us)
        notes.then.extend(differences.ruling(-1, each) for each in late if each.kind != "refused")
        present = [] if now is None else finish(_copy(now), fold.rules, fold.last_us)[1]
        commands = differences.additional(wanted, present)
    fields = [_field(each, _why(each.field, notes)) for each in differences.differences(now, then)]
    changes = differences.ruling_changes(notes.now, notes.then)
    return RecordChange(
        entity=entity,
        record_id=key.decode(),
        partition=partition,
        fields=tuple(fields),
        conflicts=tuple(_conflict(each) for each in changes),
        commands=tuple(_command(each) for each in commands),
        spoken=tuple(notes.spoken),
    )


def _field(found: Difference, why: str) -> FieldChange:
    return FieldChange(found.field, found.now, found.then, found.version, why, not found.missing)


def _why(field: str, notes: Notes) -> str:
    found = differences.why(field, notes.now, notes.then)
    if found is None:
        return "follows from what else is otherwise, or from another mapping"
    mine = found in differences.latest(notes.then).values()
    return sentence(found) if mine else f"without {sentence(found)}"


def sentence(one: Ruling) -> str:
    """A ruling in words."""
    sides = f"{one.current_system or 'nobody'} {one.current} against {one.incoming_system} {one.incoming}"
    return f"{one.rule}: {sides}: {_winner(one)}"


def _winner(one: Ruling) -> str:
    names = {"current": one.current_system or "nobody", "incoming": one.incoming_system, "merged": "made of both"}
    return (
        "parked"
        if one.winner == "parked"
        else f"{names[one.winner]} wins"
        if one.winner != "merged"
        else names["merged"]
    )


def _conflict(found: RulingChange) -> ConflictChange:
    now, then = (None if one is None else sentence(one) for one in (found.now, found.then))
    return ConflictChange(found.change, found.shown.field, found.shown.offset, now, then)


def _command(planned: Planned) -> CommandShown:
    return CommandShown(
        planned.system,
        planned.op,
        planned.local_id,
        _merged([unit.base for unit in planned.units]),
        _merged([unit.set for unit in planned.units]),
    )


def _merged(rows: list[Any]) -> dict[str, Value] | None:
    return None if any(row is None for row in rows) else {name: value for row in rows for name, value in row.items()}


def _decoded(data: bytes | None) -> State | None:
    return None if data is None else states.decode(data)


def _copy(state: State) -> State:
    return states.decode(states.encode(state))


def totals(report: Report) -> dict[str, dict[str, int]]:
    """How often each field would differ, each kind of conflict change, and the commands for each system."""
    found: dict[str, dict[str, int]] = {"fields": {}, "conflicts": {}, "commands": {}, "spoken": {}}
    for record in report.records:
        for field in record.fields:
            _count(found["fields"], "existence" if field.field == EXISTENCE else field.field)
        for conflict in record.conflicts:
            _count(found["conflicts"], conflict.change)
        for command in record.commands:
            _count(found["commands"], command.system)
        for spoken in record.spoken:
            _count(found["spoken"], spoken.kind)
    return found


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
