"""What events did to the merged record, and what would undo it. Pure: states in, amendments out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from schemas.messages import Amend
from streams.merge.states import State
from streams.merge.values import EXISTENCE, Value


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One event gave one field of a record another value. `version` is the one that it made; `greatest` the greatest
    of the record after the event; `by` whose event it was (a system, or an operator's "$decision").

    At "$" a value of None is a record that does not exist.
    """

    record_id: str
    offset: int
    field: str
    before: Value
    after: Value
    version: int
    greatest: int
    by: str


@dataclass(frozen=True, slots=True)
class Step:
    """The value that a field is to have again, the version that must still hold for that, and how it stands now.

    `since_by` is empty where the undoing will be carried out; else it says who has changed the field since.
    """

    record_id: str
    field: str
    back_to: Value
    value: Value
    version: int
    now: Value
    since_by: str = ""
    since_us: int = 0

    @property
    def clear(self) -> bool:
        """Whether nobody has changed the field since."""
        return not self.since_by

    @property
    def amend(self) -> Amend:
        """The part of the amendment that asks for it."""
        text = None if self.back_to is None else msgspec.json.encode(self.back_to).decode()
        return Amend(field=self.field, version=self.version, value=text)


def changes(record_id: str, offset: int, before: State | None, after: State) -> list[FieldChange]:
    """The fields to which an event gave another value."""
    greatest = max((field.version for field in after.fields.values()), default=0)
    found = []
    for name, field in after.fields.items():
        old = None if before is None else before.fields.get(name)
        value = None if old is None else old.value
        if field.version != (0 if old is None else old.version) and field.value != value:
            found.append(FieldChange(record_id, offset, name, value, field.value, field.version, greatest, field.by))
    return found


def steps(chosen: Sequence[FieldChange], now: State) -> list[Step]:
    """What undoes these changes of one record, in their order in the log; existence last.

    Each field goes back to the value before the first of them, if it still has the version of the last. A record that
    they created ends, whatever else they gave it; one that they ended lives again with the values it has. What they
    undid among themselves needs nothing.
    """
    spans = _spans(chosen)
    existence = spans.pop(EXISTENCE, None)
    found: list[Step] = []
    if existence is None or existence[0].before is not None:
        found = [_step(first, last, now) for first, last in spans.values() if first.before != last.after]
    if existence is not None and existence[0].before != existence[1].after:
        found.append(_existence(existence[0], existence[1], chosen, now))
    return found


def _spans(chosen: Iterable[FieldChange]) -> dict[str, tuple[FieldChange, FieldChange]]:
    """For each field the first change and the last."""
    found: dict[str, tuple[FieldChange, FieldChange]] = {}
    for change in chosen:
        first = found[change.field][0] if change.field in found else change
        found[change.field] = (first, change)
    return found


def _step(first: FieldChange, last: FieldChange, now: State) -> Step:
    field = now.fields[first.field]
    step = Step(first.record_id, first.field, first.before, last.after, last.version, field.value)
    return step if field.version == last.version else _since(step, field.by, field.ts_us)


def _existence(first: FieldChange, last: FieldChange, chosen: Sequence[FieldChange], now: State) -> Step:
    """To end a record asks that nothing of it has changed since; to bring one back, only that it is still ended."""
    field = now.fields[EXISTENCE]
    ends = first.before is None
    version = max(change.greatest for change in chosen) if ends else last.version
    step = Step(first.record_id, EXISTENCE, first.before, last.after, version, field.value)
    newest = max(now.fields.values(), key=lambda each: each.version) if ends else field
    return step if newest.version == version else _since(step, newest.by, newest.ts_us)


def _since(step: Step, by: str, ts_us: int) -> Step:
    return Step(
        step.record_id, step.field, step.back_to, step.value, step.version, step.now, by or "a load", ts_us or 1
    )


def last_of(found: Sequence[FieldChange], fields: Iterable[str]) -> list[FieldChange]:
    """The last event's changes of a record; with `fields`, for each of them the last change of it."""
    names = tuple(fields)
    if not names:
        last = max((change.offset for change in found), default=-1)
        return [change for change in found if change.offset == last]
    latest = {change.field: change for change in found if change.field in names}
    return sorted(latest.values(), key=lambda change: change.offset)
