"""The values that a record's fields took on: each with the event that brought it, its rule, and what it met."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from duplex.explaining.facts import ConflictFacts, ValueFacts
from duplex.explaining.steps import Step
from streams.merge.events import Amended, Decided, Held, Outcome, Verdict
from streams.merge.states import FieldState, State
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE

FIRST_VALUE, NO_CONFLICT = "first value", "no conflict"
GONE = "not known: the log no longer has it"


class Values:
    """Follows the fields of one record through its steps, fed in order."""

    def __init__(self, record_id: str) -> None:
        self._record_id = record_id
        self._values: dict[str, list[ValueFacts]] = defaultdict(list)
        self._met: dict[tuple[str, int], list[ConflictFacts]] = defaultdict(list)

    def feed(self, step: Step) -> None:
        """Take the next step."""
        for name, now in step.after.fields.items():
            before = _field(step.before, name)
            if now.version != before.version:
                self._values[name].append(_value(step, name, before, now))
        for verdict in step.outcome.verdicts:
            self._meet(step, verdict)

    def of(self, name: str) -> list[ValueFacts]:
        """Every value that the field took on, oldest first, with all that each has met."""
        return [_with(value, self._met[name, value.version]) for value in self._values[name]]

    def _meet(self, step: Step, verdict: Verdict) -> None:
        """A verdict belongs to the value that the field has after it; one about existence also to what it let in."""
        made = self._conflict(step, verdict)
        fields = step.after.fields
        if verdict.field in fields:
            self._met[verdict.field, fields[verdict.field].version].append(made)
        if verdict.field == EXISTENCE and verdict.winner in ("incoming", "merged"):
            for name, now in fields.items():
                if name != EXISTENCE and now.version != _field(step.before, name).version:
                    self._met[name, now.version].append(made)

    def _conflict(self, step: Step, verdict: Verdict) -> ConflictFacts:
        loser = _other_side(verdict)
        return ConflictFacts(
            id=f"{self._record_id}/{verdict.number}",
            kind=verdict.kind,
            of_field=verdict.field,
            rule=verdict.rule,
            winner=verdict.winner,
            system=loser.system,
            value=loser.value,
            ts_us=loser.ts_us,
            offset=step.offset,
            detail=verdict.detail,
        )


def unread(name: str, present: FieldState, policy: str, epoch: int) -> ValueFacts:
    """A value of whose event nothing was read: what the state itself says of it."""
    return ValueFacts(
        value=present.value,
        version=present.version,
        system=present.by,
        ts_us=present.ts_us,
        rule=GONE,
        policy=policy,
        epoch=epoch,
        event=None,
    )


def policy_name(step: Step, name: str) -> str:
    """What decided this field's conflicts at that time, in one word."""
    if name != EXISTENCE and name not in step.rules.policies:
        return ""
    return Turn(step.after, step.rules, Outcome()).rule_name(name)


def _value(step: Step, name: str, before: FieldState, now: FieldState) -> ValueFacts:
    return ValueFacts(
        value=now.value,
        version=now.version,
        system=now.by,
        ts_us=now.ts_us,
        rule=_rule(step, name, before),
        policy=policy_name(step, name),
        epoch=step.rules.epoch,
        event=step.facts(),
    )


def _rule(step: Step, name: str, before: FieldState) -> str:
    if isinstance(step.event, Decided):
        return "decision"
    if isinstance(step.event, Amended):
        return step.event.kind
    won = [one for one in step.outcome.verdicts if one.winner in ("incoming", "merged")]
    for verdict in _first_of(won, name):
        return verdict.rule
    return FIRST_VALUE if before.version == 0 else NO_CONFLICT


def _first_of(verdicts: list[Verdict], name: str) -> Iterable[Verdict]:
    """Those about the field itself first, then those that let the event in as a whole."""
    return [*(one for one in verdicts if one.field == name), *(one for one in verdicts if one.field == EXISTENCE)]


def _field(state: State | None, name: str) -> FieldState:
    return FieldState() if state is None else state.fields.get(name) or FieldState()


def _other_side(verdict: Verdict) -> Held:
    """The side that is not the field's value after the verdict; of a merged value, what the hub had before."""
    return verdict.current if verdict.winner in ("incoming", "merged") else verdict.incoming


def _with(value: ValueFacts, met: list[ConflictFacts]) -> ValueFacts:
    # An item's verdict comes again when its candidate changes, and when it is settled: the last one counts.
    latest = {one.id: one for one in met}
    return msgspec.structs.replace(value, met=tuple(latest.values()))
