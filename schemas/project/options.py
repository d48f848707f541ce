"""Whether the options of one mapping fit the type of its field: nothing is accepted and then ignored."""

import zoneinfo
from collections.abc import Iterator
from datetime import datetime

from schemas.project.findings import Finding, Path, nearest
from schemas.project.model import Column, FieldRule, Single, Split
from schemas.project.positions import Positions

_SAMPLE = datetime(2001, 12, 23, 17, 46, 59)


def check(rule: FieldRule, single: Single, path: Path, positions: Positions) -> Iterator[Finding]:
    """What does not fit between a field (or a group's members) and the way one system maps it."""
    if isinstance(single, Column):
        yield from _types(rule, single, path, positions)
        yield from _values(rule, single, path, positions)
        yield from _times(rule, single, path, positions)
        return
    word = "split" if isinstance(single, Split) else "join"
    if rule.type != "string":
        yield positions.finding(path, f"{word} is for text, and this field is of type {rule.type}")


def _types(rule: FieldRule, column: Column, path: Path, positions: Positions) -> Iterator[Finding]:
    wanted = {
        "format": ("date", "datetime"),
        "zone": ("date", "datetime"),
        "places": ("decimal",),
        "trim": ("string",),
        "case": ("string",),
        "length": ("string",),
    }
    for option, types in wanted.items():
        if getattr(column, option) in (None, False):
            continue
        if rule.type not in types:
            message = f"is for fields of type {' or '.join(types)}, and this one is of type {rule.type}"
            yield positions.finding((*path, option), message, at_key=True)
        elif column.values is not None:
            yield positions.finding((*path, option), "does not go with a table of values", at_key=True)


def _values(rule: FieldRule, column: Column, path: Path, positions: Positions) -> Iterator[Finding]:
    if column.values is None:
        return
    here = (*path, "values")
    if rule.type not in ("string", "integer", "boolean"):
        yield positions.finding(here, f"a table of values is not for fields of type {rule.type}", at_key=True)
    seen: dict[tuple[type, object], str] = {}
    for canonical, code in column.values.items():
        if not _fits(rule.type, canonical):
            yield positions.finding((*here, canonical), f"is not of the field's type {rule.type}", at_key=True)
        first = seen.setdefault((type(code), code), canonical)
        if first != canonical and column.direction != "out":
            message = f"has the code of {first}: reading could not tell them apart"
            yield positions.finding((*here, canonical), message, "give it another code, or set direction: out")


def _fits(field_type: str, canonical: str) -> bool:
    if field_type == "integer":
        return canonical.lstrip("-").isdigit() and str(int(canonical)) == canonical
    return field_type != "boolean" or canonical in ("true", "false")


def _times(rule: FieldRule, column: Column, path: Path, positions: Positions) -> Iterator[Finding]:
    if column.zone is not None and not _is_zone(column.zone):
        near = nearest(column.zone, zoneinfo.available_timezones())
        yield positions.finding((*path, "zone"), f"no time zone is called {column.zone}", near)
    if column.format not in (None, "iso") and rule.type in ("date", "datetime"):
        fault = _format_fault(str(column.format), rule.type == "datetime")
        if fault:
            yield positions.finding((*path, "format"), fault)


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _format_fault(text: str, with_time: bool) -> str | None:
    """Why text written in this format could not be read back; None if it can. Judged by trying."""
    try:
        read = datetime.strptime(_SAMPLE.strftime(text), text)
    except ValueError as error:
        return f"not a format of dates that can be read back: {error}"
    if read.date() != _SAMPLE.date():
        return "leaves out part of the date, so it cannot be read back"
    if with_time and (read.hour, read.minute) != (_SAMPLE.hour, _SAMPLE.minute):
        return "leaves out the hour or the minute, so a time cannot be read back"
    return None
