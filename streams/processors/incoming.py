"""From the messages of a record log to the events of the merge."""

import msgspec

from schemas.messages import Amendment, Change, Decision, Nudge, Result
from schemas.project.model import Entity
from streams.errors import InvalidValueError
from streams.mapping.conversions import canonical
from streams.merge.events import Amend, Amended, Answered, Changed, Decided, Event, Looked, Nudged
from streams.merge.states import Item, State
from streams.merge.values import EXISTENCE, Row, Value
from streams.processors.lenses import RowLens
from streams.processors.records import Record, UnprocessableError
from streams.processors.regimes import Regime
from streams.processors.values import exact_value_of, value_of

WITHOUT_A_LOG = 0


def at_us(record: Record) -> int:
    """When a record was appended to the log, to the end of its millisecond."""
    return record.timestamp_ms * 1000 + 999


def event_of(message: msgspec.Struct, record: Record, regime: Regime, state: State | None) -> Event | None:
    """The event that a message stands for; None where it is nobody's. `state` is that of its record, if there is one.

    The log's append time bounds every clock: a fast one cannot write into the future. Raises UnprocessableError,
    RowImageError, and InvalidValueError for a value that a field cannot have.
    """
    limit_us = at_us(record)
    if isinstance(message, Change):
        return None if message.op == "t" else _changed(message, regime, limit_us)
    if isinstance(message, Nudge):
        return Nudged(reason=message.reason, system=message.system, at_us=limit_us)
    if isinstance(message, Result):
        return _answered(message, _lens(regime, message.system), limit_us)
    if isinstance(message, Decision):
        return _decided(message, regime.entity, state, limit_us)
    if isinstance(message, Amendment):
        return _amended(message, regime.entity, limit_us)
    raise UnprocessableError(f"a {type(message).__name__} has no place in the record log", "decode")


def _lens(regime: Regime, system: str) -> RowLens:
    lens = regime.lenses.get(system)
    if lens is None:
        raise UnprocessableError(f"system {system} has no part in entity {regime.rules.entity}", "decode")
    return lens


def _row(lens: RowLens, image: str | None) -> Row | None:
    """A row by its image. One that is marked as inactive counts as gone, whoever marked it."""
    return None if image is None or lens.is_gone(image) else lens.load(image)


def _changed(change: Change, regime: Regime, limit_us: int) -> Changed | Looked | None:
    lens, origin, after = _lens(regime, change.system), change.origin, change.after
    if origin is None and after is not None and not lens.admits(after):
        if lens.on_leave == "ignore":
            return None
        after = None
    if change.incarnation == WITHOUT_A_LOG:
        return _looked(change, _row(lens, after), limit_us)
    ts_us = change.ts_us
    return Changed(
        system=change.system,
        local_id=change.local_id,
        position=(change.incarnation, change.seq),
        ts_us=ts_us if ts_us < limit_us else limit_us,
        after=_row(lens, after),
        before_id=change.before_id,
        command=None if origin is None else origin.command,
        failed=None if origin is None or origin.outcome == "applied" else origin.error or "refused by the system",
        load=change.op == "r",
        at_us=limit_us,
    )


def _looked(change: Change, row: Row | None, limit_us: int) -> Looked:
    """A source without a log of its own publishes looks: incarnation 0, `seq` the order of the look."""
    return Looked(
        system=change.system,
        local_id=change.local_id,
        order=change.seq,
        ts_us=min(change.ts_us, limit_us),
        after=row,
        load=change.op == "r",
        at_us=limit_us,
    )


def _answered(result: Result, lens: RowLens, limit_us: int) -> Answered:
    return Answered(
        system=result.system,
        local_id=result.local_id,
        command=result.command,
        found_order=result.found_order,
        found=_row(lens, result.found),
        left_order=result.left_order,
        left=_row(lens, result.left),
        ts_us=min(result.ts_us, limit_us),
        failed=None if result.outcome == "applied" else result.error or "refused by the system",
        at_us=limit_us,
    )


def _decided(decision: Decision, entity: Entity, state: State | None, limit_us: int) -> Decided:
    name = _field_of(decision.item, state)
    return Decided(
        item=decision.item,
        candidate=value_of(decision.candidate),
        version=decision.version,
        value=value_of(decision.value) if name is None else _given(entity, name, decision.value),
        ts_us=min(decision.ts_us, limit_us),
        at_us=limit_us,
    )


def _amended(amendment: Amendment, entity: Entity, limit_us: int) -> Amended:
    return Amended(
        kind=amendment.kind,
        fields=tuple(Amend(one.field, one.version, _given(entity, one.field, one.value)) for one in amendment.fields),
        ts_us=min(amendment.ts_us, limit_us),
        at_us=limit_us,
    )


def _given(entity: Entity, name: str, text: str | None) -> Value:
    """A value that a person gave a field, in the field's canonical form."""
    if name == EXISTENCE:
        return value_of(text)
    rule = entity.fields.get(name)
    if rule is None:
        raise InvalidValueError(name, f"is no field of the entity; it has {', '.join(entity.fields)}")
    value = exact_value_of(text) if rule.type == "decimal" else value_of(text)
    try:
        return canonical(rule, value)
    except InvalidValueError as error:
        raise InvalidValueError(f"{name}: {error.subject}", error.reason) from error


def _field_of(wanted: str, state: State | None) -> str | None:
    """The field of a parked item, by its number or the id of the verdict that parked it; None where there is none."""
    if state is None:
        return None
    number = wanted.rpartition("/")[2]
    held: list[Item] = [item for entry in state.systems.values() for item in entry.dissent.values()]
    return next((item.field for item in (*held, *state.loose.values()) if str(item.number) == number), None)
