"""P10: what waits for a person leaves only by that person, by agreement, or by someone who saw it; and what else is
promised of items: deadlines, new rules, the brake.

An item's number is the number of the verdict that parked it: that much of the hub's records is public. An agreement is
judged by the value that stood then: by the end of the event a deadline may have had another item of the field its way,
which then says what it replaced.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streams.merge.events import Amended, Answered, Decided, Looked, Nudged, Planned, Verdict
from streams.merge.rules import Manual
from streams.merge.values import EXISTENCE
from tests.simulation.cases import Case
from tests.simulation.hubs import Step
from tests.simulation.tokens import Token, token


@dataclass(slots=True)
class Waiting:
    """An item: how it was parked last, and when it is due, by the rules that held when it was parked first."""

    verdict: Verdict
    due_us: int | None


def parked_items_left_rightly(case: Case) -> Iterator[str]:
    """P10, item by item, command by command."""
    parked: dict[int, Waiting] = {}
    for step in case.steps:
        for verdict in step.verdicts:
            if verdict.winner == "parked":
                due_us = parked[verdict.number].due_us if verdict.number in parked else _due_us(step, verdict)
                parked[verdict.number] = Waiting(verdict, due_us)
            elif verdict.number in parked:
                yield from _judge_leaving(case, step, parked.pop(verdict.number), verdict)
        yield from _judge_commands(case, step, parked)
        yield from _judge_dead(step, parked)
        yield from _judge_overdue(step, parked)
        yield from _judge_resolved(step, parked)


def _due_us(step: Step, verdict: Verdict) -> int | None:
    policy = step.rules.policies.get(verdict.field)
    if not isinstance(policy, Manual) or policy.deadline_us is None or verdict.rule == "oscillation":
        return None
    return getattr(step.event, "at_us", 0) + policy.deadline_us


def _judge_leaving(case: Case, step: Step, item: Waiting, end: Verdict) -> Iterator[str]:
    fine: dict[str, Callable[[], bool]] = {
        "decision": lambda: _was_shown(case, step, item.verdict),
        "agreement": lambda: _agreed(step, item.verdict, end),
        "withdrawn": lambda: _is_by_its_system(step, item.verdict),
        "deleted": lambda: _has_died(case, step) and not _is_kept(step, item.verdict),
        "revived": lambda: _has_lived(case, step),
        "deadline": lambda: item.due_us is not None and getattr(step.event, "at_us", 0) >= item.due_us,
        "rules": lambda: isinstance(step.event, Nudged) and step.event.reason == "rules",
    }
    rule = end.rule.partition(":")[0]
    if rule not in fine or not fine[rule]():
        number, name = item.verdict.number, item.verdict.field
        yield f"P10: item {number} ({name}) left at offset {step.offset} by {end.rule}"


def _was_shown(case: Case, step: Step, item: Verdict) -> bool:
    event, look = step.event, case.world.operator.decided.get(step.offset)
    if not isinstance(event, Decided) or look is None or event.item != str(item.number):
        return False
    names = case.world.profile.fields if item.field == EXISTENCE else (item.field,)
    same = all(look.golden.values[name] == step.before.values[name] for name in names)
    return same and look.golden.deleted == step.before.deleted and event.candidate == item.incoming.value


def _agreed(step: Step, item: Verdict, end: Verdict) -> bool:
    """Whether the record had the item's value then: at the end of the event, or until a deadline passed with it."""
    if item.field == EXISTENCE:
        return False
    since = step.verdicts[step.verdicts.index(end) :]
    rulings = (v.current.value for v in since if v.field == item.field and v.rule.startswith("deadline:"))
    return token(item.incoming.value) == token(next(rulings, step.after.values[item.field]))


def _is_by_its_system(step: Step, item: Verdict) -> bool:
    """Whether a user of the item's system acted. Looks that were held come with the answer they waited for."""
    held = isinstance(step.event, Looked) or _brings_looks(step)
    return getattr(step.event, "system", None) in (item.incoming.system, None) and (bool(step.input.acts) or held)


def _brings_looks(step: Step) -> bool:
    """Whether looks are merged that were held until now."""
    return isinstance(step.event, Answered) or (isinstance(step.event, Nudged) and step.event.reason == "retry")


