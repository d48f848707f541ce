"""P11, P12, the brake, amendments and forgetting: what the hub may put on record, and what it may do unasked.

P11 excuses an owner's field (others' edits are corrected, whatever they saw), an edit of a deleted record, the guard
against rewriting (which must be able to name the earlier rewritings), and an event that brought several edits at once.
"""

from collections.abc import Iterator

from streams.merge.events import Amended, Changed, Decided, Looked, Verdict
from streams.merge.rules import Owner
from streams.merge.values import EXISTENCE
from tests.simulation.acts import Act
from tests.simulation.cases import Case
from tests.simulation.hubs import Step
from tests.simulation.tokens import Token, atoms, token


def no_needless_conflict(case: Case) -> Iterator[str]:
    """P11: nobody's edit is a conflict when the row it was made on showed the hub value."""
    parked: set[int] = set()
    for step in case.steps:
        for verdict in step.verdicts:
            new = verdict.number not in parked
            if verdict.winner == "parked":
                parked.add(verdict.number)
            if (
                new
                and len(step.input.acts) == 1
                and verdict.kind == "value"
                and isinstance(step.event, Changed | Looked)
            ):
                yield from _judge_need(case, step, case.acts[step.input.acts[0]], verdict)


def _judge_need(case: Case, step: Step, act: Act, verdict: Verdict) -> Iterator[str]:
    name = verdict.field
    if verdict.incoming.system != act.system or act.saw_row is None or step.before.deleted:
        return
    is_owned = isinstance(step.rules.policies[name], Owner) and verdict.rule == "owner"
    if is_owned or name not in act.wrote:
        return
    if verdict.rule == "oscillation":
        if not _is_rewritten(case, step, act, name):
            yield f"P11: offset {step.offset}: act {act.number} on {name} is no rewriting"
    elif step.rules.sides[act.system].shows(name, step.before.values[name], act.saw_row):
        yield f"P11: offset {step.offset}: act {act.number} on {name} saw the hub value"


def _is_rewritten(case: Case, step: Step, act: Act, name: str) -> bool:
    """Whether systems gave values of theirs again as often as the guard must have counted, and this one its half.

    Counted is what the record's log has up to here, whenever it was done.
    """
    heard = (other for earlier in case.steps[: step.offset + 1] for other in case.acts_of(earlier))
    again = {other.number: other.system for other in heard if _gives_again(case, other, name)}
    own = sum(system == act.system for system in again.values())
    return 2 * own >= step.rules.guard.flips and len(again) >= step.rules.guard.flips


def _gives_again(case: Case, act: Act, name: str) -> bool:
    """Whether a system writes what it wrote before."""
    earlier = (other for other in case.acts[: act.number] if other.system == act.system)
    return name in act.wrote and any(other.wrote.get(name) == act.wrote[name] for other in earlier)


def conflicts_are_about_edits(case: Case) -> Iterator[str]:
    """P11: what goes on record as somebody's edit was written by somebody there, and not by us."""
    written = {(act.system, name, value) for act in case.acts for name, value in act.wrote.items()}
    for step in case.steps:
        for verdict in step.verdicts:
            side = verdict.incoming
            is_edit = verdict.kind == "value" and verdict.rule != "late" and side.system in case.tables
            if (
                is_edit
                and verdict.field in case.fields
                and (side.system, verdict.field, token(side.value)) not in written
            ):
                yield f"P11: offset {step.offset}: nobody at {side.system} wrote {verdict.field}={side.value!r}"


def edits_keep_their_clock(case: Case) -> Iterator[str]:
    """P12: what goes on record as an edit of a system is as old as one of that system's edits, whenever judged."""
    known = {(name, 0) for name in case.tables}
    for step in case.steps:
        if isinstance(step.event, Changed):
            known.add((step.event.system, step.event.ts_us))
        for verdict in step.verdicts:
            side = verdict.incoming
            judged = verdict.kind != "refused" and side.system in case.tables and side.system not in case.world.remotes
            if judged and (side.system, side.ts_us) not in known:
                yield f"P12: offset {step.offset}: {verdict.field} of {side.system} has a clock that no edit there had"


def newest_not_behind(case: Case) -> Iterator[str]:
    """P12: where the newest wins, a winner is not older than what the loser was made from."""
    for step in case.steps:
        for verdict in step.verdicts:
            if verdict.rule.rpartition(":")[2] == "newest" and verdict.winner == "incoming":
                yield from _judge_age(case, step, verdict)


