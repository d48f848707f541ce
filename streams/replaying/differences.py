"""What distinguishes two states of one record: values, existence, and the conflicts behind them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from streams.merge.events import Planned, Verdict
from streams.merge.states import FieldState, State
from streams.merge.values import EXISTENCE, Value


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: its value now, the version that an amendment must name, and the value it would have.

    `field` "$" is existence: None where the record is deleted. `missing` says which of the two states has no such
    field: there is then nothing to amend.
    """

    field: str
    now: Value
    version: int
    then: Value
    missing: Literal["", "now", "then"] = ""


class Ruling(msgspec.Struct, frozen=True):
    """A verdict as it is compared: where it was opened, what it was about, and how it stands. Values are JSON text."""

    offset: int
    number: int
    field: str
    rule: str
    winner: str
    current_system: str
    current: str | None
    incoming_system: str
    incoming: str | None
    detail: str = ""

    @property
    def about(self) -> tuple[int, str, str]:
        """What makes it the same conflict under other rules: the place in the log, the field, the dissenter."""
        return self.offset, self.field, self.incoming_system


Change = Literal["opens", "closes", "decides", "arises", "vanishes"]


@dataclass(frozen=True, slots=True)
class RulingChange:
    """A conflict that goes otherwise. `opens`: it would be parked, and is not; `closes`: it is parked, and would not
    be; `decides`: another side would win; `arises` and `vanishes`: it is a conflict under one set of rules only.
    """

    change: Change
    now: Ruling | None
    then: Ruling | None

    @property
    def shown(self) -> Ruling:
        """The ruling to name it by."""
        found = self.then if self.then is not None else self.now
        assert found is not None
        return found


def differences(now: State | None, then: State | None) -> list[Difference]:
    """What differs between a record as it is and as it would be, existence last. Of a record that is dead in both,
    nothing: its last values are no one's concern.
    """
    was, would = _lives(now), _lives(then)
    found: list[Difference] = []
    if would:
        found = [one for name in _names(now, then) if (one := _field(name, now, then)) is not None]
    if was != would:
        found.append(Difference(EXISTENCE, True if was else None, _existence(now, ends=was), True if would else None))
    return found


def _existence(state: State | None, ends: bool) -> int:
    """The version that an amendment of existence names: to end a record, the greatest that it has."""
    if state is None or EXISTENCE not in state.fields:
        return 0
    return max(field.version for field in state.fields.values()) if ends else state.fields[EXISTENCE].version


def _lives(state: State | None) -> bool:
    return state is not None and EXISTENCE in state.fields and state.alive


def _names(now: State | None, then: State | None) -> Iterable[str]:
    known = {**({} if now is None else now.fields), **({} if then is None else then.fields)}
    return [name for name in known if name != EXISTENCE]


def _field(name: str, now: State | None, then: State | None) -> Difference | None:
    old = None if now is None else now.fields.get(name)
    new = None if then is None else then.fields.get(name)
    if _value(old) == _value(new):
        return None
    missing: Literal["", "now", "then"] = "now" if old is None else "then" if new is None else ""
    return Difference(name, _value(old), 0 if old is None else old.version, _value(new), missing)


def _value(field: FieldState | None) -> Value:
    return None if field is None else field.value


def ruling(offset: int, verdict: Verdict) -> Ruling:
    """A verdict given at this place in the log."""
    return Ruling(
        offset=offset,
        number=verdict.number,
        field=verdict.field,
        rule=verdict.rule,
        winner=verdict.winner,
        current_system=verdict.current.system,
        current=text(verdict.current.value),
        incoming_system=verdict.incoming.system,
        incoming=text(verdict.incoming.value),
        detail=verdict.detail,
    )


def text(value: Value) -> str | None:
    """A value as JSON text; None is no value."""
    return None if value is None else msgspec.json.encode(value).decode()


def latest(rulings: Iterable[Ruling]) -> dict[int, Ruling]:
    """How each numbered conflict stands: its last verdict, at the place of its first."""
    found: dict[int, Ruling] = {}
    for one in rulings:
        first = found.get(one.number)
        found[one.number] = one if first is None else msgspec.structs.replace(one, offset=first.offset)
    return found


def ruling_changes(now: Sequence[Ruling], then: Sequence[Ruling]) -> list[RulingChange]:
    """The conflicts that go otherwise, in the order of the log. Both sequences in log order, as the verdicts came."""
    old, new = _by_subject(now), _by_subject(then)
    found = [RulingChange("vanishes" if each.winner != "parked" else "closes", each, None) for each in _only(old, new)]
    found += [RulingChange("arises" if each.winner != "parked" else "opens", None, each) for each in _only(new, old)]
    for about in old.keys() & new.keys():
        change = _change(old[about], new[about])
        if change is not None:
            found.append(RulingChange(change, old[about], new[about]))
    return sorted(found, key=lambda one: (one.shown.offset, one.shown.number))


def _by_subject(rulings: Sequence[Ruling]) -> dict[tuple[int, str, str], Ruling]:
    return {one.about: one for one in latest(rulings).values()}


def _only(
    these: Mapping[tuple[int, str, str], Ruling], those: Mapping[tuple[int, str, str], Ruling]
) -> Iterable[Ruling]:
    return [one for about, one in these.items() if about not in those]


def _change(old: Ruling, new: Ruling) -> Change | None:
    if old.winner == new.winner:
        return None
    if "parked" in (old.winner, new.winner):
        return "opens" if new.winner == "parked" else "closes"
    return "decides"


def why(field: str, now: Sequence[Ruling], then: Sequence[Ruling]) -> Ruling | None:
    """The verdict to which a field's other value is owed: the last one on it under the other rules, or else the last
    one under the present rules, which the others would not have given."""
    for rulings in (then, now):
        on_field = [one for one in latest(rulings).values() if one.field == field]
        if on_field:
            return on_field[-1]
    return None


def additional(wanted: Iterable[Planned], present: Iterable[Planned]) -> list[Planned]:
    """The commands among `wanted` that do something which none of `present` does for the same system."""
    known = {(one.system, one.op, one.units) for one in map(_comparable, present)}
    return [one for one in wanted if (one.system, one.op, _comparable(one).units) not in known]


@dataclass(frozen=True, slots=True)
class _Comparable:
    system: str
    op: str
    units: bytes


def _comparable(planned: Planned) -> _Comparable:
    units = [(unit.base, unit.set) for unit in planned.units]
    return _Comparable(planned.system, planned.op, msgspec.msgpack.encode(units))
