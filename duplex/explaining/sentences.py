"""An explanation in sentences, indented: a field, its value, and how it came to be so."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from duplex.explaining.facts import (
    ConflictFacts,
    DeliveryFacts,
    EventFacts,
    Explanation,
    FieldFacts,
    StandingFacts,
    ValueFacts,
)
from duplex.status.sentences import entries, stamp
from streams.merge.turns import DECISION
from streams.merge.values import EXISTENCE

OPERATIONS = {"c": "created", "u": "updated", "d": "deleted", "r": "read by the initial load of", "t": "truncated"}


def page(explained: Iterable[Explanation]) -> str:
    """Explanations as a whole text, with an empty line between records."""
    return "\n\n".join("\n".join(sentences(one)) for one in explained)


def sentences(one: Explanation) -> Iterator[str]:
    """An explanation for a person, line by line."""
    life = "deleted" if one.deleted else "alive"
    span = f", offsets {one.first_offset} to {one.last_offset} of the record log" if one.events else ""
    yield f"{one.entity} {one.record_id}: {life} (partition {one.partition}, {_events(one.events)}{span})"
    for remark in one.remarks:
        yield f"  NOTE: {remark}."
    told: dict[tuple[str, ...], str] = {}
    for name, field in one.fields.items():
        title, *rest = _field(name, field)
        yield title
        # What one event did to many fields is told once.
        alike = told.setdefault(tuple(rest), _title(name))
        yield from rest if alike == _title(name) or not rest else (f"    As {alike}.",)


def _events(count: int) -> str:
    return entries(count, "event", "events")


def _field(name: str, field: FieldFacts) -> Iterator[str]:
    if field.current is None:
        yield f"  {_title(name)}: never had a value"
    else:
        yield f"  {_title(name)}: {_shown(name, field.current.value)} (version {field.current.version})"
        yield from (f"    {line}" for line in _value(name, field.current))
    yield from (f"    {_standing(one)}" for one in field.standing)
    for item in field.parked:
        due = f"; decided by its deadline at {stamp(item.due_us)}" if item.due_us else ""
        yield f"    Waits for a decision: {item.system}'s {_shown(name, item.value)} (item {item.id}{due})."
    for value in field.earlier:
        yield f"    Before: {_shown(name, value.value)} (version {value.version})"
        yield from (f"      {line}" for line in _value(name, value))


def _title(name: str) -> str:
    return "existence" if name == EXISTENCE else name


def _value(name: str, value: ValueFacts) -> Iterator[str]:
    if value.event is None:
        whose = "an operator's decision" if value.system == DECISION else value.system or "nobody known"
        yield f"From {whose}, {_when(value.ts_us)}; its event is no longer in the log."
    else:
        yield _origin(value.event)
        yield _rule(value)
    yield from (_met(name, one) for one in value.met)
    yield from (_delivery(one) for one in value.commands)


def _origin(event: EventFacts) -> str:
    place = f"at offset {event.offset} of the record log, appended {stamp(event.log_us)}"
    if event.kind in ("decision", "amendment"):
        reason = f" ({event.reason})" if event.reason else ""
        return f"From {event.by or 'an operator'} by {event.kind}{reason}, {_when(event.source_us)}, {place}."
    if event.kind == "nudge":
        return f"From the pipeline itself ({event.reason}), {place}."
    return f"From {_entry(event)}, {_when(event.source_us)}, {place}."


def _entry(event: EventFacts) -> str:
    what = OPERATIONS.get(event.op or "", "answered for")
    row = f"{event.system}, which {what} its row {event.local_id}" if event.op != "r" else f"row {event.local_id}"
    if event.op == "r":
        return f"{event.system}, whose initial load read {row}"
    place = f"log entry {event.incarnation}.{event.seq}" if event.incarnation else f"order {event.seq}"
    transaction = f", transaction {event.transaction}" if event.transaction else ""
    return f"{row} ({place}{transaction})"


def _when(ts_us: int) -> str:
    return f"at {stamp(ts_us)}" if ts_us else "at a time that the load does not know"


def _rule(value: ValueFacts) -> str:
    epoch = f", rules of epoch {value.epoch}" if value.epoch else ""
    policy = f" (policy {value.policy}{epoch})" if value.policy else ""
    match value.rule:
        case "first value":
            return f"It is the first value{policy}."
        case "no conflict":
            return f"No conflict: it was written in sight of the value before it{policy}."
        case "decision":
            return f"By an operator's decision{policy}."
        case rule:
            return f"Decided by {rule}{policy}."


def _met(name: str, one: ConflictFacts) -> str:
    at = f"conflict {one.id} at offset {one.offset}"
    detail = f": {one.detail}" if one.detail else ""
    whose = f"{one.system or 'nobody'}'s {_shown(one.of_field, one.value)}"
    since = f" of {stamp(one.ts_us)}" if one.ts_us else ""
    if one.kind == "refused":
        return f"Kept apart from {whose} by {one.rule} ({at}{detail})."
    if one.winner == "parked":
        return f"Parked beside it: {whose}{since} (by {one.rule}, {at}{detail})."
    if one.winner == "merged":
        return f"Made of {whose}{since} and the edit (by {one.rule}, {at}{detail})."
    if one.of_field != name:
        return f"It outlived {one.system}'s delete{since} (by {one.rule}, {at}{detail})."
    return f"It beat {whose}{since} (by {one.rule}, {at}{detail})."


def _delivery(one: DeliveryFacts) -> str:
    verb = {"c": "created the row with it in", "u": "took it to", "d": "took it to"}[one.op]
    sent = f"Command {one.command} (decided at offset {one.offset}) {verb} {one.system}"
    if one.echo is None:
        return f"{sent}: no answer yet." if one.outcome == "waiting" else f"{sent}: withdrawn by an operator."
    after = f" after {(one.delay_us or 0) / 1000:,.0f} ms"
    place = f"{_answer(one.echo)} of row {one.echo.local_id}, offset {one.echo.offset}{after}"
    match one.outcome:
        case "confirmed":
            return f"{sent}: confirmed by {place}."
        case "found":
            return f"{sent}: the row held it already, says {place}."
        case "refused":
            return f"{sent}: REFUSED, says {place}: {one.error}."
        case "elsewhere":
            return f"{sent}: another row answered, {place}."
        case _:
            return f"{sent}: nothing was written, the row had changed, says {place}."


def _standing(one: StandingFacts) -> str:
    if not one.shows:
        return f"{one.system} does not show it: {one.why}."
    verb = "shows it"
    shown = f" as {_json(one.shown_as)}" if one.shown_as is not None else ""
    if one.since is None or one.how is None:
        return f"{one.system} {verb}{shown}."
    own = "its own row" if one.since.kind == "load" else "its own edit"
    how = {"wrote": own, "told": "by the command's echo", "held": "it was so already"}[one.how]
    return f"{one.system} {verb}{shown} since offset {one.since.offset} ({how})."


def _shown(name: str, value: Any) -> str:
    if name == EXISTENCE and (value is None or value is True):
        return "deleted" if value is None else "alive"
    return _json(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _answer(echo: EventFacts) -> str:
    """A log has an echo of the command; where there is none, the sink said what it found and left."""
    return f"echo {echo.incarnation}.{echo.seq}" if echo.incarnation is not None else f"result {echo.seq}"
