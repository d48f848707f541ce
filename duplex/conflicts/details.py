"""One conflict with all that a person needs to decide it: both sides, the rows, its history, and what each choice does.

What a choice does is found by the merge itself: the decision is merged into a copy of the record's state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from duplex.conflicts import deciding, live, views
from duplex.conflicts.book import Entry
from duplex.conflicts.deciding import Choice, Seen, Signed
from duplex.conflicts.views import ConflictShown
from schemas.messages import Conflict, Decision
from schemas.project.model import Project
from streams.merge import states
from streams.merge.events import Decided
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.merge.states import State, SystemState
from streams.merge.values import EXISTENCE

NOBODY = Signed("", "", 0)


class NowShown(msgspec.Struct, frozen=True):
    """A value as it is now: the hub's with its version, or the parked one."""

    system: str
    value: Any
    ts_us: int
    version: int | None = None


class RowShown(msgspec.Struct, frozen=True):
    """What one system's row shows of the field, and how that stands to the record: `shows it`, `parked`, `behind`,
    `refused`, `no row`, or `not mapped`. `command` is the number of the command that is on its way there."""

    system: str
    local_id: str | None
    value: Any
    standing: str
    command: int | None = None


class StepShown(msgspec.Struct, frozen=True):
    """One message about the conflict: when, by which rule, how it stood then. `by` and `reason`: of a decision."""

    at_us: int
    rule: str
    winner: str
    current: Any
    incoming: Any
    detail: str
    by: str = ""
    reason: str = ""


class OptionShown(msgspec.Struct, frozen=True):
    """A choice: its options on the command line, the value it leads to, and the systems that are told of it at once,
    or later, once they have answered the command that is on its way. `refusal`: why it is not possible now."""

    choice: str
    value: Any
    told: tuple[str, ...]
    later: tuple[str, ...]
    refusal: str = ""


class Detail(msgspec.Struct, frozen=True):
    """Everything about one conflict. `now`, `parked`, `rows` and `options` are there for one that is open."""

    conflict: ConflictShown
    now: NowShown | None
    parked: NowShown | None
    rows: tuple[RowShown, ...]
    history: tuple[StepShown, ...]
    options: tuple[OptionShown, ...]
    shown: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What was found out about a conflict: its messages, who decided it, and the record's state if there is one."""

    entry: Entry
    short: str
    past: Sequence[Conflict]
    decided: Decision | None
    state: State | None
    name: str | None


def detail(project: Project, rules: Rules, known: Known) -> Detail:
    """All of it, for a person or as data."""
    number = known.entry.id.rpartition("/")[2]
    state = known.state
    now = live.standing(state, rules, int(number)) if number.isdigit() else None
    seen = None if now is None else deciding.seen_now(now)
    return Detail(
        conflict=views.shown(known.entry, known.short, known.name),
        now=None if now is None else NowShown(now.by, _opened(now.current), now.ts_us, now.version),
        parked=None if now is None else NowShown(now.system, _opened(now.candidate), now.since_us),
        rows=() if state is None else tuple(_rows(rules, state, known.entry.last.field)),
        history=tuple(_steps(known)),
        options=() if state is None or seen is None else tuple(_options(project, rules, known.entry, state, seen)),
        shown=None if seen is None else seen.token,
    )


def _opened(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _rows(rules: Rules, state: State, name: str) -> list[RowShown]:
    return [_row(rules, state.systems[system], system, name) for system in rules.systems if system in state.systems]


def _row(rules: Rules, entry: SystemState, system: str, name: str) -> RowShown:
    command = None if entry.out is None else entry.out.number
    if name == EXISTENCE:
        standing = "parked" if name in entry.dissent else "there" if entry.image is not None else "no row"
        return RowShown(system, entry.local_id, entry.image is not None, standing, command)
    if entry.image is None:
        return RowShown(system, entry.local_id, None, "no row", command)
    side = rules.sides[system]
    if name not in side.columns_of:
        return RowShown(system, entry.local_id, None, "not mapped", command)
    return RowShown(system, entry.local_id, side.values(entry.image).get(name), _standing(entry, name), command)


def _standing(entry: SystemState, name: str) -> str:
    if name in entry.dissent:
        return "parked"
    if name in entry.refused:
        return "refused"
    return "behind" if name in entry.behind else "shows it"


def _steps(known: Known) -> list[StepShown]:
    steps = []
    for place, conflict in enumerate(known.past):
        decided = known.decided if place == len(known.past) - 1 else None
        steps.append(
            StepShown(
                at_us=conflict.ts_us,
                rule=conflict.rule,
                winner=conflict.winner,
                current=_opened(conflict.current.value),
                incoming=_opened(conflict.incoming.value),
                detail=conflict.detail,
                by="" if decided is None else decided.decided_by,
                reason="" if decided is None else decided.reason,
            )
        )
    return steps


def _options(project: Project, rules: Rules, entry: Entry, state: State, seen: Seen) -> list[OptionShown]:
    return [_option(project, rules, entry, state, choice, seen) for choice in _choices(entry)]


def _choices(entry: Entry) -> list[Choice]:
    if entry.last.field == EXISTENCE:
        return [Choice(keep=True), Choice(delete=True)]
    incoming, current = entry.last.incoming.system, entry.last.current.system
    named = incoming != current and current not in ("", "$decision")
    return [Choice(take=current if named else "current"), Choice(take=incoming if named else "incoming")]


def _option(project: Project, rules: Rules, entry: Entry, state: State, choice: Choice, seen: Seen) -> OptionShown:
    made = deciding.decision(project, entry, choice, seen, NOBODY)
    told, later, refusal = consequences(rules, state, made, entry.last.field)
    return OptionShown(choice.words(), _opened(made.value), told, later, refusal)


def consequences(rules: Rules, state: State, made: Decision, name: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """The systems that a decision about a field sends a command to, those that must answer one first, and why the
    merge would refuse it ("" if it would not). The state is left as it is."""
    copy, outcome = merge(states.decode(states.encode(state)), decided(made), rules)
    told = tuple(command.system for command in outcome.commands)
    later = tuple(system for system in rules.systems if system not in told and _waits(copy.systems[system], name))
    return told, later, outcome.refusal


def _waits(entry: SystemState, name: str) -> bool:
    """Whether a system lacks this, and cannot be told before it has answered the command that is out."""
    return entry.out is not None and (bool(entry.behind) if name == EXISTENCE else name in entry.behind)


def decided(made: Decision) -> Decided:
    """A decision as the merge takes it."""
    return Decided(
        item=made.item,
        candidate=_frozen(made.candidate),
        version=made.version,
        value=_frozen(made.value),
        ts_us=made.ts_us,
    )


def _frozen(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text, type=states.Stored)
