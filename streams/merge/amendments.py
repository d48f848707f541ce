"""An operator amends a record: undoes what was done to it, or gives it what other rules would have made of it."""

from streams.merge import decisions, existence
from streams.merge.events import Amend, Amended, Held
from streams.merge.turns import DECISION, Kind, Turn
from streams.merge.values import EXISTENCE


def amend(turn: Turn, event: Amended) -> bool:
    """Give each field its value if it still has the version named; a field that moved on is put on record instead.

    At "$" the version is the greatest of the record, as beside a decision: nothing that came later may end with it.
    An item that is parked on a field stays. Returns whether anything was done.
    """
    unknown = [amend.field for amend in event.fields if amend.field not in turn.rules.field_set]
    if unknown:
        turn.outcome.refusal = f"{turn.rules.entity} has no field {unknown[0]}: nothing was amended"
        return False
    # Existence comes last: what is parked against a tombstone is offered against the amended values. And all
    # versions are compared before the first value is given, which makes a new one.
    wanted = sorted(event.fields, key=lambda amend: amend.field == EXISTENCE)
    objections = [_objection(turn, amend) for amend in wanted]
    for amend, objection in zip(wanted, objections, strict=True):
        if objection:
            _put_on_record(turn, event, amend, objection)
        elif not _holds(turn, amend):
            _give(turn, event, amend)
    return True


def _holds(turn: Turn, amend: Amend) -> bool:
    """Whether the record is as it is wanted already."""
    if amend.field == EXISTENCE:
        return turn.state.alive == (amend.value is not None)
    return bool(turn.field(amend.field).value == amend.value)


def _objection(turn: Turn, amend: Amend) -> str:
    """Why the value may not be given, if it may not."""
    name = amend.field
    if _holds(turn, amend):
        return ""
    now = turn.shown_version(name)
    # What brings a record back ends nothing, so that the tombstone's own version will do.
    revives = name == EXISTENCE and amend.value is not None and amend.version == turn.field(name).version
    if amend.version != now and not revives:
        return f"edited since: version {amend.version} was named, {now} holds"
    items = [item for item in existence.parked(turn) if not existence.is_delete(item)]
    if name == EXISTENCE and amend.value is None and items:
        return f"other items are parked on the record: decide {items[0].number} ({items[0].field}) first"
    return ""


def _put_on_record(turn: Turn, event: Amended, amend: Amend, objection: str) -> None:
    kind: Kind = "existence" if amend.field == EXISTENCE else "value"
    held = Held(DECISION, amend.value, event.ts_us)
    turn.record(amend.field, "current", turn.current(amend.field), held, kind, objection, event.kind)


def _give(turn: Turn, event: Amended, amend: Amend) -> None:
    if amend.field != EXISTENCE:
        decisions.set_value(turn, amend.field, amend.value, event.ts_us)
    elif amend.value is None:
        existence.bury(turn, DECISION, None, event.ts_us)
    else:
        existence.revive(turn, DECISION, event.ts_us)
