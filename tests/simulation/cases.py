"""A history as the oracle has it: what users did and saw, what the record showed, what went on record."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams.merge.events import Answered, Changed, Event, Looked, Nudged, Verdict
from streams.merge.goldens import Golden
from streams.merge.rules import Sum, Union
from streams.merge.values import EXISTENCE, Value
from tests.simulation.acts import Act
from tests.simulation.hubs import Step
from tests.simulation.tables import Table
from tests.simulation.tokens import Token, token

if TYPE_CHECKING:
    from tests.simulation.worlds import World


@dataclass
class Case:
    """One history at rest. It knows nothing of versions, echoes, acknowledgements or positions."""

    world: "World"
    acts: list[Act] = field(init=False)
    steps: list[Step] = field(init=False)
    final: Golden = field(init=False)
    processed: dict[int, int] = field(init=False)
    released: dict[int, list[int]] = field(init=False)
    open: set[tuple[str, str]] = field(init=False)
    fields: tuple[str, ...] = field(init=False)
    tables: dict[str, Table] = field(init=False)
    replaced: dict[tuple[str, Token], list[Act]] = field(init=False)
    ruled: list[Step] = field(init=False)
    _held: dict[str, dict[Token, list[Step]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.acts, self.steps = self.world.acts, self.world.hub.steps
        self.final = self.steps[-1].after if self.steps else self.world.hub.golden(None)
        self.processed, self.released = _first_merged(self.steps)
        self.replaced = _replaced(self.acts)
        self.ruled = [step for step in self.steps if step.verdicts]
        self.open = _open_items(self.ruled)
        rules = self.world.hub.rules
        self.fields = tuple(n for n in rules.fields if not isinstance(rules.policies[n], Sum | Union))
        self.tables = self.world.tables

    def acts_of(self, step: Step) -> Iterator[Act]:
        """Whose edits an input brought, those among them that were held until it came."""
        return (self.acts[number] for number in (*step.input.acts, *self.released.get(step.offset, ())))

    def held(self, name: str, value: Token) -> list[Step]:
        """The inputs before which the record had this value."""
        if name not in self._held:
            self._held[name] = {}
            for step in self.steps:
                self._held[name].setdefault(token(step.before.values[name]), []).append(step)
        return self._held[name].get(value, [])

    def is_invisible(self, act: Act, name: str | None) -> bool:
        """Whether an act at a system without a log was undone again before anybody looked."""
        remote = self.world.remotes.get(act.system)
        return remote is not None and remote.is_invisible(act, name)

    def merged_ts_us(self, act: Act) -> int:
        """The time by which an act was merged; 0 of a loaded row, or if it never was.

        Of a system without a log, which tells the time of the row's last change, it is that of the act at least.
        """
        if act.system in self.world.remotes:
            is_loaded = any(entry.load for entry in self.tables[act.system].log if entry.act == act.number)
            return 0 if is_loaded else min(act.ts_us, act.at)
        for step in self.steps:
            if act.number in step.input.acts and isinstance(step.event, Changed):
                return 0 if step.event.load else step.event.ts_us
        return 0

    def dead_at(self, at: int) -> bool:
        """Whether the record was deleted, as far as its log said then: that the hub lags behind is no user's affair."""
        earlier = [step for step in self.steps if getattr(step.event, "at_us", step.at) <= at]
        return bool(earlier) and earlier[-1].after.deleted


def replaces(other: Act, name: str, value: Token) -> bool:
    """Whether somebody wrote over, or deleted, a cell that showed this value."""
    cell = other.saw.get(name)
    return cell is not None and cell.token == value and (name in other.wrote or other.kind == "delete")


def names(verdict: Verdict, name: str, value: Token) -> bool:
    """Whether a record names the value of this field on either side."""
    sides = (verdict.current.value, verdict.incoming.value)
    if verdict.field == name:
        return any(token(side) == value for side in sides)
    return verdict.field == EXISTENCE and any(token(held) == value for held in _pairs(sides, name))


def _pairs(sides: tuple[Value, Value], name: str) -> Iterator[Value]:
    for side in sides:
        for pair in side if isinstance(side, tuple) else ():
            if isinstance(pair, tuple) and len(pair) == 2 and pair[0] == name:
                yield pair[1]
            elif isinstance(pair, tuple) and len(pair) == 2 and pair[0] == EXISTENCE:
                yield from _pairs((pair[1], None), name)


def _replaced(acts: list[Act]) -> dict[tuple[str, Token], list[Act]]:
    """For every value of a field: who wrote over, or deleted, a cell that showed it."""
    found: dict[tuple[str, Token], list[Act]] = {}
    for act in acts:
        for name in act.saw if act.kind == "delete" else act.wrote.keys() & act.saw.keys():
            found.setdefault((name, act.saw[name].token), []).append(act)
    return found


def _first_merged(steps: list[Step]) -> tuple[dict[int, int], dict[int, list[int]]]:
    """When each act was merged first, and by offset which acts were held until then: what a look shows while a system
    without a log has a command to answer is merged with the answer, whichever message named it; or when an operator
    gives the answer up."""
    first: dict[int, int] = {}
    released: dict[int, list[int]] = {}
    held: dict[str, list[int]] = {}
    waiting: dict[str, int] = {}
    for step in steps:
        event, came = step.event, list(step.input.acts)
        ended = [system for system, number in waiting.items() if _ends_waiting(event, system, number)]
        if ended:
            released[step.offset] = [act for system in ended for act in held.pop(system, [])]
            came += released[step.offset]
            waiting = {system: number for system, number in waiting.items() if system not in ended}
        elif isinstance(event, Looked | Answered) and event.system in waiting:
            held.setdefault(event.system, []).extend(came)
            came = []
        for act in came:
            first.setdefault(act, step.at)
        waiting.update({command.system: command.number for command in step.commands})
    for act in (act for some in held.values() for act in some):
        first.setdefault(act, steps[-1].at)
    return first, released


def _ends_waiting(event: Event | None, system: str, number: int) -> bool:
    """Whether this is what a system's command waited for, or that it is to wait no more."""
    if isinstance(event, Nudged):
        return event.reason == "retry" and event.system in (None, system)
    return isinstance(event, Answered) and (event.system, event.command.rpartition("/")[2]) == (system, str(number))


def _open_items(steps: list[Step]) -> set[tuple[str, str]]:
    """Which (system, field) still waits for a person."""
    last = {verdict.number: verdict for step in steps for verdict in step.verdicts}
    return {(v.incoming.system, v.field) for v in last.values() if v.winner == "parked"}
