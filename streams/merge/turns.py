"""One event's turn at a record: the state it changes, the rules it goes by, and what comes of it."""

from typing import Literal

from streams.merge.events import Held, Outcome, Verdict
from streams.merge.rules import Rules
from streams.merge.states import FieldState, Item, State, SystemState
from streams.merge.values import EXISTENCE, Value

DECISION = "$decision"
Kind = Literal["value", "existence", "refused"]
Winner = Literal["current", "incoming", "parked"]


class Turn:
    """Holds together what every rule needs; lives for one event."""

    __slots__ = ("outcome", "rules", "state")

    def __init__(self, state: State, rules: Rules, outcome: Outcome) -> None:
        self.state = state
        self.rules = rules
        self.outcome = outcome

    def system(self, name: str) -> SystemState:
        """The state of one system's row."""
        return self.state.systems[name]

    def field(self, name: str) -> FieldState:
        """The hub's value of a field."""
        return self.state.fields[name]

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
        return self.rules.existence if name == EXISTENCE else type(self.rules.policies[name]).__name__.lower()

    def record(
        self, name: str, winner: Winner, current: Held, incoming: Held, kind: Kind = "value", detail: str = ""
    ) -> int:
        """Put a verdict on record; returns its number."""
        number = self.next_record()
        verdict = Verdict(number, name, kind, self.rule_name(name), winner, current, incoming, detail)
        self.outcome.verdicts.append(verdict)
        return number

    def refuse(self, name: str, system: str, shown: Value, detail: str, rule: str = "refused") -> None:
        """Put on record that a system's row and the hub's value stay apart, and why."""
        current, incoming = self.current(name), Held(system, shown, self.state.fields[name].ts_us)
        number = self.next_record()
        self.outcome.verdicts.append(Verdict(number, name, "refused", rule, "current", current, incoming, detail))

    def publish(self, item: Item, rule: str, winner: Winner, detail: str = "") -> None:
        """Say again how a parked item stands: with another candidate, or settled."""
        kind: Kind = "existence" if item.field == EXISTENCE else "value"
        incoming = Held(item.system, item.shown(), item.ts_us)
        current = self.current(item.field)
        self.outcome.verdicts.append(Verdict(item.number, item.field, kind, rule, winner, current, incoming, detail))
