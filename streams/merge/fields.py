"""The rules of one field: an edit is offered, and assigned, parked, or lost on record."""

from streams.merge.events import Held
from streams.merge.policies import Claim, incoming_wins
from streams.merge.rules import Manual, Owner
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
        turn.publish(item, "manual", "parked")
    elif is_anothers(turn, system, name):
        keep_the_owners(turn, system, name, value, ts_us)
    elif seen == field.version or shows(turn, system, name, before):
        assign(turn, system, name, value, ts_us)
    elif agrees(turn, system, name, value):
        turn.see(system, name)
    else:
        _conflict(turn, system, name, value, ts_us)


def shows(turn: Turn, system: str, name: str, row: Row | None) -> bool:
    """Whether a row of this system shows the hub's value of a field, as well as that system can."""
    return turn.rules.sides[system].shows(name, turn.field(name).value, row)


def agrees(turn: Turn, system: str, name: str, value: Value) -> bool:
    """Whether a value is the hub's, by itself or through the lens."""
    return value == turn.field(name).value or shows(turn, system, name, turn.system(system).image)


def assign(turn: Turn, by: str, name: str, value: Value, ts_us: int, won: bool = False) -> None:
    """Make a value the hub's. What follows a value is later than it, whatever its writer's clock says."""
    state = turn.state
    field = state.fields[name]
    state.version += 1
    for entry in state.systems.values():
        entry.behind.setdefault(name, field.version)
    if field.version > 0:
        ts_us = max(ts_us, field.ts_us if won else field.ts_us + 1)
    field.value, field.version, field.ts_us, field.by = value, state.version, ts_us, by
    if by != DECISION:
        del state.systems[by].behind[name]
    turn.outcome.golden = True


def is_anothers(turn: Turn, system: str, name: str) -> bool:
    policy = turn.rules.policies[name]
    if not isinstance(policy, Owner) or policy.system == system or policy.system not in turn.rules.rank:
        return False
    return turn.field(name).version > 0


def keep_the_owners(turn: Turn, system: str, name: str, value: Value, ts_us: int) -> None:
    if agrees(turn, system, name, value):
        turn.see(system, name)
        return
    turn.record(name, "current", turn.current(name), Held(system, value, ts_us))
    turn.see(system, name, NOT_SHOWN)


def _conflict(turn: Turn, system: str, name: str, value: Value, ts_us: int) -> None:
    """Two values, neither made in sight of the other. The loser's is on record; a losing row stays behind."""
    current, incoming = turn.current(name), Held(system, value, ts_us)
    policy = turn.rules.policies[name]
    if isinstance(policy, Manual):
        number = turn.record(name, "parked", current, incoming)
        turn.system(system).dissent[name] = Item(number, system, name, ts_us, value)
        return
    claims = Claim(value, ts_us, system), Claim(current.value, current.ts_us, current.system)
    wins = incoming_wins(policy, *claims, turn.rules.rank)
    turn.record(name, "incoming" if wins else "current", current, incoming)
    if wins:
        assign(turn, system, name, value, ts_us, won=True)
