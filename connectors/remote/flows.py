"""By what ways changes of a resource are noticed: the setting `flows`, judged and typed.

    flows:
      members:
        - webhook                                   # or {priority: 2}
        - poll: 30s                                 # or {every: 30s, overlap: 5m}
        - sweep: {at: "0 3 * * *", zone: Europe/Berlin}
        - removed: {every: 5m, quiet: "22:00-06:00 Europe/Berlin", priority: 7}
        - manual

`webhook` takes deliveries as hints; `poll` asks for rows changed since the last time, and again for what changed in the
`overlap` before that; `sweep` lists all rows and compares; `removed` asks for the list of removed rows; `manual` is how
urgent a sweep is that somebody asks for, and alone it says that there is no other reading. What a list does not name is
off. A sweep that somebody asks for is never off: a person wants it.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Literal, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from connectors.errors import RefusedError
from schemas.project import durations

Kind = Literal["webhook", "poll", "sweep", "removed", "manual"]
KINDS: tuple[str, ...] = get_args(Kind)
TIMED = ("poll", "sweep", "removed")
MINUTE_US = 60_000_000
EVERY_US = {"poll": MINUTE_US, "sweep": 360 * MINUTE_US, "removed": 5 * MINUTE_US}
OVERLAP_US = 5 * MINUTE_US
PRIORITIES = {"webhook": 1, "manual": 2, "poll": 3, "removed": 4, "sweep": 8}
OPTIONS = {
    "webhook": ("priority",),
    "manual": ("priority",),
    "poll": ("every", "at", "zone", "quiet", "priority", "overlap"),
    "sweep": ("every", "at", "zone", "quiet", "priority"),
    "removed": ("every", "at", "zone", "quiet", "priority", "overlap"),
}
UTC_ZONE = ZoneInfo("UTC")
_QUIET = re.compile(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)(?:\s+(\S+))?")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day, by a zone's clock, in which a flow is not begun. `start` after `end`: over midnight."""

    start: time
    end: time
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Flow:
    """One way. `every_us` or `at` (a cron expression, by the clock of `zone`) says when; 1 is the first priority.

    `overlap_us`: how far behind the last time a poll asks again, for what was committed late or by a slow clock.
    """

    kind: Kind
    priority: int
    every_us: int | None = None
    at: str | None = None
    zone: ZoneInfo = UTC_ZONE
    quiet: Quiet | None = None
    overlap_us: int = OVERLAP_US


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the project file, for errors."""

    system: str
    path: str

    def refused(self, why: str, remedy: str) -> RefusedError:
        return RefusedError(self.system, f"setting systems.{self.system}.{self.path}", why, remedy)

    def below(self, name: object) -> "_Place":
        return _Place(self.system, f"{self.path}.{name}")


def usual(since: bool, hooked: bool = False) -> tuple[Flow, ...]:
    """The flows of a resource for which the project names none. `since`: it can be asked for changed rows; `hooked`:
    webhooks are about it."""
    offered: dict[Kind, bool] = {"webhook": hooked, "poll": since, "sweep": True, "manual": True}
    return tuple(Flow(kind, PRIORITIES[kind], EVERY_US.get(kind)) for kind, is_there in offered.items() if is_there)


def read_flows(system: str, options: Any, resources: Sequence[str]) -> dict[str, tuple[Flow, ...]]:
    """The setting `flows`. Raises RefusedError naming the part that is unknown, missing or unfit."""
    place = _Place(system, "flows")
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise place.refused("it is no mapping", "Write `flows: {members: [{poll: 30s}, {sweep: 6h}]}`.")
    for name in options:
        if name not in resources:
            raise place.below(name).refused("there is no such resource", _near(str(name), resources))
    return {str(name): _flows(place.below(name), listed) for name, listed in options.items()}


def _flows(place: _Place, listed: Any) -> tuple[Flow, ...]:
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise place.refused("it is no list of flows", "Write `[webhook, {poll: 30s}, {sweep: 6h}]`.")
    found = tuple(_flow(place.below(index), one) for index, one in enumerate(listed))
    kinds = [flow.kind for flow in found if flow.kind != "sweep"]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise place.refused(f"{kind} is there twice", "Keep one of them.")
    return found


def _flow(place: _Place, one: Any) -> Flow:
    if isinstance(one, str):
        kind, given = one, None
    elif isinstance(one, Mapping) and len(one) == 1:
        kind, given = next(iter(one.items()))
    else:
        raise place.refused("it is neither a word nor `{word: settings}`", f"The words are {', '.join(KINDS)}.")
    if kind not in KINDS:
        raise place.refused(f"{kind} is no flow", _near(str(kind), KINDS))
    place = place.below(kind)
    settings = dict(given) if isinstance(given, Mapping) else {} if given is None else {"every": given}
    for name in settings:
        if name not in OPTIONS[kind]:
            known = ", ".join(OPTIONS[kind]) or "no settings"
            raise place.below(name).refused(f"{kind} has no such setting", f"It knows {known}.")
    return _timed(place, cast(Kind, kind), settings)


def _timed(place: _Place, kind: Kind, settings: Mapping[str, Any]) -> Flow:
    if "every" in settings and "at" in settings:
        raise place.refused("every and at exclude each other", "Keep one of them.")
    at = _cron(place.below("at"), settings["at"]) if "at" in settings else None
    every_us = None if at else EVERY_US.get(kind)
    if "every" in settings:
        every_us = _duration(place.below("every"), settings["every"])
    return Flow(
        kind=kind,
        priority=_priority(place.below("priority"), settings.get("priority", PRIORITIES[kind])),
        every_us=every_us,
        at=at,
        zone=_zone(place.below("zone"), settings.get("zone", "UTC")),
        quiet=_quiet(place.below("quiet"), settings["quiet"]) if "quiet" in settings else None,
        overlap_us=_duration(place.below("overlap"), settings["overlap"]) if "overlap" in settings else OVERLAP_US,
    )


def _duration(place: _Place, value: Any) -> int:
    try:
        return durations.parse(value)
    except ValueError as error:
        raise place.refused(f"{value!r} {error}", "Correct it.") from error


def _priority(place: _Place, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 9:
        raise place.refused(f"{value!r} is no whole number from 1 (first) to 9", "Correct it.")
    return value


def _cron(place: _Place, value: Any) -> str:
    try:
        CronSim(str(value), datetime.now(UTC))
    except CronSimError as error:
        remedy = "Write minute, hour, day, month, weekday, such as `0 3 * * *`."
        raise place.refused(f"{value!r} is no cron expression ({error})", remedy) from error
    return str(value)


def _zone(place: _Place, value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise place.refused(f"there is no time zone {value}", "Write a name such as Europe/Berlin.") from error


def _quiet(place: _Place, value: Any) -> Quiet:
    found = _QUIET.fullmatch(str(value).strip())
    remedy = "Write it as `22:00-06:00 Europe/Berlin`."
    if found is None:
        raise place.refused(f"{value!r} is no span of hours", remedy)
    zone = _zone(place, found[5] or "UTC")
    try:
        start, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    except ValueError as error:
        raise place.refused(f"{value!r} holds an hour that no day has", remedy) from error
    if start == end:
        raise place.refused("it would be quiet for ever", remedy)
    return Quiet(start, end, zone)


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else f"There is {', '.join(known) or 'none'}."
