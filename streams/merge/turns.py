"""One event's turn at a record: the state it changes, the rules it goes by, and what comes of it."""

from typing import Literal

from streams.merge.combinations import Base
from streams.merge.events import Held, Outcome, Verdict
from streams.merge.rules import Rules, policy_name
from streams.merge.states import FieldState, Item, State, SystemState
from streams.merge.values import EXISTENCE, Value, Values

DECISION = "$decision"
Kind = Literal["value", "existence", "refused"]
Winner = Literal["current", "incoming", "parked", "merged"]
NOTHING_KNOWN: Values = {}


class Turn:
    """Holds together what every rule needs; lives for one event.

    `at_us` is the log's time of the event. `bases` are the values that the row showed before the edits being merged:
    what their author saw; a field that is missing there was not to be seen.
    """

    __slots__ = ("at_us", "bases", "outcome", "rules", "state")

    def __init__(self, state: State, rules: Rules, outcome: Outcome) -> None:
        self.state = state
        self.rules = rules
        self.outcome = outcome
        self.at_us = 0
        self.bases = NOTHING_KNOWN

    def system(self, name: str) -> SystemState:
        """The state of one system's row."""
        return self.state.systems[name]

    def field(self, name: str) -> FieldState:
        """The hub's value of a field."""
        return self.state.fields[name]

    def base(self, name: str) -> Base:
        """What the editor saw of a field: `(value,)`, or `()` where that is not known."""
        return (self.bases[name],) if name in self.bases else ()

    def seen(self, system: str, name: str) -> int:
        """The version of a field that a system's row embodies."""
        behind = self.state.systems[system].behind
        return behind[name] if name in behind else self.state.fields[name].version

    def see(self, system: str, name: str, version: int | None = None) -> None:
        """From now on the system's row embodies this version of a field; None: the hub's."""
        behind = self.state.systems[system].behind
        if version is None or version == self.state.fields[name].version:
            behind.pop(name, None)
        else:
            behind[name] = version

    def shown_version(self, name: str) -> int:
        """The version a person sees beside an item: the field's; of existence, the greatest of the record."""
        if name != EXISTENCE:
            return self.state.fields[name].version
        return max(field.version for field in self.state.fields.values())

    def next_record(self) -> int:
        """A number for a verdict; from the state, so that a second run numbers alike."""
        self.state.decisions += 1
        return self.state.decisions

    def current(self, name: str) -> Held:
        """The hub's side of a verdict."""
        field = self.state.fields[name]
        return Held(field.by, field.value, field.ts_us)

    def rule_name(self, name: str) -> str:
        """What decides a field, in one word."""
        return self.rules.existence if name == EXISTENCE else policy_name(self.rules.policies[name])

    def record(
        self,
        name: str,
        winner: Winner,
        current: Held,
        incoming: Held,
        kind: Kind = "value",
        detail: str = "",
        rule: str = "",
        due_us: int = 0,
    ) -> int:
        """Put a verdict on record, by the field's own rule unless another is named; returns its number."""
        number, rule, version = self.next_record(), rule or self.rule_name(name), self.shown_version(name)
        self.outcome.verdicts.append(
            Verdict(number, name, kind, rule, winner, current, incoming, detail, version, due_us)
        )
        return number

    def refuse(self, name: str, system: str, shown: Value, detail: str, rule: str = "refused") -> None:
        """Put on record that a system's row and the hub's value stay apart, and why."""
        incoming = Held(system, shown, self.state.fields[name].ts_us)
        self.record(name, "current", self.current(name), incoming, "refused", detail, rule)

    def publish(self, item: Item, rule: str, winner: Winner, detail: str = "", current: Held | None = None) -> None:
        """Say again how a parked item stands: with another candidate, or settled. `current`: beside what, if not
        beside the hub's value."""
        name = item.field
        kind: Kind = "existence" if name == EXISTENCE else "value"
        incoming, current = Held(item.system, item.shown(), item.ts_us), current or self.current(name)
        due_us = item.due_us if winner == "parked" else 0
        version = self.shown_version(name)
        self.outcome.verdicts.append(
            Verdict(item.number, name, kind, rule, winner, current, incoming, detail, version, due_us)
        )
