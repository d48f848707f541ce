"""From a record's steps to its explanation. Pure: the same steps and state give the same answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from duplex.explaining.deliveries import Deliveries
from duplex.explaining.facts import Explanation, FieldFacts, ParkedFacts, ValueFacts
from duplex.explaining.standings import Standings
from duplex.explaining.steps import Step
from duplex.explaining.values import Values, unread
from streams.merge import states
from streams.merge.events import Outcome
from streams.merge.rules import Rules
from streams.merge.states import Item, State
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE

CUT_OFF = "the log no longer reaches back to the record's first event: facts from before {} are missing"
NO_EVENTS = "the log has none of the record's events any more: only what its state says is known"
DIFFERENT = (
    "merging the log's events again does not give the state that the pipeline holds: facts from before {} are "
    "missing, or other rules held than are known here"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A record as it is now: its id, its partition, the state that the pipeline holds, and the rules that hold."""

    record_id: str
    partition: int
    state: State
    rules: Rules


def explain(subject: Subject, steps: Sequence[Step], missing: int, history: bool) -> Explanation:
    """Everything that is known of a record's fields and of its existence.

    `steps` are its events as they were found in the log and merged again; `missing` is how many more it has had.
    Earlier values are in the answer with `history` only.
    """
    teller, live = _Teller(subject, steps), subject.state
    remarks = tuple(_remarks(live, steps, missing))
    return Explanation(
        record_id=subject.record_id,
        entity=subject.rules.entity,
        partition=subject.partition,
        deleted=not live.alive,
        events=len(steps),
        first_offset=steps[0].offset if steps else -1,
        last_offset=live.offset,
        complete=not remarks,
        remarks=remarks,
        fields={name: teller.field(name, history) for name in (*subject.rules.fields, EXISTENCE)},
    )


def same(one: State, other: State) -> bool:
    """Whether two states are the same, but for what the processor notes of its log."""
    return _bare(one) == _bare(other)


def _bare(state: State) -> bytes:
    copy = states.decode(states.encode(state))
    copy.offset, copy.trail = -1, []
    return states.encode(copy)


def _remarks(live: State, steps: Sequence[Step], missing: int) -> Iterable[str]:
    if not steps:
        yield NO_EVENTS
    elif missing > 0:
        yield CUT_OFF.format(f"offset {steps[0].offset}")
    elif not same(steps[-1].after, live):
        yield DIFFERENT.format(f"offset {steps[0].offset}")


class _Teller:
    """A record's steps, gone through once, and what they say of each field."""

    def __init__(self, subject: Subject, steps: Sequence[Step]) -> None:
        self._record_id = subject.record_id
        self._live = subject.state
        self._rules = subject.rules
        self._values = Values(subject.record_id)
        self._deliveries = Deliveries(subject.record_id)
        self._standings = Standings(self._deliveries)
        for step in steps:
            self._values.feed(step)
            self._deliveries.feed(step)
            self._standings.feed(step)

    def field(self, name: str, history: bool) -> FieldFacts:
        """The facts of a field, or of "$"."""
        present = self._live.fields.get(name)
        if present is None or present.version == 0:
            return FieldFacts(current=None, parked=self._parked(name))
        values = [self._delivered(name, value) for value in self._values.of(name)]
        current = next((value for value in reversed(values) if value.version == present.version), None)
        if current is None:
            policy = Turn(self._live, self._rules, Outcome()).rule_name(name)
            current = self._delivered(name, unread(name, present, policy, self._rules.epoch))
        earlier = [value for value in reversed(values) if value.version < present.version]
        return FieldFacts(
            current=current,
            earlier=tuple(earlier) if history else (),
            standing=self._standings.of(self._live, self._rules, name),
            parked=self._parked(name),
        )

    def _delivered(self, name: str, value: ValueFacts) -> ValueFacts:
        since_us = value.ts_us if value.event is None else value.event.log_us
        return replace(value, commands=self._deliveries.carriers(name, value.version, since_us))

    def _parked(self, name: str) -> tuple[ParkedFacts, ...]:
        held = [item for entry in self._live.systems.values() for item in entry.dissent.values()]
        items = [item for item in (*held, *self._live.loose.values()) if item.field == name]
        return tuple(self._item(item) for item in sorted(items, key=lambda item: item.number))

    def _item(self, item: Item) -> ParkedFacts:
        return ParkedFacts(
            id=f"{self._record_id}/{item.number}",
            system=item.system,
            value=item.shown(),
            ts_us=item.ts_us,
            due_us=item.due_us,
        )
