"""What users do between the sink's reading and its writing, or to a row that stands in a create's way."""

from typing import Any

import pytest

from schemas.messages import Command
from tests.unit.remote.bench import Bench, bench, row, told

ADA = {"email": "ada@example.org", "name": "Ada"}
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
