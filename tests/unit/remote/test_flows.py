"""The setting `flows`, and when each flow is due."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import RefusedError
from connectors.remote.flows import Flow, read_flows, usual
from connectors.remote.schedule import TURN_OF_THE_LAST, Due, awake_us, due_us, first

MINUTE_US = 60_000_000
NOW_US = 1_700_000_000_000_000


def flow(one: Any) -> Flow:
    return read_flows("blog", {"members": [one]}, ["members"])["members"][0]


def at_us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def shown(time_us: int | None) -> str:
    assert time_us is not None
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat()


@pytest.mark.parametrize(
    ("one", "kind", "every_us", "priority"),
    [
        ("webhook", "webhook", None, 1),
        ("manual", "manual", None, 2),
        ("poll", "poll", MINUTE_US, 3),
        ({"poll": "30s"}, "poll", MINUTE_US // 2, 3),
        ({"sweep": {"every": "6h", "priority": 5}}, "sweep", 360 * MINUTE_US, 5),
        ({"sweep": {"at": "0 3 * * *"}}, "sweep", None, 8),
        ({"removed": "5m"}, "removed", 5 * MINUTE_US, 4),
        ({"webhook": {"priority": 6}}, "webhook", None, 6),
        ({"manual": {"priority": 1}}, "manual", None, 1),
    ],
)
def test_a_flow_is_read(one: Any, kind: str, every_us: int | None, priority: int) -> None:
    found = flow(one)
    assert (found.kind, found.every_us, found.priority) == (kind, every_us, priority)


@pytest.mark.parametrize(
    ("flows", "reason"),
    [
        ([], "no mapping"),
        ({"member": ["poll"]}, "flows.member: there is no such resource. Did you mean members"),
        ({"members": "poll"}, "flows.members: it is no list"),
        ({"members": []}, "it is no list"),
        ({"members": ["pol"]}, "pol is no flow. Did you mean poll"),
        ({"members": [{"poll": "30"}]}, "flows.members.0.poll.every: '30' must be a duration"),
        ({"members": [{"poll": {"each": "30s"}}]}, "poll.each: poll has no such setting"),
        ({"members": [{"sweep": {"every": "6h", "at": "0 3 * * *"}}]}, "exclude each other"),
        ({"members": [{"sweep": {"at": "61 * * * *"}}]}, "sweep.at: .*is no cron expression"),
        ({"members": [{"sweep": {"at": "0 3 * * *", "zone": "Mars/Base"}}]}, "no time zone Mars/Base"),
        ({"members": [{"poll": {"quiet": "22-6"}}]}, "no span of hours"),
        ({"members": [{"poll": {"quiet": "25:00-06:00"}}]}, "an hour that no day has"),
        ({"members": [{"poll": {"quiet": "06:00-06:00"}}]}, "quiet for ever"),
        ({"members": [{"poll": {"priority": 10}}]}, "from 1 .first. to 9"),
        ({"members": ["poll", {"poll": "30s"}]}, "poll is there twice"),
        ({"members": [{"webhook": {"quiet": "22:00-06:00"}}]}, "webhook has no such setting. It knows priority"),
        ({"members": [{"webhook": "5m"}]}, "webhook.every: webhook has no such setting"),
        ({"members": [{"webhook": {"priority": 0}}]}, "webhook.priority: 0 is no whole number"),
    ],
)
def test_flows_that_do_not_fit_are_refused(flows: Any, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        read_flows("blog", flows, ["members"])


def test_the_usual_flows_depend_on_what_the_application_offers() -> None:
    assert [one.kind for one in usual(since=True)] == ["poll", "sweep", "manual"]
    assert [one.kind for one in usual(since=False)] == ["sweep", "manual"]
    assert [one.kind for one in usual(since=False, hooked=True)] == ["webhook", "sweep", "manual"]


def test_a_flow_is_due_at_once_and_then_from_time_to_time() -> None:
    every = flow({"poll": "1m"})
    assert due_us(every, None, NOW_US) == NOW_US
    assert due_us(every, NOW_US, NOW_US + 1) == NOW_US + MINUTE_US
    assert due_us(every, NOW_US, NOW_US + 5 * MINUTE_US) == NOW_US + 5 * MINUTE_US
    assert due_us(flow("manual"), None, NOW_US) is None


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    assert due_us(flow({"poll": "1m"}), NOW_US + 1000 * MINUTE_US, NOW_US) == NOW_US


@pytest.mark.parametrize(
    ("last", "due"),
    [
        ("2026-01-10T12:00:00+00:00", "2026-01-11T02:00:00+00:00"),
        ("2026-07-10T12:00:00+00:00", "2026-07-11T01:00:00+00:00"),
    ],
)
def test_a_time_of_day_is_by_the_clock_of_its_zone(last: str, due: str) -> None:
    nightly = flow({"sweep": {"at": "0 3 * * *", "zone": "Europe/Berlin"}})
    assert shown(due_us(nightly, at_us(last), at_us(last))) == due


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-01-10T20:59:00+00:00", "2026-01-10T20:59:00+00:00"),
        ("2026-01-10T21:30:00+00:00", "2026-01-11T05:00:00+00:00"),
        ("2026-01-10T03:00:00+00:00", "2026-01-10T05:00:00+00:00"),
        ("2026-01-10T05:00:00+00:00", "2026-01-10T05:00:00+00:00"),
    ],
)
def test_quiet_hours_end_in_the_morning(now: str, due: str) -> None:
    quiet = flow({"poll": {"every": "1m", "quiet": "22:00-06:00 Europe/Berlin"}})
    assert shown(due_us(quiet, None, at_us(now))) == due


@given(minute=st.integers(0, 3 * 366 * 1440))
def test_after_quiet_hours_it_is_not_quiet(minute: int) -> None:
    quiet = flow({"poll": {"quiet": "22:00-06:00 Europe/Berlin"}}).quiet
    assert quiet is not None
    now_us = at_us("2026-01-01T00:00:00+00:00") + minute * MINUTE_US
    awake = awake_us(quiet, now_us)
    assert awake_us(quiet, awake) == awake >= now_us
    assert awake - now_us <= 9 * 60 * MINUTE_US


def test_the_urgent_go_first_and_nobody_waits_for_ever() -> None:
    waiting = [Due(5, 8), Due(9, 1), Due(7, 1)]
    assert first(waiting, 0) == 2
    assert first(waiting, TURN_OF_THE_LAST - 1) == 0
    assert first([], 0) is None
