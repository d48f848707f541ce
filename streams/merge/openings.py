"""What of a record waits for a person, with all that one needs to decide it."""

from dataclasses import dataclass

from streams.merge.events import Held, Outcome
from streams.merge.rules import Rules
from streams.merge.states import Item, State
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE, Value


@dataclass(frozen=True, slots=True)
class Opening:
    """An open item.

    `number` is that of the verdict which parked it. `candidate` and `version` are what a decision must name: the
    parked value (at "$" None for a delete, ((field, value), ...) for edits of a deleted record), and the version of
    the field (at "$" the greatest of the record). `current` is the hub's value, whose it is and since when (µs).
    `ts_us` is when the candidate was written, `due_us` when its fallback policy decides it (0: never). `rule` is what
    parked it. `shown` says that the row of `system` still shows the candidate.
    """

    number: int
    system: str
    field: str
    candidate: Value
    current: Held
    version: int
    ts_us: int
    due_us: int
    rule: str
    shown: bool


def openings(state: State, rules: Rules) -> list[Opening]:
    """The open items of a record, in the order in which they were parked."""
    held = [item for entry in state.systems.values() for item in entry.dissent.values()]
    items = sorted((*held, *state.loose.values()), key=lambda item: item.number)
    return [_opening(Turn(state, rules, Outcome()), item) for item in items]


def _opening(turn: Turn, item: Item) -> Opening:
    rule = item.rule or (turn.rules.existence if item.field == EXISTENCE else "manual")
    return Opening(
        number=item.number,
        system=item.system,
        field=item.field,
        candidate=item.shown(),
        current=turn.current(item.field),
        version=turn.shown_version(item.field),
        ts_us=item.ts_us,
        due_us=item.due_us,
        rule=rule,
        shown=item.number not in turn.state.loose,
    )
