"""The merge of one record: what it is after an event, and what every system must be told.

One partition of the log gives all events of a record, from all systems, in one order, to one writer. So the hub
needs no vector clocks; it needs to know, when a user edits a row, which of its versions that row embodied. The
sink's own write tells: it leaves an echo in the target's own log, in commit order. Edits after it were made on a
row that showed it, edits before it were not. Nothing is guessed from time or from equal values.

Here is no input or output, no clock, no randomness: the same events give the same states, commands and verdicts,
numbered alike. The state given is changed in place; on an exception it is spoilt, and the caller decodes it anew.
"""

from typing import assert_never

from streams.merge import amendments, answers, decisions, looks, nudges, planning, rows, settling, uncontended
from streams.merge.events import Amended, Answered, Changed, Decided, Event, Looked, Nudged, Outcome
from streams.merge.rules import Rules
from streams.merge.states import State, prepare
from streams.merge.turns import Turn


def merge(state: State | None, event: Event, rules: Rules) -> tuple[State, Outcome]:
    """The state after an event, and what follows from it. `None` is the record of which nothing is known."""
    if state is not None and type(event) is Changed:
        outcome = uncontended.merged(state, event, rules)
        if outcome is not None:
            return state, outcome
    return merge_generally(state, event, rules)


def merge_generally(state: State | None, event: Event, rules: Rules) -> tuple[State, Outcome]:
    """As `merge`, by the rules for all cases."""
    turn = begin(state, rules)
    if take(turn, event):
        plan(turn)
    return turn.state, turn.outcome


def begin(state: State | None, rules: Rules) -> Turn:
    """A turn at a record, with room for every field and system of the rules."""
    state = State() if state is None else state
    if not (state.fields.keys() >= rules.field_set and state.systems.keys() >= rules.rank.keys()):
        prepare(state, rules.fields, rules.systems)
    return Turn(state, rules, Outcome())


def take(turn: Turn, event: Event) -> bool:
    """Merge an event without planning. Returns whether it was news."""
    turn.at_us = event.at_us or (0 if isinstance(event, Nudged) else event.ts_us)
    if not _merged(turn, event):
        return False
    settling.settle(turn)
    return True


def plan(turn: Turn) -> None:
    """Plan for every system, in the order of their rank."""
    for system in turn.rules.systems:
        planning.plan(turn, system)


def _merged(turn: Turn, event: Event) -> bool:
    match event:
        case Changed():
            return _changed(turn, event)
        case Looked() | Answered():
            return _seen(turn, event)
        case Decided():
            return decisions.decide(turn, event)
        case Amended():
            return amendments.amend(turn, event)
        case Nudged():
            return nudges.nudge(turn, event)
        case _:
            assert_never(event)


def _changed(turn: Turn, event: Changed) -> bool:
    if event.system not in turn.rules.sides:
        turn.outcome.repeated = True
        return False
    entry = turn.system(event.system)
    answer = event.command is not None and answers.is_answer(entry, event)
    if answer and rows.answers_elsewhere(turn, event):
        rows.is_news(turn, event)
        answers.missed(turn, event)
    elif not rows.is_news(turn, event):
        turn.outcome.repeated = not turn.outcome.verdicts
        return False
    elif answer:
        answers.acknowledge(turn, event)
    elif event.command is not None and answers.is_ours(entry, event):
        answers.late(turn, event)
    else:
        rows.observe(turn, event)
    return True


def _seen(turn: Turn, event: Looked | Answered) -> bool:
    """What was seen of a row in a system without a log."""
    if event.system not in turn.rules.sides:
        turn.outcome.repeated = True
        return False
    news = looks.looked(turn, event) if isinstance(event, Looked) else looks.answered(turn, event)
    turn.outcome.repeated = not news
    return news
