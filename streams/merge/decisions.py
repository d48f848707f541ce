"""An operator decides a parked item: only on what was shown, and only that item."""

from streams.merge import existence, fields, oscillation
from streams.merge.events import Decided
from streams.merge.resolutions import remove as _remove
from streams.merge.states import Item
from streams.merge.turns import DECISION, Turn, Winner
from streams.merge.values import EXISTENCE, Value


def decide(turn: Turn, event: Decided) -> bool:
    """Carry a decision out, or say in the outcome why not. Returns whether anything was done."""
    item = _find(turn, event.item)
    if item is None:
        turn.outcome.refusal = f"no item {event.item} is parked: it was settled before"
        return False
    turn.outcome.refusal = _objection(turn, event, item)
    if turn.outcome.refusal:
        return False
    _remove(turn, item)
    taken = event.value is not None if is_patch(item) else event.value == item.candidate
    winner: Winner = "incoming" if taken else "current"
    turn.publish(item, "decision", winner)
    if item.field == EXISTENCE:
        _decide_existence(turn, item, event)
    else:
        decide_field(turn, item.system, item.field, event.value, event.ts_us)
    return True


def decide_field(turn: Turn, system: str, name: str, value: Value, ts_us: int) -> None:
    """Set a field by decision; keeping the hub's value makes no new version."""
    set_value(turn, name, value, ts_us)
    side, entry = turn.rules.sides.get(system), turn.state.systems[system]
    if side is None or entry.image is None:
        return
    found = side.values(entry.image)
    if name in found and found[name] == value:
        turn.see(system, name)


def set_value(turn: Turn, name: str, value: Value, ts_us: int) -> None:
    """Make a person's value the hub's, as a new version if it is another."""
    if value != turn.field(name).value:
        fields.assign(turn, DECISION, name, value, ts_us)
    oscillation.forget(turn, name)


def is_patch(item: Item) -> bool:
    """Whether the item holds edits of a deleted record."""
    return item.edits is not None


def shown_version(turn: Turn, name: str) -> int:
    """The version an operator sees beside an item: the field's; of existence, the greatest of the record."""
    return turn.shown_version(name)


def _find(turn: Turn, wanted: str) -> Item | None:
    number = wanted.rpartition("/")[2]
    held = [item for entry in turn.state.systems.values() for item in entry.dissent.values()]
    return next((item for item in (*held, *turn.state.loose.values()) if str(item.number) == number), None)


def _objection(turn: Turn, event: Decided, item: Item) -> str:
    if event.candidate != item.shown():
        return f"item {event.item} is no longer the value that was shown: look again"
    if event.version != shown_version(turn, item.field):
        return f"{item.field} has changed since it was shown beside item {event.item}: look again"
    others = [other for other in existence.parked(turn) if other is not item and not existence.is_delete(other)]
    if existence.is_delete(item) and event.value is None and others:
        return f"other items are parked on the record: decide {others[0].number} ({others[0].field}) first"
    return ""


def _decide_existence(turn: Turn, item: Item, event: Decided) -> None:
    if item.edits is None:
        if event.value is None:
            existence.bury(turn, DECISION, item.system, event.ts_us)
    elif event.value is not None:
        for name, value in item.edits.items():
            decide_field(turn, item.system, name, value, event.ts_us)
        existence.revive(turn, DECISION, event.ts_us)
