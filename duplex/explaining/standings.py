"""Whether each system's row shows a field's present value: how it came to, or why it does not yet."""

from collections.abc import Iterator

from duplex.explaining.deliveries import Deliveries
from duplex.explaining.facts import EventFacts, StandingFacts
from duplex.explaining.steps import Step
from streams.merge.rules import Rules
from streams.merge.states import State, SystemState
from streams.merge.values import EXISTENCE

How = tuple[str, EventFacts]


class Standings:
    """Follows which rows show which values through a record's steps, fed in order, after `Deliveries`."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._since: dict[tuple[str, str], How] = {}
        self._refusals: dict[str, str] = {}

    def feed(self, step: Step) -> None:
        """Take the next step."""
        for verdict in step.outcome.verdicts:
            if verdict.kind == "refused":
                self._refusals[verdict.incoming.system] = verdict.detail
        for system, entry in step.after.systems.items():
            for name, field in step.after.fields.items():
                if not _embodies(entry, name) or field.version == 0:
                    self._since.pop((system, name), None)
                elif _is_new(step, system, name):
                    self._since[system, name] = (self._how(step, system, name), step.facts())

    def _how(self, step: Step, system: str, name: str) -> str:
        if self._deliveries.told(step, system, name):
            return "told"
        field = step.after.fields[name]
        written = step.before is None or field.version != step.before.fields[name].version
        return "wrote" if written and field.by == system else "held"

    def of(self, state: State, rules: Rules, name: str) -> tuple[StandingFacts, ...]:
        """Where a field stands in every system, by the present state; of a deleted record only its existence does."""
        if not state.alive and name != EXISTENCE:
            return ()
        return tuple(self._one(state, rules, system, name) for system in rules.systems if system in state.systems)

    def _one(self, state: State, rules: Rules, system: str, name: str) -> StandingFacts:
        why = next(self._reasons(state, rules, system, name), None)
        if why is not None:
            return StandingFacts(system=system, shows=False, why=why)
        how, since = self._since.get((system, name), (None, None))
        shown = _shown(state, rules, system, name)
        return StandingFacts(system=system, shows=True, how=how, since=since, shown_as=shown)  # type: ignore[arg-type]

    def _reasons(self, state: State, rules: Rules, system: str, name: str) -> Iterator[str]:
        """Why the row does not show the value, the first reason first; nothing where it does."""
        entry, side = state.systems[system], rules.sides[system]
        if name != EXISTENCE and name not in side.columns_of:
            yield f"not mapped: {system} has no column for it"
        if (entry.image is None) == state.alive:
            yield from self._existence(state, rules, system)
        elif name != EXISTENCE and name in entry.behind:
            yield from self._behind(state, rules, system, name)

    def _existence(self, state: State, rules: Rules, system: str) -> Iterator[str]:
        """The row is there and should not be, or the other way round."""
        entry = state.systems[system]
        gone = "has no row yet" if state.alive else "still has its row"
        if (item := entry.dissent.get(EXISTENCE)) is not None:
            yield f"{gone}: item {item.number} waits for a decision"
        if not rules.sides[system].writable:
            yield f"{gone}: the project file has nothing written to {system}"
        yield from self._held_up(state, rules, system, EXISTENCE, gone)
        missing = [field for field in rules.required if state.fields[field].value is None]
        if state.alive and missing:
            yield f"{gone}: the record lacks {', '.join(missing)}, without which none is created"
        if not state.alive and rules.ignores_deletes(system):
            yield f"{gone}: by the project file {system} keeps its rows when a record is deleted elsewhere"
        yield f"{gone}: nothing is planned"

    def _behind(self, state: State, rules: Rules, system: str, name: str) -> Iterator[str]:
        entry = state.systems[system]
        if (item := entry.dissent.get(name)) is not None:
            yield f"parked: its own value waits for a decision (item {item.number})"
        if (item := entry.dissent.get(EXISTENCE)) is not None:
            yield f"told nothing: item {item.number}, about the record's existence, waits for a decision"
        if name not in rules.sides[system].told_by:
            yield f"not told: the mapping of {system} only reads it"
        yield from self._held_up(state, rules, system, name, "behind")
        yield "behind: nothing is planned"

    def _held_up(self, state: State, rules: Rules, system: str, name: str, state_is: str) -> Iterator[str]:
        entry = state.systems[system]
        if system in rules.loading:
            yield f"{state_is}: the initial load of {system} has not ended, and before that it is told nothing"
        if entry.out is not None:
            carries = any(name in unit.versions for unit in entry.out.units)
            yield f"{state_is}: {self._open_command(system, entry, carries)}"
        if entry.refused.get(name) == state.fields[name].version:
            reason = self._refusals.get(system, "")
            yield f"refused by {system}{': ' + reason if reason else ''}; sent again once the value or the row changes"

    def _open_command(self, system: str, entry: SystemState, carries: bool) -> str:
        assert entry.out is not None
        found = self._deliveries.waiting(system, entry.out.number)
        called = f"command {entry.out.number}" if found is None else f"command {found[0]} (decided at {found[1]})"
        return f"{called} {'carries it and ' if carries else 'goes first and '}has no answer yet"


def _embodies(entry: SystemState, name: str) -> bool:
    return name not in entry.behind


def _is_new(step: Step, system: str, name: str) -> bool:
    """Whether the row came to embody the present value by this step."""
    if step.before is None or system not in step.before.systems or name not in step.before.fields:
        return True
    changed = step.before.fields[name].version != step.after.fields[name].version
    return changed or not _embodies(step.before.systems[system], name)


def _shown(state: State, rules: Rules, system: str, name: str) -> object:
    """The value as the row has it, where that is another than the record's."""
    side, image = rules.sides[system], state.systems[system].image
    if name == EXISTENCE or image is None or name not in side.readable:
        return None
    shown = side.values(image).get(name)
    return None if shown == state.fields[name].value else shown
