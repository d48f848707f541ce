"""What users do between the sink's reading and its writing, to a row that stands in a create's way, or while an answer
cannot be kept."""

from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import REGISTRY

from connectors.base import Effect
from connectors.errors import UnreachableError
from connectors.remote.creations import TWIN
from connectors.remote.memory import able
from connectors.remote.sink import TRIES, RemoteSink
from schemas.messages import Command
from tests.unit.remote.bench import Bench, bench, row, told

ADA = {"email": "ada@example.org", "name": "Ada"}
EVE = {"email": "eve@example.org", "name": "Eve"}
RENAME = ({"name": "Ada"}, {"name": "Countess"})
MOVE = ({"email": "old@example.org"}, {"email": "ada@example.org"})


def edited_between(blog: Bench, monkeypatch: pytest.MonkeyPatch, local_id: str, **values: Any) -> None:
    """A user edits a row right before the sink's next write."""
    inner = blog.api.update

    async def write(*arguments: Any) -> Any:
        blog.members.update(local_id, **values)
        monkeypatch.undo()
        return await inner(*arguments)

    monkeypatch.setattr(blog.api, "update", write)


def moved_and_renamed(blog: Bench, local_id: str) -> Command:
    """The row has the new address already: only the name is written."""
    return blog.commands.update(local_id, MOVE, RENAME)


@pytest.mark.parametrize("versioned", [False, True])
async def test_an_edit_of_what_needed_no_writing_is_not_taken_for_the_application_s_form(
    versioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    blog = bench(versioned=versioned)
    ada = blog.members.insert(**ADA)
    await blog.load()
    edited_between(blog, monkeypatch, ada, email="eve@example.org")
    result = await blog.result(moved_and_renamed(blog, ada))
    assert blog.members.rows()[ada]["email"] == "eve@example.org"
    assert row(result.left)["email"] == row(result.found)["email"] == "ada@example.org"
    assert row(result.left)["name"] == "Countess" and result.found_order < result.left_order
    (change,) = await blog.next()
    assert told([change]) == [("u", ada)] and change.seq > result.left_order
    assert row(change.after)["email"] == "eve@example.org"


async def test_an_edit_of_a_column_that_no_command_is_about_is_in_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    await blog.load()
    edited_between(blog, monkeypatch, ada, credit="7")
    result = await blog.result(blog.commands.update(ada, RENAME))
    assert str(row(result.left)["credit"]).startswith("7")
    assert await blog.quiet() == []


@pytest.mark.parametrize("conditional", [False, True])
async def test_the_time_in_which_an_edit_would_be_covered_is_measured_where_there_is_any(conditional: bool) -> None:
    blog = bench(able(conditional=conditional))
    ada = blog.members.insert(email="ada@example.org", name="Ada")
    await blog.load()
    before = unprotected()
    assert (await blog.result(blog.commands.update(ada, RENAME))).outcome == "applied"
    assert unprotected() - before == (0 if conditional else 1)


def unprotected() -> float:
    return REGISTRY.get_sample_value("duplex_remote_unprotected_seconds_count", {"system": "blog"}) or 0.0


# --- a row that stands in a create's way


async def waiting(blog: Bench) -> tuple[RemoteSink, str]:
    """A create that was not answered, because a user's row that nobody has seen is in its way."""
    await blog.load()
    twin = blog.members.insert(**EVE)
    sink = blog.sink()
    (effect,) = await sink.apply([blog.commands.create(EVE | {"credit": "2"})])
    assert (effect.outcome, len(blog.members.rows())) == (None, 1)
    return sink, twin


async def retried(blog: Bench, sink: RemoteSink) -> Effect:
    await blog.clock.sleep(10)
    (effect,) = await sink.retry_parked()
    return effect


async def test_a_create_is_carried_out_when_what_was_in_its_way_goes_unseen() -> None:
    blog = bench()
    sink, twin = await waiting(blog)
    blog.members.delete(twin)
    effect = await retried(blog, sink)
    assert effect.outcome == "applied" and effect.result is not None
    assert list(blog.members.rows()) == [effect.result.local_id]


async def test_a_create_fails_when_what_was_in_its_way_is_told() -> None:
    blog = bench()
    sink, twin = await waiting(blog)
    assert told(await blog.next()) == [("u", twin)]
    effect = await retried(blog, sink)
    assert (effect.outcome, effect.error) == ("failed", TWIN.format(columns="email"))
    assert list(blog.members.rows()) == [twin]


async def test_a_row_that_came_in_a_create_s_way_is_looked_at_before_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench(unique=("email",))
    await blog.load()
    inner = blog.api.create

    async def create(*arguments: Any) -> Any:
        blog.members.insert(**EVE)
        return await inner(*arguments)

    monkeypatch.setattr(blog.api, "create", create)
    sink = blog.sink()
    (effect,) = await sink.apply([blog.commands.create(EVE)])
    assert effect.outcome is None
    assert len(await blog.next()) == 1
    assert (await retried(blog, sink)).outcome == "failed"


async def test_a_create_waits_also_over_a_restart() -> None:
    blog = bench()
    _, twin = await waiting(blog)
    blog.restart()
    sink = blog.sink()
    assert await sink.retry_parked() == []
    assert told(await blog.next()) == [("u", twin)]
    assert (await retried(blog, sink)).outcome == "failed"


# --- an answer that cannot be kept


async def test_a_command_that_waits_to_be_noted_is_not_carried_out_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    ada, eve = blog.members.insert(**ADA), blog.members.insert(**EVE)
    put, sink, command = blog.notes.put, blog.sink(), blog.commands.update(ada, RENAME)

    async def failing(values: Mapping[str, bytes | None]) -> None:
        if blog.members.rows()[ada]["name"] == "Countess" and any(name.startswith("command/") for name in values):
            raise UnreachableError("kafka", "there", "kafka", "it is away")
        await put(values)

    monkeypatch.setattr(blog.notes, "put", failing)
    for _ in range(TRIES - 1):
        with pytest.raises(UnreachableError):
            await sink.apply([command])
    assert (await sink.apply([command]))[0].outcome is None
    monkeypatch.setattr(blog.notes, "put", put)
    blog.members.update(ada, name="Lady")
    await sink.apply([blog.commands.update(eve, ({"name": "Eve"}, {"name": "Eva"}))])
    result = (await retried(blog, sink)).result
    assert result is not None
    assert (row(result.found)["name"], row(result.left)["name"]) == ("Ada", "Countess")
