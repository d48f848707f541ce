"""The rules of a row: it changed, came, or went; and of the record: it dies, and lives again.

Existence is a field like the others ("$"), except that a delete meets edits and not another value.
"""

from collections.abc import Mapping

from streams.merge import fields
from streams.merge.events import Held
from streams.merge.states import NOT_SHOWN, Item
from streams.merge.turns import Turn, Winner
from streams.merge.values import EXISTENCE, Row, Value

BRAKE = "brake"


def updated(turn: Turn, system: str, changed: Mapping[str, Value], ts_us: int, before: Row | None) -> None:
    """These fields of a row were edited, on the row `before`."""
    if not changed:
        return
    if turn.state.alive:
        for name, value in changed.items():
            fields.offer(turn, system, name, value, ts_us, turn.seen(system, name), before)
    elif turn.rules.existence == "update_wins":
        _outlive(turn, system, changed, ts_us)
    else:
        _edit_the_dead(turn, system, changed, ts_us)


def inserted(turn: Turn, system: str, values: Mapping[str, Value], ts_us: int) -> None:
    """A row came where there was none."""
    entry = turn.system(system)
    withdrawn = entry.dissent.pop(EXISTENCE, None)
    if withdrawn is not None:
        turn.publish(withdrawn, "withdrawn", "current")
    _forget_what_is_absent(turn, system, values)
    if turn.state.alive:
        turn.see(system, EXISTENCE)
        updated(turn, system, values, ts_us, None)
    elif EXISTENCE not in entry.behind:
        for name, value in values.items():
            fields.assign(turn, system, name, value, ts_us)
        revive(turn, system, ts_us)
    else:
        updated(turn, system, values, ts_us, None)


def deleted(turn: Turn, system: str, ts_us: int) -> None:
    """A row went: its user saw it, and what was parked on it."""
    entry = turn.system(system)
    for item in entry.dissent.values():
        turn.publish(item, "withdrawn", "current")
    entry.dissent.clear()
    if not turn.state.alive:
        see_all(turn, system)
        return
    missed = unseen(turn, system)
    if missed or EXISTENCE in entry.behind:
        _delete_against_edits(turn, system, missed, ts_us)
    elif system in turn.rules.braking:
        _park_delete(turn, system, True, ts_us, BRAKE, f"deletes from {system} are held for approval")
    else:
        bury(turn, system, system, ts_us)


def bury(turn: Turn, by: str, system: str | None, ts_us: int) -> None:
    """The record ends, and with it whatever is parked on it. `system` is the one whose row went first, if one did."""
    fields.assign(turn, by, EXISTENCE, None, ts_us)
    for entry in turn.state.systems.values():
        for item in entry.dissent.values():
            turn.publish(item, "deleted", "current", "the record was deleted")
        entry.dissent.clear()
    for item in turn.state.loose.values():
        turn.publish(item, "deleted", "current", "the record was deleted")
    turn.state.loose.clear()
    if system is not None and turn.system(system).image is None:
        see_all(turn, system)


def revive(turn: Turn, by: str, ts_us: int) -> None:
    """The record lives (again). Edits parked against its tombstone are offered, as old as they are."""
    fields.assign(turn, by, EXISTENCE, True, ts_us)
    for item in [item for item in turn.state.loose.values() if item.edits is not None]:
        del turn.state.loose[item.number]
        _loosen_each(turn, item)
    for system in turn.rules.systems:
        patch = turn.system(system).dissent.pop(EXISTENCE, None)
        if patch is not None:
            _offer_again(turn, system, patch)


def see_all(turn: Turn, system: str) -> None:
    """The system's row, or its absence, embodies everything the hub has."""
    turn.system(system).behind.clear()


def _outlive(turn: Turn, system: str, changed: Mapping[str, Value], ts_us: int) -> None:
    current = turn.current(EXISTENCE)
    turn.record(EXISTENCE, "incoming", current, Held(system, tuple(changed.items()), ts_us), "existence")
    for name, value in changed.items():
        fields.outlive(turn, system, name, value, ts_us)
    revive(turn, system, ts_us)


def _edit_the_dead(turn: Turn, system: str, changed: Mapping[str, Value], ts_us: int) -> None:
    if turn.rules.existence == "delete_wins":
        edits = Held(system, tuple(changed.items()), ts_us)
        turn.record(EXISTENCE, "current", turn.current(EXISTENCE), edits, "existence")
    else:
        _park_edits(turn, system, changed, ts_us)
    for name in changed:
        turn.see(system, name, NOT_SHOWN)


def _park_edits(turn: Turn, system: str, changed: Mapping[str, Value], ts_us: int) -> None:
    entry = turn.system(system)
    patch = entry.dissent.get(EXISTENCE)
    if patch is None:
        edits = Held(system, tuple(changed.items()), ts_us)
        number = turn.record(EXISTENCE, "parked", turn.current(EXISTENCE), edits, "existence")
        patch = entry.dissent[EXISTENCE] = Item(number, system, EXISTENCE, ts_us, edits={})
        _add_edits(turn, patch, changed)
        return
    _add_edits(turn, patch, changed)
    patch.ts_us = ts_us
    turn.publish(patch, turn.rule_name(EXISTENCE), "parked")


