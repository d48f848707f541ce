"""One record's log under other rules: what the record would be, had those rules held.

The log holds what people did and what the *true* merge (the one that really ran) had written: commands went out,
rows changed by them, people edited the rows that they then saw. Other rules would have sent other commands; nobody
can know what people would have typed then. What can be known is what these rules make of the edits that were made,
and that is what the *other* merge is: a fold of the same events in the same order, in which

- a row is what the log says, whoever wrote it: the other merge keeps the same images as the true one;
- an edit is offered to both. It is causal where the row it was made on showed the other hub's value, which is what
  "seen" means; where the row showed a value that only the true merge had chosen, it is a conflict;
- a write by the true merge is nobody's edit. Its echo says that the row shows what the command brought: the other
  hub's value, which is then seen, or another one, and then the row is behind (`NOT_SHOWN`: by no version of this
  hub). A write that landed on a value which the other rules had parked leaves the item open, held by no row. What
  the target's own triggers did beside our write is an edit in both;
- nothing is sent. What `plan` would find shown already counts as seen, at the moments at which the true merge
  planned; what it would send is forgotten, and planned once, at the end (`finish`).

None of these needs rules of its own. Before each event the other state is lent the command that the true merge has
out, its versions put in the other hub's terms; then the production merge takes the event. So echoes, results, looks,
failures, rows that answer elsewhere, all go the way they go in production, and with the same rules both merges
choose the same values: this is a property test. While the two states are the same, byte for byte, they are one
(`together`): nothing is translated, and nothing can be lost in translation.

A decision counts where the item it decided is open here too, with the same candidate; an amendment where the field
has the value here that it had there. Those that do not are named (`Orphan`): a person said something about a
situation that the other rules would not have let arise. Amendments of an earlier replay are no one's word: they
carried out other rules then, and are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from streams.merge import planning
from streams.merge.events import Amend, Amended, Decided, Event, Nudged, Planned, Verdict
from streams.merge.merge import begin, take
from streams.merge.rules import Rules
from streams.merge.sides import Side
from streams.merge.states import NOT_SHOWN, Item, Sent, SentUnit, State, SystemState
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE, Value


@dataclass(frozen=True, slots=True)
class Truth:
    """The true merge's state before and after an event; `before` None: it knew nothing of the record."""

    before: State | None
    after: State


@dataclass(frozen=True, slots=True)
class Orphan:
    """What a person said, about something that is not so under the other rules."""

    kind: Literal["decision", "amendment"]
    field: str
    value: Value
    why: str


@dataclass(frozen=True, slots=True)
class Followed:
    """The other state after an event, the verdicts of the other rules, and what found no object.

    `forget`: nothing of the record need be kept any more.
    """

    state: State
    verdicts: tuple[Verdict, ...]
    orphans: tuple[Orphan, ...]
    forget: bool = False


def follow(other: State | None, event: Event | None, truth: Truth, rules: Rules, *, together: bool) -> Followed:
    """Take one event into the other merge. Changes `other`, and nothing of `truth`.

    `event` is as the other rules' lenses read it; None: it is none by these rules. `together` says that `other` has
    been the true state until now.
    """
    turn = begin(other, rules)
    if not together:
        _lend(turn, truth)
    given, orphans = _translated(turn, event, truth)
    if given is not None:
        take(turn, given)
        if isinstance(given, Decided) and turn.outcome.refusal:
            orphans.append(_decision_without_object(turn, given, turn.outcome.refusal))
    _see_what_is_shown(turn, truth)
    _return(turn, truth.after)
    return Followed(turn.state, tuple(turn.outcome.verdicts), tuple(orphans), turn.outcome.forget)


def finish(other: State, rules: Rules, at_us: int) -> tuple[State, tuple[Planned, ...], tuple[Verdict, ...]]:
    """At the end of the log: items that are due by then are decided, and what every system lacks is planned once.

    The commands are those that would be sent; whatever the true merge has out is taken to have been answered.
    """
    turn = begin(other, replace(rules, loading=frozenset()))
    take(turn, Nudged(reason="deadline", at_us=at_us))
    for system in rules.systems:
        turn.system(system).out = None
        planning.plan(turn, system)
        turn.system(system).out = None
    return turn.state, tuple(turn.outcome.commands), tuple(turn.outcome.verdicts)


def _lend(turn: Turn, truth: Truth) -> None:
    """Have out what the true merge has out, so that its answer is known when it comes."""
    for system in turn.rules.systems:
        true, entry = _true_system(truth.before, system), turn.system(system)
        entry.out = None if true.out is None else _sent(turn, truth, system, true.out)
        entry.lost = [_sent(turn, truth, system, sent) for sent in true.lost]


def _sent(turn: Turn, truth: Truth, system: str, sent: Sent) -> Sent:
    return Sent(sent.number, sent.op, [_unit(turn, truth, system, unit) for unit in sent.units])


