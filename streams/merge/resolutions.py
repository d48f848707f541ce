"""Parked items that a policy decides after all: those past their deadline, and those under new rules."""

from streams.merge import existence, fields, oscillation
from streams.merge.events import Held
from streams.merge.policies import Claim, UndecidedError
from streams.merge.rules import Deciding, Manual, policy_name
from streams.merge.states import Item
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE, Value


def decide_due(turn: Turn) -> bool:
    """Decide the field items whose time has come by their fallback policies. Returns whether there were any."""
    items = [item for item in existence.parked(turn) if 0 < item.due_us <= turn.at_us]
    for item in items:
        policy = turn.rules.policies.get(item.field)
        if isinstance(policy, Manual) and policy.then is not None:
            _decide_field(turn, item, policy.then, f"deadline:{policy_name(policy.then)}")
    return bool(items)


def decide_by_rules(turn: Turn) -> None:
    """Decide every open item that the rules leave to a person no longer. Deletes held by the brake stay held.

    What stays with a person gets, or loses, the deadline that the rules now set.
    """
    for item in existence.parked(turn):
        policy = turn.rules.policies.get(item.field)
        if isinstance(policy, Manual):
            _set_deadline(turn, item)
        elif policy is not None:
            _decide_field(turn, item, policy, f"rules:{policy_name(policy)}")
    if turn.rules.existence == "manual":
        return
    for item in existence.parked(turn):
        if item.field == EXISTENCE and is_open(turn, item) and not _is_braked(turn, item):
            _decide_existence(turn, item, turn.rules.existence == "update_wins")


def is_open(turn: Turn, item: Item) -> bool:
    """Whether an item still waits: deciding one may end others."""
    return any(item is other for other in existence.parked(turn))


def remove(turn: Turn, item: Item) -> None:
    """Take an item away from where it is kept."""
    turn.state.loose.pop(item.number, None)
    for entry in turn.state.systems.values():
        if entry.dissent.get(item.field) is item:
            del entry.dissent[item.field]


def _set_deadline(turn: Turn, item: Item) -> None:
    due_us = fields.due(turn, item.field)
    if not item.rule and bool(due_us) != bool(item.due_us):
        item.due_us = due_us
        turn.publish(item, "manual", "parked")


def _decide_field(turn: Turn, item: Item, policy: Deciding, rule: str) -> None:
    """A conflict of the item, as old as it is, with the hub's value. What no policy can decide stays parked."""
    name, base = item.field, (item.bases[item.field],) if item.field in item.bases else ()
    try:
        ruling = fields.rule(turn, policy, name, Claim(item.candidate, item.ts_us, item.system), base)
    except UndecidedError as undecided:
        if item.due_us or item.rule != undecided.rule:
            item.due_us, item.rule = 0, undecided.rule
            turn.publish(item, undecided.rule, "parked", undecided.reason)
        return
    remove(turn, item)
    turn.publish(item, rule, ruling.winner, ruling.detail)
    oscillation.forget(turn, name)
    if ruling.winner != "current":
        fields.adopt(turn, item.system, name, ruling.value, item.ts_us, won=ruling.winner == "incoming")


def _decide_existence(turn: Turn, item: Item, lives: bool) -> None:
    """A parked delete against the record, or parked edits against a tombstone, as if they came now."""
    is_delete, rule = existence.is_delete(item), f"rules:{turn.rules.existence}"
    missed = _missed(turn, item) if is_delete else []
    remove(turn, item)
    if is_delete:
        held = Held(turn.field(EXISTENCE).by, tuple(missed) or True, turn.field(EXISTENCE).ts_us)
        turn.publish(item, rule, "current" if lives else "incoming", existence.not_seen(missed), held)
        if not lives:
            existence.bury(turn, item.system, item.system, item.ts_us)
        return
    turn.publish(item, rule, "incoming" if lives else "current")
    if lives:
        turn.bases = item.bases
        for name, value in (item.edits or {}).items():
            if name in turn.rules.policies:
                fields.bring_back(turn, item.system, name, value, item.ts_us)
        existence.revive(turn, item.system, item.ts_us)


def _missed(turn: Turn, item: Item) -> list[tuple[str, Value]]:
    """What the user who deleted the row has not seen of the record as it is now.

    Of a delete that no absent row stands for any more that is not known: then everything is named.
    """
    if item.number in turn.state.loose:
        return [(name, turn.field(name).value) for name in turn.rules.fields]
    return existence.unseen(turn, item.system)


def _is_braked(turn: Turn, item: Item) -> bool:
    return existence.is_delete(item) and (item.rule == existence.BRAKE or item.system in turn.rules.braking)