def _add_edits(turn: Turn, patch: Item, changed: Mapping[str, Value]) -> None:
    assert patch.edits is not None
    for name, value in changed.items():
        if name not in patch.edits and name in turn.bases:
            patch.bases[name] = turn.bases[name]
        patch.edits[name] = value
        patch.seen[name] = max(patch.seen.get(name, NOT_SHOWN), turn.seen(patch.system, name))


def _offer_again(turn: Turn, system: str, patch: Item) -> None:
    turn.publish(patch, "revived", "incoming", "the record lives again; the edits are offered field by field")
    held = shown(turn, patch)
    turn.bases = patch.bases
    for name, value in (patch.edits or {}).items():
        if name in turn.rules.policies:
            fields.offer(turn, system, name, value, patch.ts_us, patch.seen.get(name, NOT_SHOWN), None)
            if name not in held:
                _let_go(turn, system, name)


def _let_go(turn: Turn, system: str, name: str) -> None:
    """The row does not show what was offered, because we wrote over it: if it is parked now, no row shows it."""
    item = turn.system(system).dissent.pop(name, None)
    if item is not None:
        turn.state.loose[item.number] = item
    fields.correct(turn, system, name)


def _loosen_each(turn: Turn, patch: Item) -> None:
    turn.publish(patch, "revived", "incoming", "the record lives again; the edits are parked field by field")
    for name, value in (patch.edits or {}).items():
        held = Held(patch.system, value, patch.ts_us)
        due_us = fields.due(turn, name) if name in turn.rules.policies else 0
        number = turn.record(name, "parked", turn.current(name), held, rule="manual", due_us=due_us)
        bases = {name: patch.bases[name]} if name in patch.bases else {}
        turn.state.loose[number] = Item(number, patch.system, name, patch.ts_us, value, due_us=due_us, bases=bases)


def _forget_what_is_absent(turn: Turn, system: str, values: Mapping[str, Value]) -> None:
    """A new row shows nothing of the fields it did not bring."""
    for name in turn.rules.sides[system].writable:
        if name not in values:
            turn.see(system, name, 0)


def unseen(turn: Turn, system: str) -> list[tuple[str, Value]]:
    """What the user who deleted the row cannot have seen: newer values, and edits that others have parked.

    A delete that another has parked is no reason to keep the record.
    """
    behind = turn.system(system).behind
    newer = [name for name in turn.rules.sides[system].writable if name in behind]
    found = [(name, turn.field(name).value) for name in newer]
    return found + [(item.field, item.shown()) for item in parked(turn) if not is_delete(item)]


def parked(turn: Turn) -> list[Item]:
    """Everything that waits for a person, in the order of systems."""
    held = [item for system in turn.rules.systems for item in turn.system(system).dissent.values()]
    return held + list(turn.state.loose.values())


def shown(turn: Turn, patch: Item) -> frozenset[str]:
    """Of the fields that edits of a deleted record are about those in which the row still shows them."""
    image, side = turn.system(patch.system).image, turn.rules.sides[patch.system]
    values = {} if image is None else side.values(image)
    return frozenset(name for name, value in (patch.edits or {}).items() if name in values and values[name] == value)


def is_delete(item: Item) -> bool:
    """Whether this item is a parked delete."""
    return item.field == EXISTENCE and item.edits is None


def not_seen(missed: list[tuple[str, Value]]) -> str:
    """What a deleter did not see, as verdicts say it."""
    return "not seen by the deleter: " + (", ".join(name for name, _ in missed) or "the record's revival")


def _delete_against_edits(turn: Turn, system: str, missed: list[tuple[str, Value]], ts_us: int) -> None:
    rule, held, detail = turn.rules.existence, tuple(missed) or True, not_seen(missed)
    if rule == "manual":
        _park_delete(turn, system, held, ts_us, "", detail)
    elif rule == "delete_wins" and system in turn.rules.braking:
        _park_delete(turn, system, held, ts_us, BRAKE, f"deletes from {system} are held for approval; {detail}")
    else:
        winner: Winner = "current" if rule == "update_wins" else "incoming"
        turn.record(EXISTENCE, winner, _newest(turn, held), Held(system, None, ts_us), "existence", detail)
        if rule == "delete_wins":
            bury(turn, system, system, ts_us)


def _park_delete(turn: Turn, system: str, held: Value, ts_us: int, rule: str, detail: str) -> None:
    """Leave a delete to a person; its row stays away, and the record lives on everywhere else."""
    incoming = Held(system, None, ts_us)
    number = turn.record(EXISTENCE, "parked", _newest(turn, held), incoming, "existence", detail, rule)
    turn.system(system).dissent[EXISTENCE] = Item(number, system, EXISTENCE, ts_us, rule=rule)


def _newest(turn: Turn, held: Value) -> Held:
    """What a delete would end: these values, by whom and since when the record was changed last."""
    newest = max((turn.field(name) for name in (EXISTENCE, *turn.rules.fields)), key=lambda field: field.version)
    return Held(newest.by, held, newest.ts_us)
