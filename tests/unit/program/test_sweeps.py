"""How a status finds the sweeps of a system without a log: from the notes that the real source left."""

import asyncio

import pytest

from duplex.status import sweeps
from duplex.status.facts import Status, Sweep
from duplex.status.sentences import sentences
from tests.unit.program.test_sentences import NOW_S, RUNNING
from tests.unit.remote.bench import PATIENCE_S, Bench, bench


def stands(blog: Bench, *, is_whole: bool = True) -> Sweep:
    return sweeps.sweep("blog", "contact", "members", blog.notes.values, is_whole=is_whole)


def told(running: bool = True, **more: object) -> list[str]:
    found = Sweep(system="blog", entity="contact", **more)  # type: ignore[arg-type]
    lines = sentences(Status(pipeline="p", project="f", running=RUNNING if running else None, sweeps=[found]), NOW_S)
    return list(lines)[1:]


def before_us(seconds: float) -> int:
    return int((NOW_S - seconds) * 1e6)


async def test_before_the_load_nothing_is_known() -> None:
    found = stands(bench())
    assert (found.last_us, found.started_us, found.asked_us, found.is_loaded, found.rows) == (
        None,
        None,
        None,
        False,
        0,
    )


async def test_a_load_under_way_says_how_much_it_listed() -> None:
    blog = bench(page_size=2)
    for number in range(6):
        blog.members.insert(email=f"{number}@example.org")
    await blog.read(lambda found: len(found) >= 4)
    found = stands(blog)
    assert (found.started_us is not None, found.listed, found.is_loaded) == (True, 4, False)


async def test_after_the_load_rows_are_counted_but_not_those_that_are_gone() -> None:
    blog = bench()
    ada = blog.members.insert(email="ada@example.org")
    blog.members.insert(email="bob@example.org")
    await blog.load()
    blog.members.delete(ada)
    await blog.next()
    found = stands(blog)
    assert (found.rows, found.is_loaded, found.started_us, found.waiting) == (1, True, None, 0)
    assert found.last_us is not None
    assert stands(blog, is_whole=False).rows is None


@pytest.mark.parametrize("resource", [None, "members"])
async def test_what_is_asked_for_waits_until_a_sweep_begins(resource: str | None) -> None:
    blog = bench(flows=["manual"])
    blog.members.insert(email="ada@example.org")
    await blog.load()
    assert stands(blog).asked_us is None
    await blog.connector.sync_now(resource)
    assert stands(blog).asked_us is not None
    async with asyncio.timeout(PATIENCE_S):
        await blog.quiet(1)
    assert stands(blog).asked_us is None


def test_a_sweep_under_way_is_told_with_its_rows() -> None:
    assert told(started_us=before_us(125), listed=1204, is_loaded=False) == [
        "A first sweep of contact of blog is under way: it began 2 min ago, and has listed 1,204 rows."
    ]
    (line,) = told(False, started_us=before_us(5), listed=1)
    assert line.endswith("has listed 1 row. `duplex run` goes on with it.")


def test_one_that_was_asked_for_is_told_beside_the_last() -> None:
    assert told(asked_us=before_us(5), last_us=before_us(3600), rows=2, is_loaded=True) == [
        "A sweep of contact of blog was asked for 5 s ago, and has not begun.",
        "The last whole sweep of contact of blog began 1 h 0 min ago. 2 rows are known.",
    ]


def test_what_was_never_read_and_what_waits() -> None:
    assert told(False, is_loaded=False) == ["contact of blog was not read yet. `duplex run` begins with it."]
    (line,) = told(waiting=2)
    assert line.startswith("Sink blog: 2 commands wait to be tried again")