def _unit(turn: Turn, truth: Truth, system: str, unit: SentUnit) -> SentUnit:
    """A unit of a true command in the other hub's terms: in its columns, and with the versions that it brings."""
    side = turn.rules.sides[system]
    row = None
    if unit.set is not None:
        row = side.image({**(turn.system(system).image or {}), **unit.set})
    versions = {name: _version(turn, truth, side, name, unit, row) for name in _names(turn, side, unit)}
    return SentUnit(_narrowed(side, unit.base), _narrowed(side, unit.set), versions)


def _names(turn: Turn, side: Side, unit: SentUnit) -> list[str]:
    """The fields that a unit brings; where the other rules know none of them, those that live in its columns."""
    known = [name for name in unit.versions if name in turn.rules.field_set]
    if known or unit.set is None:
        return known
    return [name for name in side.writable if unit.set.keys() >= set(side.columns_of[name])]


def _version(turn: Turn, truth: Truth, side: Side, name: str, unit: SentUnit, row: dict[str, Value] | None) -> int:
    field, true = turn.field(name), None if truth.before is None else truth.before.fields.get(name)
    if true is not None and name in unit.versions and true.value == field.value:
        # The same value on both sides: what the true merge knows of its age is true here as well.
        current = unit.versions[name] == true.version
    elif name == EXISTENCE:
        current = (row is not None) == (field.value is not None)
    else:
        current = side.shows(name, field.value, row)
    return field.version if current else NOT_SHOWN


def _narrowed(side: Side, row: dict[str, Value] | None) -> dict[str, Value] | None:
    return None if row is None else {column: value for column, value in row.items() if column in side.column_set}


def _see_what_is_shown(turn: Turn, truth: Truth) -> None:
    """Where the true merge planned: what is shown already is seen. What would be sent is not sent."""
    for system in turn.rules.systems:
        if _answered(truth, system):
            entry = turn.system(system)
            number, entry.out = entry.number, None
            planning.plan(turn, system)
            entry.number, entry.out = number, None
    turn.outcome.commands.clear()


def _answered(truth: Truth, system: str) -> bool:
    """Whether the true merge was free to plan: no command was out, or this event answered it."""
    before, after = _true_system(truth.before, system).out, _true_system(truth.after, system).out
    return before is None or after is None or before.number != after.number


def _return(turn: Turn, after: State) -> None:
    """Give back what was lent: what is out, and how it is numbered, is the true merge's affair; so is the place."""
    turn.state.offset, turn.state.trail = after.offset, list(after.trail)
    for system, entry in turn.state.systems.items():
        true = after.systems.get(system)
        if true is not None:
            entry.out, entry.lost, entry.number = true.out, list(true.lost), true.number


def _true_system(state: State | None, system: str) -> SystemState:
    found = None if state is None else state.systems.get(system)
    return SystemState() if found is None else found


def _translated(turn: Turn, event: Event | None, truth: Truth) -> tuple[Event | None, list[Orphan]]:
    if isinstance(event, Decided):
        return _decided(turn, event, truth)
    if isinstance(event, Amended):
        return _amended(turn, event, truth)
    return event, []


def _decided(turn: Turn, event: Decided, truth: Truth) -> tuple[Decided | None, list[Orphan]]:
    """The decision of the same item here, if the true merge carried it out there."""
    number = event.item.rpartition("/")[2]
    decided = next((item for item in items(truth.before) if str(item.number) == number), None)
    if decided is None or any(str(item.number) == number for item in items(truth.after)):
        return None, []
    alike = [item for item in items(turn.state) if item.field == decided.field and item.shown() == decided.shown()]
    alike.sort(key=lambda item: item.system != decided.system)
    if not alike:
        why = f"{decided.field} of {decided.system} is not parked under these rules"
        return None, [Orphan("decision", decided.field, event.value, why)]
    version = turn.shown_version(decided.field)
    return replace(event, item=str(alike[0].number), candidate=alike[0].shown(), version=version), []


def _decision_without_object(turn: Turn, event: Decided, refusal: str) -> Orphan:
    field = next((item.field for item in items(turn.state) if str(item.number) == event.item), EXISTENCE)
    return Orphan("decision", field, event.value, refusal)


def _amended(turn: Turn, event: Amended, truth: Truth) -> tuple[Amended | None, list[Orphan]]:
    if event.kind == "replay":
        return None, []
    given: list[Amend] = []
    orphans: list[Orphan] = []
    for amend in event.fields:
        name = amend.field
        if name not in turn.rules.field_set:
            continue
        if _value(truth.after, name) != amend.value:
            given.append(replace(amend, version=NOT_SHOWN))
        elif _value(truth.before, name) == _value(turn.state, name):
            given.append(replace(amend, version=turn.shown_version(name)))
        else:
            orphans.append(Orphan("amendment", name, amend.value, f"{name} is otherwise under these rules"))
    return (replace(event, fields=tuple(given)) if given else None), orphans


def _value(state: State | None, name: str) -> Value:
    field = None if state is None else state.fields.get(name)
    return None if field is None else field.value


def items(state: State | None) -> Iterator[Item]:
    """Everything that is parked in a state."""
    if state is not None:
        for entry in state.systems.values():
            yield from entry.dissent.values()
        yield from state.loose.values()
