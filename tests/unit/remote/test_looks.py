"""Numbers, locks, overlapping writes, creates under way, and notes put together."""

import asyncio
from collections.abc import Mapping

import pytest

from connectors.errors import UnreachableError
from connectors.remote.intents import Grouped
from connectors.remote.looks import Creates, Numbers, RowLocks, Writes
from connectors.remote.marks import GONE, Mark, Marks, encode, name
from tests.unit.remote.bench import DictNotes

ROW = ("contact", "[1]")


def test_numbers_never_go_back_though_the_clock_does() -> None:
    times = iter([100, 50, 50, 200])
    numbers = Numbers(lambda: next(times), last=90)
    assert [numbers.take() for _ in range(4)] == [100, 101, 102, 200]


def test_numbers_go_on_after_the_last_one_noted() -> None:
    assert Numbers(lambda: 10, last=500).take() == 501


async def test_a_row_has_one_reader_or_writer_at_a_time() -> None:
    locks, order = RowLocks(), list[str]()

    async def work(label: str) -> None:
        async with locks.of(ROW):
            order.append(f"{label} begins")
            await asyncio.sleep(0)
            order.append(f"{label} ends")

    await asyncio.gather(work("a"), work("b"))
    assert order == ["a begins", "a ends", "b begins", "b ends"]
    assert len(locks) == 0


async def test_a_reader_that_gives_up_leaves_no_lock() -> None:
    locks = RowLocks()
    async with locks.of(ROW):
        waiting = asyncio.create_task(_take(locks))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert len(locks) == 0


async def _take(locks: RowLocks) -> None:
    async with locks.of(ROW):
        pass


@pytest.mark.parametrize(
    ("steps", "overlapped"),
    [
        ("page", False),
        ("begin end page", False),
        ("begin page", True),
        ("begin page end", True),
        ("page begin", True),
        ("page begin end", True),
        ("page happened", True),
        ("happened page", False),
    ],
)
def test_writes_overlap_a_page_from_its_request_on(steps: str, overlapped: bool) -> None:
    writes, page = Writes(), 0
    writes.page_begins()
    for step in steps.split():
        if step == "page":
            page = writes.page_begins()
        else:
            {"begin": writes.begin, "end": writes.end, "happened": writes.happened}[step](ROW)
    assert writes.overlapped(page, ROW) is overlapped


def test_what_happened_is_forgotten_with_the_last_page() -> None:
    writes = Writes()
    page = writes.page_begins()
    writes.happened(ROW)
    writes.page_ends(page)
    assert not writes.overlapped(writes.page_begins(), ROW)


def test_looks_wait_for_creates_as_far_as_they_must() -> None:
    creates = Creates()
    creates.begin("contact", "one")
    creates.begin("contact", "two")
    creates.made("contact", "two", "[2]")
    assert len(creates.under_way("contact")) == 2
    assert len(creates.under_way("contact", "[2]")) == 1
    assert creates.under_way("contact", "[1]") == creates.under_way("order") == []
    (two,) = creates.under_way("contact", "[2]")
    creates.end("contact", "two")
    assert two.is_set() and len(creates.under_way("contact")) == 1


async def test_notes_put_at_the_same_time_share_a_request() -> None:
    notes = DictNotes()
    grouped = Grouped(notes)
    await asyncio.gather(*(grouped.put({str(number): b"x"}) for number in range(50)))
    assert len(notes.values) == 50 and notes.puts <= 2


async def test_what_goes_along_with_a_request_is_as_of_its_sending() -> None:
    notes, numbers = DictNotes(), iter(range(10))
    grouped = Grouped(notes, lambda: {"number": str(next(numbers)).encode()})
    first, second = asyncio.create_task(grouped.put({"a": b"1"})), asyncio.create_task(grouped.put({"b": b"2"}))
    await asyncio.sleep(0)
    notes.values["number"] = b"reserved meanwhile"
    await asyncio.gather(first, second)
    assert notes.values["number"] == b"1"


async def test_what_one_failed_to_put_another_puts() -> None:
    notes = DictNotes(trouble=UnreachableError("blog", "", "", ""))
    grouped = Grouped(notes)
    first, second = asyncio.create_task(grouped.put({"a": b"1"})), asyncio.create_task(grouped.put({"b": b"2"}))
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(results[0], UnreachableError)
    assert results[1] is None and notes.values["b"] == b"2"


async def test_whoever_gives_up_takes_nobody_s_notes_along() -> None:
    notes = DictNotes()
    grouped = Grouped(notes)
    first, second = asyncio.create_task(grouped.put({"a": b"1"})), asyncio.create_task(grouped.put({"b": b"2"}))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert notes.values["b"] == b"2"


def _noted(marks: Mapping[str, Mark]) -> dict[str, bytes]:
    return {note: data for note, mark in marks.items() if (data := encode(mark)) is not None}


def test_an_elder_look_never_takes_the_place_of_a_younger_one() -> None:
    note = name("contact", "[1]")
    marks = Marks(DictNotes(_noted({note: Mark(b"new", 7)})))
    marks.expect({note: Mark(b"old", 5)})
    assert marks.of("contact", "[1]") == Mark(b"new", 7)
    assert marks.settled({note: Mark(b"old", 5)}) == {}


def test_a_row_that_is_gone_is_remembered_only_for_its_version() -> None:
    assert encode(Mark(GONE, 5)) is None
    assert encode(Mark(GONE, 5, versioned=True)) is not None


def test_rows_are_those_that_are_there_or_were_told_to_be() -> None:
    kept = {name("contact", f"[{number}]"): Mark(b"x", 1) for number in (1, 2)}
    marks = Marks(DictNotes(_noted(kept)))
    marks.expect({name("contact", "[2]"): Mark(GONE, 9), name("contact", "[3]"): Mark(b"y", 9)})
    assert sorted(marks.rows("contact")) == ["[1]", "[3]"]
