"""The rules of one field: an edit is offered, and assigned, made part of the hub's value, parked, or lost on record."""

from streams.merge import oscillation, policies
from streams.merge.combinations import Base, delta
from streams.merge.events import Held
from streams.merge.policies import Claim, Ruling, UndecidedError
from streams.merge.rules import Deciding, Manual, Owner, Sum, Union
from streams.merge.states import NOT_SHOWN, Item
from streams.merge.turns import DECISION, Turn
from streams.merge.values import Row, Value


def offer(turn: Turn, system: str, name: str, value: Value, ts_us: int, seen: int, before: Row | None) -> None:
    """An edit of one field at one system, made on the row `before`, which embodied the version `seen`."""
    entry = turn.system(system)
    field = turn.field(name)
    item = entry.dissent.get(name)
    if item is not None:
        item.candidate, item.ts_us = value, ts_us
        turn.publish(item, item.rule or "manual", "parked")
    elif is_anothers(turn, system, name):
        keep_the_owners(turn, system, name, value, ts_us)
    elif seen == field.version or shows(turn, system, name, before):
        if name in turn.rules.additive:
            _follow(turn, system, name, value, ts_us)
        elif field.by == system or not _is_oscillating(turn, system, name, value, ts_us):
            assign(turn, system, name, value, ts_us)
    elif not _is_counted(turn, name, value) and agrees(turn, system, name, value):
        oscillation.rest(turn, name, field.value)
        turn.see(system, name)
    else:
        _conflict(turn, system, name, value, ts_us)


def shows(turn: Turn, system: str, name: str, row: Row | None) -> bool:
    """Whether a row of this system shows the hub's value of a field, as well as that system can."""
    return turn.rules.sides[system].shows(name, turn.field(name).value, row)


def agrees(turn: Turn, system: str, name: str, value: Value) -> bool:
    """Whether a value is the hub's, by itself or through the lens."""
    state = turn.state
    current = state.fields[name].value
    return value == current or turn.rules.sides[system].shows(name, current, state.systems[system].image)


def assign(turn: Turn, by: str, name: str, value: Value, ts_us: int, won: bool = False) -> None:
    """Make a value the hub's. What follows a value is later than it, whatever its writer's clock says."""
    state = turn.state
    field = state.fields[name]
    state.version += 1
    for entry in state.systems.values():
        entry.behind.setdefault(name, field.version)
    if field.version > 0:
        least_us = field.ts_us if won else field.ts_us + 1
        ts_us = least_us if ts_us < least_us else ts_us
    if state.flips and by == DECISION:
        oscillation.forget(turn, name)
    elif state.flips and by == field.by:
        oscillation.rest(turn, name, value)
    field.value, field.version, field.ts_us, field.by = value, state.version, ts_us, by
    if by != DECISION:
        del state.systems[by].behind[name]
    turn.outcome.golden = True


def adopt(turn: Turn, system: str, name: str, value: Value, ts_us: int, won: bool = False) -> None:
    """Make a value the hub's that the system's own row need not show: where it does not, it will be corrected."""
    assign(turn, system, name, value, ts_us, won)
    correct(turn, system, name)


def outlive(turn: Turn, system: str, name: str, value: Value, ts_us: int) -> None:
    """An edit that brings the record back to life: what it says stands, and what it added to a counter or a list is
    added."""
    if is_anothers(turn, system, name):
        keep_the_owners(turn, system, name, value, ts_us)
    elif name in turn.rules.additive:
        _follow(turn, system, name, value, ts_us, unseen=turn.seen(system, name) != turn.field(name).version)
    else:
        assign(turn, system, name, value, ts_us)


def bring_back(turn: Turn, system: str, name: str, value: Value, ts_us: int) -> None:
    """As `outlive`, of an edit that was parked: its row may be gone, or show something else by now."""
    if system in turn.rules.sides and is_anothers(turn, system, name):
        keep_the_owners(turn, system, name, value, ts_us)
        return
    outlive(turn, system, name, value, ts_us)
    if name not in turn.system(system).dissent:
        correct(turn, system, name)


def is_anothers(turn: Turn, system: str, name: str) -> bool:
    """Whether the field has an owner, with a value, and it is another system."""
    policy = turn.rules.policies[name]
    if not isinstance(policy, Owner) or policy.system == system or policy.system not in turn.rules.rank:
        return False
    return turn.field(name).version > 0


