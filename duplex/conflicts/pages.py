"""A conflict with its details, as a page of text for a person."""

import shlex
from collections.abc import Iterator
from typing import Any

from duplex.conflicts import views
from duplex.conflicts.details import Detail, NowShown, OptionShown, RowShown, StepShown
from duplex.status.sentences import ago, stamp

WIDEST = 200


def lines(found: Detail, now_us: int) -> Iterator[str]:
    """The page, line by line."""
    one = found.conflict
    whose = f"{one.name} " if one.name is not None else ""
    yield f"{one.id}  {one.entity} {whose}(record {one.record_id}), {_what(found)}: {views.standing(one, now_us)}"
    yield from _sides(found, now_us)
    if found.rows:
        yield "rows:"
        yield from (f"  {_row(one.field, row)}" for row in found.rows)
    yield "history:"
    yield from (f"  {_step(one.field, step)}" for step in found.history)
    yield from _choices(found)


def _what(found: Detail) -> str:
    field = found.conflict.field
    return "its existence" if field == views.EXISTENCE else f"field {field}"


def _sides(found: Detail, now_us: int) -> Iterator[str]:
    field = found.conflict.field
    if found.now is None or found.parked is None:
        for label, side in (("current", found.conflict.current), ("incoming", found.conflict.incoming)):
            yield f"{label}:  {_value(field, side.value)}  of {side.system or 'nobody'}, {_since(side.ts_us, now_us)}"
        return
    yield f"now:     {_held(field, found.now, now_us)}"
    yield f"parked:  {_held(field, found.parked, now_us)}"


def _held(field: str, held: NowShown, now_us: int) -> str:
    version = "" if held.version is None else f", version {held.version}"
    by = "a decision" if held.system == "$decision" else held.system or "nobody"
    return f"{_value(field, held.value)}  of {by}, {_since(held.ts_us, now_us)}{version}"


def _since(ts_us: int, now_us: int) -> str:
    return "found by a load" if ts_us == 0 else f"since {stamp(ts_us)} ({ago((now_us - ts_us) / 1e6)})"


def _value(field: str, value: Any) -> str:
    return views.cut(views.said(field, value), WIDEST)


def _row(field: str, row: RowShown) -> str:
    place = f"{row.system} {row.local_id}" if row.local_id else row.system
    value = "" if field == views.EXISTENCE or row.standing in ("no row", "not mapped") else f"{views.text(row.value)}  "
    on_its_way = "" if row.command is None else f"; waits for the answer to command {row.command}"
    return f"{place}:  {value}{row.standing}{on_its_way}"


def _step(field: str, step: StepShown) -> str:
    sides = f"current {_value(field, step.current)}, incoming {_value(field, step.incoming)}"
    who = f" of {step.by}" if step.by else ""
    why = f" ({step.reason or step.detail})" if step.reason or step.detail else ""
    when = stamp(step.at_us) if step.at_us else "before what is on record"
    return f"{when}  {step.winner} by {step.rule}{who}{why}: {sides}"


def _choices(found: Detail) -> Iterator[str]:
    if not found.options:
        return
    one = found.conflict
    yield "to decide it:"
    for option in found.options:
        yield f"  {_command(one.short, option.choice, found.shown)}"
        yield f"      {_consequence(one.field, option)}"
    if one.field != views.EXISTENCE:
        yield f"  {_command(one.short, '--value JSON', found.shown)}"
        yield "      sets another value everywhere"


def _command(short: str, choice: str, shown: str | None) -> str:
    return f"duplex conflicts resolve {shlex.quote(short)} {choice}" + (f" --shown {shown}" if shown else "")


def _consequence(field: str, option: OptionShown) -> str:
    if option.refusal:
        return f"not possible now: {option.refusal}"
    if field == views.EXISTENCE:
        made = "the record is deleted" if option.value is None else "the record lives"
    else:
        made = f"{_value(field, option.value)} stands"
    told = f"; told at once: {', '.join(option.told)}" if option.told else "; no system needs a command"
    later = f"; told once it has answered: {', '.join(option.later)}" if option.later else ""
    return f"{made}{told}{later}"
