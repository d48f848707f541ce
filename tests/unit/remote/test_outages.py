"""An application that does not answer: noted with the time it began, across restarts, until it answers again."""

import pytest
from prometheus_client import REGISTRY

from connectors.errors import RefusedError, UnreachableError
from connectors.remote import outages
from tests.unit.remote.bench import Bench, bench

WANT = {"email": "ada@example.org", "name": "Ada"}


def noted(blog: Bench) -> dict[str, outages.Outage]:
    """The outages in the notes, by side."""
    found = {side: blog.notes.get(outages.PREFIX + side) for side in outages.SIDES}
    return {side: outages.read(data) for side, data in found.items() if data is not None}


def down() -> float | None:
    return REGISTRY.get_sample_value("duplex_remote_down", {"system": "blog"})


async def refused_to_write(blog: Bench) -> None:
    with pytest.raises(UnreachableError):
        await blog.apply(blog.commands.create(WANT))


def reaching(blog: Bench) -> outages.Reach:
    return outages.Reach("blog", blog.notes, blog.clock)


def away(reason: str = "HTTP 503", setting: str = "systems.blog.url") -> UnreachableError:
    return UnreachableError("blog", "https://blog", setting, reason)


async def test_reading_and_writing_are_told_apart() -> None:
    blog = bench()
    await blog.load()
    reach = reaching(blog)
    await reach.lost("writing", away())
    assert set(noted(blog)) == {"writing"} and down() == 1
    await reach.lost("reading", away("no connection"))
    await reach.back("writing")
    assert {side: one.reason for side, one in noted(blog).items()} == {"reading": "no connection"} and down() == 1
    await reach.back("reading")
    assert not noted(blog) and down() == 0


async def test_it_lasts_across_restarts_and_is_noted_once_a_minute_or_when_the_answer_is_another() -> None:
    blog = bench()
    await reaching(blog).lost("reading", away())
    (first,) = noted(blog).values()
    again = reaching(blog)
    puts = blog.notes.puts
    await again.lost("reading", away())
    assert blog.notes.puts == puts
    await again.lost("reading", away("HTTP 502"))
    blog.clock.at_us += outages.NOTED_AGAIN_US
    await again.lost("reading", away("HTTP 502"))
    (last,) = noted(blog).values()
    assert (last.since_us, last.reason, blog.notes.puts - puts) == (first.since_us, "HTTP 502", 2)
    assert last.last_us >= first.last_us + outages.NOTED_AGAIN_US


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (RefusedError("blog", "setting systems.blog.auth.key", "HTTP 401", "Correct it."), "systems.blog.auth.key"),
        (RefusedError("blog", "GET https://blog/members", "HTTP 405", "Correct it."), "systems.blog"),
        (away(setting="kafka.bootstrap"), None),
    ],
)
async def test_only_what_the_application_does_counts(
    error: UnreachableError | RefusedError, setting: str | None
) -> None:
    blog = bench()
    await reaching(blog).lost("writing", error)
    assert [one.setting for one in noted(blog).values()] == ([setting] if setting else [])


async def test_source_and_sink_note_it_and_take_it_back() -> None:
    blog = bench()
    await blog.load()
    blog.application.habits.down = True
    await refused_to_write(blog)
    with pytest.raises(UnreachableError):
        await blog.next()
    assert set(noted(blog)) == {"reading", "writing"}
    blog.application.habits.down = False
    assert (await blog.result(blog.commands.create(WANT))).outcome == "applied"
    await blog.quiet(2)
    assert not noted(blog)


async def test_that_notes_are_away_too_stops_nothing_and_is_made_good() -> None:
    blog = bench()
    reach = reaching(blog)
    await reach.lost("reading", away())
    blog.notes.trouble = away(setting="kafka.bootstrap")
    await reach.back("reading")
    assert noted(blog)
    await reach.back("reading")
    assert not noted(blog)