def keep_the_owners(turn: Turn, system: str, name: str, value: Value, ts_us: int) -> None:
    """Another's edit of an owned field: recorded, and corrected back."""
    if agrees(turn, system, name, value):
        turn.see(system, name)
        return
    why = oscillation.insisted(turn, system, name, value) if turn.state.alive else ""
    if why:
        park(turn, system, name, value, ts_us, oscillation.RULE, why)
        return
    turn.record(name, "current", turn.current(name), Held(system, value, ts_us))
    turn.see(system, name, NOT_SHOWN)


def rule(turn: Turn, policy: Deciding, name: str, claim: Claim, base: Base) -> Ruling:
    """What a policy makes of a claim against the hub's value of a field. Raises UndecidedError."""
    field = turn.field(name)
    return policies.rule(policy, claim, Claim(field.value, field.ts_us, field.by), base, turn.rules.rank)


def park(turn: Turn, system: str, name: str, value: Value, ts_us: int, rule_name: str = "", detail: str = "") -> None:
    """Leave an edit to a person: nothing is written over it meanwhile. `rule_name`: what parks it, if not the policy.

    A row with a parked value does not show the hub's, whichever version it embodied before.
    """
    incoming, due_us = Held(system, value, ts_us), 0 if rule_name else due(turn, name)
    number = turn.record(name, "parked", turn.current(name), incoming, detail=detail, rule=rule_name, due_us=due_us)
    entry, base = turn.system(system), turn.base(name)
    bases = {name: base[0]} if base else {}
    entry.dissent[name] = Item(
        number,
        system,
        name,
        ts_us,
        value,
        due_us=due_us,
        bases=bases,
        rule=rule_name,
    )
    if name not in entry.behind:
        turn.see(system, name, NOT_SHOWN)


def due(turn: Turn, name: str) -> int:
    """When an item that is parked now is to be decided by its fallback policy; 0: never."""
    policy = turn.rules.policies[name]
    if not isinstance(policy, Manual) or policy.deadline_us is None or policy.then is None:
        return 0
    return turn.at_us + policy.deadline_us


def correct(turn: Turn, system: str, name: str) -> None:
    """The system's row is behind in this field, unless it shows the hub's value."""
    if system not in turn.rules.sides or not shows(turn, system, name, turn.system(system).image):
        turn.see(system, name, NOT_SHOWN)


def _conflict(turn: Turn, system: str, name: str, value: Value, ts_us: int) -> None:
    """Two values, neither made in sight of the other. The loser's is on record; a losing row stays behind."""
    policy = turn.rules.policies[name]
    if isinstance(policy, Manual):
        park(turn, system, name, value, ts_us)
        return
    try:
        ruling = rule(turn, policy, name, Claim(value, ts_us, system), turn.base(name))
    except UndecidedError as undecided:
        park(turn, system, name, value, ts_us, undecided.rule, undecided.reason)
        return
    if ruling.winner == "incoming" and _is_oscillating(turn, system, name, value, ts_us):
        return
    turn.record(name, ruling.winner, turn.current(name), Held(system, value, ts_us), detail=ruling.detail)
    if ruling.winner == "incoming":
        assign(turn, system, name, value, ts_us, won=True)
    elif ruling.winner == "merged":
        adopt(turn, system, name, ruling.value, ts_us)


def _follow(turn: Turn, system: str, name: str, value: Value, ts_us: int, unseen: bool = False) -> None:
    """An edit of a counter or a list that stands: what it added or took away is what its author meant, and not the
    rest of what the row shows, which may be older, or rounded by a lossy lens."""
    current, policy, base = turn.field(name).value, turn.rules.policies[name], turn.base(name)
    is_whole = base[0] == current if base else not unseen
    if is_whole or not isinstance(policy, Sum | Union):
        assign(turn, system, name, value, ts_us)
        return
    try:
        result = policies.mended(policy, current, value, base)
    except UndecidedError as undecided:
        park(turn, system, name, value, ts_us, undecided.rule, undecided.reason)
        return
    adopt(turn, system, name, value if result is None else result, ts_us)


def _is_counted(turn: Turn, name: str, value: Value) -> bool:
    """Whether the edit adds to a counter: then equal values are no agreement, for both have added."""
    return (
        name in turn.rules.additive
        and isinstance(turn.rules.policies[name], Sum)
        and delta(value, turn.base(name)) is not None
    )


def _is_oscillating(turn: Turn, system: str, name: str, value: Value, ts_us: int) -> bool:
    """Park the edit if it is one rewriting too many."""
    why = oscillation.rewritten(turn, system, name, value)
    if why:
        park(turn, system, name, value, ts_us, oscillation.RULE, why)
    return bool(why)
