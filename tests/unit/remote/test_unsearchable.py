"""An application that takes no second row with the same natural key, and has no search by it: creates that race."""

import asyncio
from typing import Any

import pytest

from connectors.remote.api import Abilities, AnswerLostError
from connectors.remote.creations import UNKNOWN, UNSEARCHABLE
from tests.unit.remote.bench import Bench, FakeClock, bench, told
from tests.unit.remote.hub import Hub, Side, until

EVE = {"email": "eve@example.org", "name": "Eve"}
TURNS = 40_000


def closed(**how: Any) -> Bench:
    return bench(unique=("email",), searchable=False, **how)


async def raced(blog: Bench) -> str:
    """A user's row that nobody has seen, and a create that it stands in the way of; its local id."""
    await blog.load()
    theirs = blog.members.insert(**EVE)
    command = blog.commands.create(EVE | {"name": "Eva"})
    result = await blog.result(command)
    said = UNSEARCHABLE.format(reason="email is taken", columns="email", record=command.record_id)
    assert (result.outcome, result.error, result.left) == ("failed", said, None)
    return theirs


async def test_the_refusal_says_what_may_be_in_the_way_and_what_to_do() -> None:
    blog = closed()
    theirs = await raced(blog)
    assert list(blog.members.rows()) == [theirs]
    assert told(await blog.next()) == [("u", theirs)]


async def test_sync_now_tells_the_row_that_was_in_the_way() -> None:
    blog = closed(flows=["manual"])
    theirs = await raced(blog)
    await blog.connector.sync_now("members")
    assert told(await blog.next()) == [("u", theirs)]


async def test_what_asks_again_after_the_row_went_unseen_makes_one() -> None:
    blog = closed()
    blog.members.delete(await raced(blog))
    result = await blog.result(blog.commands.create(EVE))
    assert result.outcome == "applied" and list(blog.members.rows()) == [result.local_id]


async def test_other_refusals_are_told_in_the_application_s_own_words_where_no_key_is_whole() -> None:
    blog = closed()
    await blog.load()
    blog.application.habits.refuses = lambda row: "no strangers"
    result = await blog.result(blog.commands.create({"email": None, "name": "Nobody"}))
    assert (result.outcome, result.error) == ("failed", "no strangers")


async def test_a_lost_answer_makes_no_second_row(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = closed()
    await blog.load()
    inner = blog.api.create

    async def lost(*arguments: Any) -> Any:
        await inner(*arguments)
        raise AnswerLostError("blog", "cut off")

    monkeypatch.setattr(blog.api, "create", lost)
    result = await blog.result(blog.commands.create(EVE))
    assert (result.outcome, result.error) == ("failed", UNKNOWN)
    assert len(blog.members.rows()) == 1 and len(await blog.next()) == 1


class Offices:
    """Two applications; the blog has a unique address and no search. Its process does not run until it is started."""

    def __init__(self) -> None:
        self.hub, clock = Hub(), FakeClock()
        self.blog = Side("blog", self.hub, clock, 1, Abilities(), unique=("email",), searchable=False)
        self.shop = Side("shop", self.hub, clock, 2, Abilities())

    def names(self) -> list[list[Any]]:
        """The names in each."""
        return [[one["name"] for one in side.members.rows().values()] for side in (self.blog, self.shop)]

    async def refused(self) -> str:
        """Somebody makes Eve in both, and the create of one is refused by the other, which nobody has read."""
        await self.shop.start()
        await self.blog.start(reading=False)
        theirs = self.blog.members.insert(**EVE)
        self.shop.members.insert(**EVE | {"name": "Eva"})
        await until(lambda: bool(self.hub.refusals()), TURNS, lambda: str(self.hub.waiting))
        assert self.hub.refusals() == {"r-eve@example.org": {"blog"}}
        return theirs

    async def read(self) -> None:
        """The blog is read as well from now on."""
        await self.blog.crash()
        await self.blog.start()

    async def end(self) -> None:
        await asyncio.gather(self.blog.crash(), self.shop.crash())


async def test_a_refused_create_is_at_rest_once_the_row_in_its_way_was_told() -> None:
    offices = Offices()
    await offices.refused()
    await offices.read()
    await until(lambda: offices.names() in ([["Eve"]] * 2, [["Eva"]] * 2), TURNS, lambda: str(offices.names()))
    assert not offices.hub.refusals() and len(offices.blog.members.rows()) == 1
    await offices.end()


async def test_a_refused_create_whose_obstacle_went_unseen_is_made_by_a_retry() -> None:
    offices = Offices()
    offices.blog.members.delete(await offices.refused())
    await offices.read()
    offices.hub.retry("r-eve@example.org")
    await until(lambda: offices.names() == [["Eva"]] * 2, TURNS, lambda: str(offices.names()))
    assert not offices.hub.refusals()
    await offices.end()