def _judge_age(case: Case, step: Step, verdict: Verdict) -> Iterator[str]:
    for ancestor in _ancestry(case, verdict.field, token(verdict.current.value)):
        if case.merged_ts_us(ancestor) > verdict.incoming.ts_us:
            yield (
                f"P12: offset {step.offset}: {verdict.field}={verdict.incoming.value!r} wins, "
                f"older than act {ancestor.number}, from which the loser was made"
            )


def _ancestry(case: Case, name: str, value: Token) -> Iterator[Act]:
    """The act that wrote a value, and those it was made from; empty as soon as it cannot be told.

    An amendment gives a value anew, with a clock of its own: what its first writer saw is then no ancestor.
    """
    seen: set[int] = set()
    events = [step.event for step in case.steps if isinstance(step.event, Amended)]
    anew = {token(amend.value) for event in events for amend in event.fields if amend.field == name}
    while atoms(value):
        writers = [act for act in case.acts if act.wrote.get(name) == value]
        if value in anew or len(writers) != 1 or writers[0].number in seen or writers[0].kind == "decision":
            return
        seen.add(writers[0].number)
        yield writers[0]
        parent = writers[0].saw.get(name)
        value = None if parent is None else parent.token


def braked_deletes_wait(case: Case) -> Iterator[str]:
    """While a system's deletes are held, none of them ends a record; that takes an operator."""
    for step in case.steps:
        ended = step.after.deleted and not step.before.deleted and isinstance(step.event, Changed)
        if ended and any(act.kind == "delete" and act.system in step.rules.braking for act in case.acts_of(step)):
            yield f"BRAKE: the held delete at offset {step.offset} ended the record"


def amendments_overwrite_nothing(case: Case) -> Iterator[str]:
    """An amendment changes only what its author saw as it is; it is carried out then, and on record otherwise."""
    for step in case.steps:
        if isinstance(step.event, Amended) and not step.refusal:
            for amend in step.event.fields:
                if amend.field != EXISTENCE:
                    yield from _judge_amended(case, step, amend.field)
                else:
                    yield from _judge_ended(case, step, amend.value is None)


def _judge_amended(case: Case, step: Step, name: str) -> Iterator[str]:
    assert isinstance(step.event, Amended)
    wanted = next(amend.value for amend in step.event.fields if amend.field == name)
    seen, before, after = (
        golden.values[name] for golden in (case.world.operator.amended[step.offset], step.before, step.after)
    )
    if before not in (seen, after):
        yield f"AMEND: offset {step.offset} wrote {name}={after!r} over {before!r}, which its author had not seen"
    if after == wanted:
        return
    if not any(verdict.field == name and verdict.incoming.value == wanted for verdict in step.verdicts):
        yield f"AMEND: offset {step.offset}: {name}={wanted!r} came to nothing, without a record"
    if _untouched(case, step, name):
        yield f"AMEND: offset {step.offset}: {name} was as its author saw it, and was not amended"


def _untouched(case: Case, step: Step, name: str) -> bool:
    """Whether the record was the very one that was drafted upon, in this field, ever since."""
    seen = case.world.operator.amended[step.offset]
    return step.before.provenance[name] == seen.provenance[name] and step.before.values[name] == seen.values[name]


def _judge_ended(case: Case, step: Step, ends: bool) -> Iterator[str]:
    seen = case.world.operator.amended[step.offset]
    if ends and step.after.deleted and not step.before.deleted and seen.values != step.before.values:
        yield f"AMEND: offset {step.offset} ended a record that its author had not seen so"


def stale_decisions_change_nothing(case: Case) -> Iterator[str]:
    """A decision that is refused leaves the record as it was."""
    for step in case.steps:
        if step.refusal and (step.before != step.after or step.commands or step.verdicts):
            yield f"REFUSED: offset {step.offset} was refused, and did something: {step.refusal}"
        if isinstance(step.event, Decided) and not step.refusal and not step.verdicts:
            yield f"DECIDED: offset {step.offset} was carried out without a record"


def forgotten_only_when_over(case: Case) -> Iterator[str]:
    """Nothing of a record is given up while it lives, or while anything of it waits for a person."""
    for step in case.steps:
        if step.forget and not step.after.deleted:
            yield f"FORGET: offset {step.offset} forgets a living record"
