"""P4 and P9: no edit is lost, and no deletion undone, without a record of why.

What counts as kept, each with its reason:
- the value is final; or somebody changed or deleted a cell that showed it (they saw it);
- it met another's edit, or the hub, as an equal, and somebody who saw that one replaced it (the same value once more
  is no second edit);
- while the hub had it, an edit of somebody came whose row showed it;
- the record was deleted in a system that is never told of this field: who deletes there has seen all there is;
- it stood, and was gone again, between two looks at a system without a log;
- an operator ended or amended the record while shown this value;
- a record of the hub names it.

A deleted record may live again by a row that was merged after the deletion, if its writer had had a row before, or the
record's log had the deletion when they wrote: then the row was written anew, and not in ignorance. What a look showed
while a command was to be answered is merged with the answer.
"""

from collections.abc import Iterator

from streams.merge.events import Amended, Decided
from tests.simulation.acts import Act
from tests.simulation.cases import Case, names, replaces
from tests.simulation.hubs import Step
from tests.simulation.tokens import Token, atoms, token


def no_edit_lost(case: Case) -> Iterator[str]:
    """P4: every edit is final, or replaced by someone who saw it, or named on record."""
    for act in case.acts:
        if act.kind == "decision":
            continue
        for name, value in act.wrote.items():
            if name in case.fields and atoms(value) and not survives(case, act, name, value):
                yield f"P4: act {act.number} at {act.system}: {name}={value} is lost"


def survives(case: Case, act: Act, name: str, value: Token) -> bool:
    """Whether an edit of one field is kept, or gone for a reason."""
    if not case.final.deleted and token(case.final.values[name]) == value:
        return True
    replaced = case.replaced.get((name, value), ())
    if any(other.number > act.number and other.saw[name].at >= act.at for other in replaced):
        return True
    if replaced and _agreement(case, act, name, value):
        return True
    if _ended_out_of_sight(case, act, name) or case.is_invisible(act, name):
        return True
    later = [step for step in case.held(name, value) if step.at >= act.at]
    if any(replaces(other, name, value) for step in later for other in case.acts_of(step)):
        return True
    return any(_by_an_operator(case, step, name, value) for step in later) or any(
        step.at >= act.at and names(verdict, name, value) for step in case.ruled for verdict in step.verdicts
    )


def _ended_out_of_sight(case: Case, act: Act, name: str) -> bool:
    deletes = (other for other in case.acts if other.kind == "delete" and other.number != act.number)
    return any(name not in case.tables[other.system].lens.writable for other in deletes)


def _agreement(case: Case, act: Act, name: str, value: Token) -> bool:
    since = case.processed.get(act.number, act.at)
    later = (step for step in case.held(name, value) if step.at >= since)
    return any(other.wrote.get(name) == value for step in later for other in case.acts_of(step))


def _by_an_operator(case: Case, step: Step, name: str, value: Token) -> bool:
    if isinstance(step.event, Decided):
        return step.after.deleted and not step.before.deleted
    if not isinstance(step.event, Amended):
        return False
    seen = case.world.operator.amended[step.offset]
    gone = token(step.after.values[name]) != value or (step.after.deleted and not step.before.deleted)
    return gone and token(seen.values[name]) == value


def no_deletion_undone(case: Case) -> Iterator[str]:
    """P9: a deleted record lives again only on record, or by someone who wrote it anew, or had it revived."""
    if case.final.deleted:
        return
    for act in case.acts:
        if act.kind == "delete" and not case.is_invisible(act, None) and not _may_live(case, act):
            yield f"P9: the deletion by act {act.number} at {act.system} was undone"


def _may_live(case: Case, act: Act) -> bool:
    since = case.processed.get(act.number, act.at)
    anew = any(
        other.kind == "insert"
        and case.processed.get(other.number, 0) >= since
        and (other.was_present or case.dead_at(other.at))
        for other in case.acts
    )
    later = [step for step in case.steps if step.at >= since]
    revived = any(isinstance(s.event, Amended) and s.before.deleted and not s.after.deleted for s in later)
    return (
        anew
        or revived
        or any(
            verdict.kind == "existence" and (verdict.current.value is None or verdict.incoming.value is None)
            for step in later
            for verdict in step.verdicts
        )
    )
