"""When a flow is due, and which of several due ones goes first. Pure: the clock is a parameter (us, UTC)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim

from connectors.remote.flows import Flow, Quiet

TURN_OF_THE_LAST = 8
"""Every so many steps it is the turn of the one that waited longest, whatever its priority."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something to do: since when it is due, and how urgent it is."""

    since_us: int
    priority: int


def due_us(flow: Flow, last_us: int | None, now_us: int) -> int | None:
    """When a flow that last began at `last_us` (None: never) is to begin; None: not by the clock.

    What falls into quiet hours begins at their end; what was missed while nobody was there begins now, once.
    """
    if flow.at is not None:
        wanted_us = _next_us(flow, now_us if last_us is None else last_us)
    elif flow.every_us is not None:
        wanted_us = now_us if last_us is None else last_us + flow.every_us
    else:
        return None
    # A clock that was set back must not stop a flow for as long as it went.
    if flow.every_us is not None and wanted_us > now_us + flow.every_us:
        wanted_us = now_us
    begin_us = max(wanted_us, now_us)
    return begin_us if flow.quiet is None else awake_us(flow.quiet, begin_us)


def awake_us(quiet: Quiet, at_us: int) -> int:
    """The first time at or after this one that is not in the quiet hours."""
    local = _datetime(at_us).astimezone(quiet.zone)
    clock = local.time()
    within_a_day = quiet.start <= clock < quiet.end
    over_midnight = quiet.start > quiet.end and (clock >= quiet.start or clock < quiet.end)
    if not within_a_day and not over_midnight:
        return at_us
    day = local.date() + timedelta(days=1 if quiet.start > quiet.end and clock >= quiet.start else 0)
    end = datetime.combine(day, quiet.end, quiet.zone).astimezone(UTC)
    return max(at_us, _us(end))


def first(waiting: Sequence[Due], steps: int) -> int | None:
    """The place of the one whose turn it is; None where nothing waits. `steps`: how many turns there were already."""
    places = range(len(waiting))
    if steps % TURN_OF_THE_LAST == TURN_OF_THE_LAST - 1:
        return min(places, key=lambda place: waiting[place].since_us, default=None)
    return min(places, key=lambda place: (waiting[place].priority, waiting[place].since_us), default=None)


def _next_us(flow: Flow, after_us: int) -> int:
    return _us(next(CronSim(str(flow.at), _datetime(after_us).astimezone(flow.zone))).astimezone(UTC))


def _datetime(at_us: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)


def _us(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
