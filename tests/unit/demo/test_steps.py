"""The steps of an example's showing: what users do on two sides, and when it counts as arrived."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from duplex.examples.sides import Row
from duplex.examples.steps import EXISTENCE, Edit, Pair


class People:
    """A side in memory. What is written `unseen` waits for the end of the block."""

    def __init__(self, name: str, *rows: Row) -> None:
        self.name = self.system = name
        self.people = {row["email"]: dict(row) for row in rows}
        self.calls: list[str] = []

    async def rows(self) -> Sequence[Row]:
        return list(self.people.values())

    async def create(self, row: Row) -> None:
        self.people[row["email"]] = dict(row)

    async def update(self, key: str, values: Row) -> None:
        self.calls.append(f"update {key}")
        self.people[key].update(values)

    async def delete(self, key: str) -> None:
        del self.people[key]

    @asynccontextmanager
    async def unseen(self) -> AsyncIterator[None]:
        self.calls.append("begin")
        yield
        self.calls.append("end")


ADA = {"email": "a", "name": "Ada", "note": None, "labels": []}


@pytest.fixture
def pair() -> Any:
    return Pair(People("crm", ADA), People("app", ADA), "email")  # type: ignore[arg-type]


async def test_the_first_sync_holds_when_both_sides_have_the_same_and_something(pair: Pair) -> None:
    step = pair.first_sync()
    await step.do()
    assert await step.held()
    await pair.right.delete("a")
    assert not await step.held()
    await pair.left.delete("a")
    assert not await step.held()


async def test_a_created_record_holds_when_the_other_side_says_the_same_of_it(pair: Pair) -> None:
    step = pair.created(pair.right, {"email": "b", "name": "Ben"})
    await step.do()
    assert not await step.held()
    await pair.left.create({"email": "b", "name": "B."})
    assert not await step.held()
    await pair.left.update("b", {"name": "Ben"})
    assert await step.held()


async def test_an_edit_holds_when_both_sides_show_it(pair: Pair) -> None:
    step = pair.edited(pair.left, "a", {"note": "met"})
    await step.do()
    assert step.edits == (Edit("a", "note", "met"),) and not await step.held()
    await pair.right.update("a", {"note": "met"})
    assert await step.held()


async def test_edits_at_once_are_made_before_either_side_can_see_the_other(pair: Pair) -> None:
    step = pair.apart("a", {"note": "met"}, {"name": "A."})
    await step.do()
    assert pair.left.calls == ["begin", "update a", "end"]  # type: ignore[attr-defined]
    assert not await step.held()
    await pair.right.update("a", {"note": "met"})
    await pair.left.update("a", {"name": "A."})
    assert await step.held()


async def test_a_clash_holds_when_one_of_the_two_values_is_on_both_sides(pair: Pair) -> None:
    step = pair.clashed("a", "name", "A.", "Mrs A.")
    await step.do()
    assert step.clash == "name" and not await step.held()
    await pair.right.update("a", {"name": "A."})
    assert await step.held()
    for side in (pair.left, pair.right):
        await side.update("a", {"name": "somebody else"})
    assert not await step.held()


async def test_lists_are_united_when_both_sides_have_the_items_of_both(pair: Pair) -> None:
    step = pair.united("a", "labels", ["x", "y"], ["x", "z"])
    await step.do()
    assert not await step.held()
    for side in (pair.left, pair.right):
        await side.update("a", {"labels": ["x", "y", "z"]})
    assert await step.held()


async def test_a_removal_holds_when_the_record_is_gone_from_both(pair: Pair) -> None:
    step = pair.removed(pair.left, "a")
    await step.do()
    assert step.edits == (Edit("a", EXISTENCE, None),) and not await step.held()
    await pair.right.delete("a")
    assert await step.held()