def _has_died(case: Case, step: Step) -> bool:
    """Whether the record is gone, or was for a while: with an answer, or when it is given up, come the looks that were
    held, and of what they showed one user's delete may end the record, and the next one's row bring it back, in this
    one event."""
    ended = _brings_looks(step) and any(act.kind == "delete" for act in case.acts_of(step))
    return step.after.deleted or (ended and step.before.existence != step.after.existence)


def _has_lived(case: Case, step: Step) -> bool:
    """Whether the record lives, or did for a while, within one event as above: a row that came back, and went again."""
    came = _brings_looks(step) and any(act.kind == "insert" for act in case.acts_of(step))
    return not step.after.deleted or (came and step.before.existence != step.after.existence)


def _is_kept(step: Step, item: Verdict) -> bool:
    """Whether an operator ended the record over parked edits. (A parked delete has no value: it may go.)"""
    return isinstance(step.event, Decided | Amended) and item.incoming.value is not None


def _judge_commands(case: Case, step: Step, parked: dict[int, Waiting]) -> Iterator[str]:
    """No command writes over what a row shows and a person has yet to decide."""
    if not parked or not step.commands:
        return
    held: dict[tuple[str, str], Token] = {
        (item.verdict.incoming.system, item.verdict.field): token(item.verdict.incoming.value)
        for item in parked.values()
        if item.verdict.number not in step.loose or not _was_turned_back(case, item.verdict)
    }
    for command in step.commands:
        if (command.system, EXISTENCE) in held:
            yield f"P10: offset {step.offset} tells {command.system}, whose existence is parked"
        for name in _written_over(case, command, held):
            yield f"P10: offset {step.offset} writes over {name}, parked at {command.system}"


def _was_turned_back(case: Case, item: Verdict) -> bool:
    """Whether a user of its system replaced what is parked, so that no row need show it any more."""
    here = (act for act in case.acts if act.system == item.incoming.system and item.field in act.saw)
    return item.field == EXISTENCE or any(
        act.saw[item.field].token == token(item.incoming.value) and (item.field in act.wrote or act.kind == "delete")
        for act in here
    )


def _judge_dead(step: Step, parked: dict[int, Waiting]) -> Iterator[str]:
    """With the record ends what was parked on it. Edits of its tombstone, in the same event, come after its end."""
    if step.after.deleted and not step.before.deleted:
        for item in parked.values():
            if item.verdict in step.verdicts and item.verdict.incoming.value is not None:
                continue
            yield f"P10: item {item.verdict.number} ({item.verdict.field}) outlives the record at offset {step.offset}"


def _written_over(case: Case, command: Planned, held: dict[tuple[str, str], Token]) -> Iterator[str]:
    lens = case.tables[command.system].lens
    names = [name for name in case.world.profile.fields if (command.system, name) in held]
    for unit in command.units if names else ():
        if unit.base is None or unit.set is None:
            continue
        then, now = lens.get(unit.base), lens.get(unit.set)
        for name in names:
            if name in then and then[name] != now.get(name) and token(then[name]) == held[command.system, name]:
                yield name


def _judge_overdue(step: Step, parked: dict[int, Waiting]) -> Iterator[str]:
    """After a nudge for deadlines nothing is open that was due."""
    if isinstance(step.event, Nudged) and step.event.reason == "deadline":
        for item in parked.values():
            if item.due_us is not None and item.due_us <= step.event.at_us:
                yield f"DEADLINE: item {item.verdict.number} ({item.verdict.field}) is open past its deadline"


def _judge_resolved(step: Step, parked: dict[int, Waiting]) -> Iterator[str]:
    """After a nudge for new rules nothing is open that they leave to a person no longer."""
    if not isinstance(step.event, Nudged) or step.event.reason != "rules":
        return
    for item in parked.values():
        name = item.verdict.field
        if name == EXISTENCE:
            left = step.rules.existence == "manual" or item.verdict.rule == "brake"
        else:
            left = isinstance(step.rules.policies[name], Manual) or item.verdict.rule == "function"
        if not left:
            yield f"RULES: item {item.verdict.number} ({name}) is open, though no person is asked any more"
