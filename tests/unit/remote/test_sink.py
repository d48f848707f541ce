"""The sink: compare and write, answers, and what comes after lost answers, crashes and repeats."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from connectors.base import Effect, Removal
from connectors.errors import UnreachableError
from connectors.remote.api import AnswerLostError, Found
from connectors.remote.creations import TWIN
from connectors.remote.memory import able
from connectors.remote.sink import TRIES, RemoteSink
from schemas.messages import Command, Result
from tests.unit.remote.bench import SPEC, Bench, bench, row, told

ADA = {"email": "ada@example.org", "name": "Ada"}
NEW = {"email": "eve@example.org", "name": "Eve", "credit": "1.50", "labels": ["a"]}
RENAME = ({"name": "Ada"}, {"name": "Countess"})


def renamed(blog: Bench, local_id: str) -> Command:
    return blog.commands.update(local_id, RENAME)


def told_of(result: Result, column: str) -> tuple[Any, Any]:
    """What was found in a column, and what was left in it."""
    return row(result.found)[column], row(result.left)[column]


def crash_after_write(blog: Bench, monkeypatch: pytest.MonkeyPatch, method: str = "update") -> None:
    """The next write takes effect, and the process ends before it hears of it."""
    inner = getattr(blog.api, method)

    async def write(*arguments: Any) -> None:
        await inner(*arguments)
        monkeypatch.undo()
        raise UnreachableError("blog", "here", "there", "the process ended")

    monkeypatch.setattr(blog.api, method, write)


# --- compare and write


async def test_a_unit_that_is_as_expected_is_written() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    result = await blog.result(renamed(blog, ada))
    assert blog.members.rows()[ada]["name"] == "Countess"
    assert (row(result.found)["name"], row(result.left)["name"]) == ("Ada", "Countess")
    assert result.found_order < result.left_order and result.outcome == "applied"


async def test_a_unit_that_somebody_edited_is_left_alone() -> None:
    blog = bench()
    ada = blog.members.insert(email="new@example.org", name="Ada")
    units = ({"email": "ada@example.org"}, {"email": "old@example.org"}), RENAME
    result = await blog.result(blog.commands.update(ada, *units))
    assert blog.members.rows()[ada]["email"] == "new@example.org"
    assert blog.members.rows()[ada]["name"] == "Countess"
    assert row(result.found)["email"] == row(result.left)["email"] == "new@example.org"


async def test_a_row_that_holds_it_already_is_not_written() -> None:
    blog = bench()
    ada = blog.members.insert(email="ada@example.org", name="Countess")
    result = await blog.result(renamed(blog, ada))
    assert blog.members.stored[ada].version == 1
    assert result.found == result.left and result.found_order == result.left_order


async def test_a_row_that_is_gone_is_told_as_gone() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    blog.members.delete(ada)
    result = await blog.result(renamed(blog, ada))
    assert (result.found, result.left, result.outcome) == (None, None, "applied")


async def test_what_the_application_makes_of_a_value_is_told() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    blog.application.habits.normalise = lambda one: one | {"name": str(one["name"]).upper()}
    assert row((await blog.result(renamed(blog, ada))).left)["name"] == "COUNTESS"


async def test_a_row_that_is_refused_fails_alone() -> None:
    blog = bench()
    ada, bob = blog.members.insert(**ADA), blog.members.insert(email="bob@example.org", name="Ada")
    blog.application.habits.refuses = lambda one: "no countesses" if one["email"] == ADA["email"] else None
    first, second = await blog.apply(renamed(blog, ada), renamed(blog, bob))
    assert (first.outcome, first.error, second.outcome) == ("failed", "no countesses", "applied")
    assert first.result is not None and first.result.found == first.result.left


async def test_a_conditional_write_covers_no_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench(able(conditional=True))
    ada = blog.members.insert(**ADA)
    inner = blog.api.update

    async def late(before: Found, values: Any) -> Found:
        monkeypatch.undo()
        blog.members.update(ada, name="A user's")
        return await inner(before, values)

    monkeypatch.setattr(blog.api, "update", late)
    result = await blog.result(renamed(blog, ada))
    assert blog.members.rows()[ada]["name"] == row(result.found)["name"] == "A user's"


async def test_a_delete_goes_only_where_the_row_is_as_expected() -> None:
    blog = bench()
    ada, bob = blog.members.insert(**ADA), blog.members.insert(email="bob@example.org", name="Bob")
    gone = await blog.result(blog.commands.delete(ada, ADA))
    kept = await blog.result(blog.commands.delete(bob, {"email": "bob@example.org", "name": "Robert"}))
    assert list(blog.members.rows()) == [bob]
    assert gone.found is not None and gone.left is None
    assert kept.found == kept.left


async def test_an_inactive_row_is_marked_and_taken_up_again() -> None:
    blog = bench()
    removal = Removal("inactive", column="labels", value=["gone"], restore=[])
    spec = replace(SPEC, columns=("email", "name"), units=(("email",), ("name",)), removal=removal)
    blog.specs = (spec,)
    ada = blog.members.insert(**ADA)
    await blog.result(blog.commands.delete(ada, ADA))
    assert blog.members.rows()[ada]["labels"] == ["gone"]
    result = await blog.result(blog.commands.create({"email": "ada@example.org", "name": "Ada again"}))
    assert blog.members.rows() == {ada: blog.members.rows()[ada] | {"name": "Ada again", "labels": []}}
    assert result.local_id == ada


# --- creates


async def test_a_create_makes_a_row_and_names_it() -> None:
    blog = bench()
    result = await blog.result(blog.commands.create(NEW))
    assert list(blog.members.rows()) == [result.local_id]
    assert result.found is None and row(result.left)["email"] == "eve@example.org"
    assert result.found_order < result.left_order


async def test_a_twin_is_not_doubled() -> None:
    blog = bench()
    blog.members.insert(email="eve@example.org", name="Another Eve")
    await blog.load()
    result = await blog.result(blog.commands.create(NEW))
    assert len(blog.members.rows()) == 1
    assert (result.outcome, result.error) == ("failed", TWIN.format(columns="email"))
    # Numbered before the twin's own look, which may come first: else it would read as the twin's end.
    assert (result.found_order, result.left_order) == (0, 0)


@pytest.mark.parametrize("how", ["idempotent", "marker", "natural key"])
async def test_a_create_whose_answer_is_lost_makes_one_row(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    abilities = {"idempotent": able(idempotent=True), "marker": able(marker="name"), "natural key": able()}[how]
    blog = bench(abilities)
    if how == "marker":
        blog.specs = (replace(SPEC, match=(), columns=("email",), units=(("email",),)),)
    create = blog.commands.create({"email": "eve@example.org"})
    crash_after_write(blog, monkeypatch, "create")
    with pytest.raises(UnreachableError):
        await blog.apply(create)
    blog.restart()
    result = await blog.result(create)
    assert list(blog.members.rows()) == [result.local_id]
    assert (result.found, result.outcome) == (None, "applied")


async def test_a_create_of_which_nothing_can_be_known_fails() -> None:
    blog = bench(searchable=False)
    blog.application.habits.lost_after = 1.0
    result = await blog.result(blog.commands.create(NEW))
    assert len(blog.members.rows()) == 1
    assert result.outcome == "failed" and "is not known" in str(result.error)


async def test_a_create_that_never_arrived_is_sent_again() -> None:
    blog = bench()
    blog.application.habits.lost_before = 0.5
    await blog.result(blog.commands.create(NEW))
    assert len(blog.members.rows()) == 1


# --- crashes and repeats


async def test_a_write_that_was_heard_of_no_more_is_told_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    command = renamed(blog, ada)
    crash_after_write(blog, monkeypatch)
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    blog.restart()
    result = await blog.result(command)
    assert (row(result.found)["name"], row(result.left)["name"]) == ("Ada", "Countess")
    assert blog.members.stored[ada].version == 2


async def test_an_edit_after_a_crash_is_not_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    command = renamed(blog, ada)
    crash_after_write(blog, monkeypatch)
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    blog.members.update(ada, name="A user's")
    blog.restart()
    result = await blog.result(command)
    assert blog.members.rows()[ada]["name"] == "A user's"
    assert result.found == result.left


async def test_a_delete_that_was_heard_of_no_more_is_told_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    command = blog.commands.delete(ada, ADA)
    crash_after_write(blog, monkeypatch, "delete")
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    blog.restart()
    result = await blog.result(command)
    assert row(result.found)["name"] == "Ada" and result.left is None


async def test_a_batch_that_comes_again_is_answered_from_the_notes() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    command = renamed(blog, ada)
    first = await blog.result(command)
    blog.members.update(ada, name="Ada")
    blog.restart()
    assert await blog.result(command) == first
    assert blog.members.rows()[ada]["name"] == "Ada"


async def test_a_command_before_the_last_batch_has_no_second_effect() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    old, new = renamed(blog, ada), blog.commands.update(ada, ({"name": "Countess"}, {"name": "Ada"}))
    sink = blog.sink()
    await sink.apply([old])
    await sink.apply([new])
    blog.restart()
    (effect,) = await blog.apply(old)
    assert (effect.outcome, effect.result) == (None, None)
    assert blog.members.rows()[ada]["name"] == "Ada"


async def test_notes_of_commands_do_not_pile_up() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    sink = blog.sink()
    for number in range(20):
        await sink.apply([blog.commands.update(ada, ({"name": "Ada"}, {"name": str(number)}))])
    assert len(blog.notes.names("command/")) == 1


async def test_an_application_that_is_down_fails_the_batch_and_repeats_only_what_is_left() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    commands = [renamed(blog, ada), blog.commands.create(NEW)]
    blog.application.habits.down = True
    with pytest.raises(UnreachableError):
        await blog.apply(*commands)
    blog.application.habits.down = False
    assert [effect.outcome for effect in await blog.apply(*commands)] == ["applied", "applied"]


async def test_a_write_that_never_arrived_is_sent_beside_a_user_s_other_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """To leave it alone and say "found so, left so" would read as if the application had kept it so."""
    blog = bench()
    ada = blog.members.insert(**ADA)
    command = renamed(blog, ada)

    async def lost(before: Found, values: Any) -> Found:
        monkeypatch.undo()
        blog.members.update(ada, email="new@example.org")
        raise AnswerLostError("blog", "the connection broke")

    monkeypatch.setattr(blog.api, "update", lost)
    result = await blog.result(command)
    assert told_of(result, "email") == ("ada@example.org", "new@example.org")
    assert told_of(result, "name") == ("Ada", "Countess")
    assert blog.members.rows()[ada]["name"] == "Countess"


async def test_what_was_written_before_a_crash_is_told_beside_a_user_s_other_edit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    command = renamed(blog, ada)
    crash_after_write(blog, monkeypatch)
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    blog.members.update(ada, email="new@example.org")
    blog.restart()
    result = await blog.result(command)
    assert told_of(result, "email") == ("ada@example.org", "new@example.org")
    assert told_of(result, "name") == ("Ada", "Countess")
    assert blog.members.stored[ada].version == 3


async def turned_back(
    blog: Bench, monkeypatch: pytest.MonkeyPatch, column: str, value: str = "Ida"
) -> tuple[Result, str]:
    """A user edits, we read that and write something, the answer is lost, the user takes the edit back."""
    ada = blog.members.insert(**ADA)
    await blog.load()
    command = blog.commands.update(ada, RENAME, ({"credit": None}, {"credit": "7"}))
    blog.members.update(ada, **{column: value})
    crash_after_write(blog, monkeypatch)
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    blog.members.update(ada, **{column: ADA[column]})
    blog.restart()
    return await blog.result(command), ada


@pytest.mark.parametrize("versioned", [False, True])
async def test_an_edit_beside_a_lost_write_is_told_though_it_was_taken_back(
    versioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = await turned_back(bench(versioned=versioned), monkeypatch, "email")
    assert told_of(result, "email") == ("Ida", ADA["email"])
    assert told_of(result, "credit") == (None, 7)


@pytest.mark.parametrize("versioned", [False, True])
async def test_an_edit_under_a_lost_write_is_told_though_it_was_taken_back(
    versioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not as expected when it was read: what it is now is an edit of that, and nothing is written over it."""
    blog = bench(versioned=versioned)
    result, ada = await turned_back(blog, monkeypatch, "name")
    assert told_of(result, "name") == ("Ida", "Ada") and blog.members.rows()[ada]["name"] == "Ada"


@pytest.mark.parametrize("versioned", [False, True])
async def test_a_value_that_a_user_wrote_for_us_and_took_back_is_told_by_a_look(
    versioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found as wanted, left as expected would read as if the application had kept it so."""
    blog = bench(versioned=versioned)
    result, _ = await turned_back(blog, monkeypatch, "name", "Countess")
    assert told_of(result, "name") == ("Countess", "Countess")
    (change,) = await blog.next()
    assert row(change.after)["name"] == "Ada" and change.seq > result.left_order


# --- one row's trouble


def troubled(blog: Bench, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Command], str]:
    """Two commands, and a first row for which the application always answers with an error."""
    ada, bob = blog.members.insert(**ADA), blog.members.insert(email="bob@example.org", name="Ada")
    inner = blog.api.get

    async def get(local_id: str) -> Found | None:
        if local_id == ada:
            raise UnreachableError("blog", "here", "there", "it answered 500")
        return await inner(local_id)

    monkeypatch.setattr(blog.api, "get", get)
    return [renamed(blog, ada), renamed(blog, bob)], ada


async def park(sink: RemoteSink, commands: list[Command]) -> list[Effect]:
    """Try a batch as often as it takes."""
    for _ in range(TRIES - 1):
        with pytest.raises(UnreachableError):
            await sink.apply(commands)
    return list(await sink.apply(commands))


async def test_a_row_that_makes_trouble_delays_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    commands, _ = troubled(blog, monkeypatch)
    first, second = await park(blog.sink(), commands)
    assert (first.outcome, first.result, second.outcome) == (None, None, "applied")


async def test_a_command_that_waits_is_answered_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    commands, ada = troubled(blog, monkeypatch)
    await park(blog.sink(), commands)
    monkeypatch.undo()
    blog.restart()
    sink = blog.sink()
    (effect,) = await sink.retry_parked()
    assert effect.outcome == "applied" and blog.members.rows()[ada]["name"] == "Countess"
    assert list(await sink.retry_parked()) == [effect]
    await sink.reported([effect])
    assert list(await sink.retry_parked()) == []
    assert blog.notes.names("parked/") == []


async def test_the_answer_of_a_command_that_waited_also_comes_with_the_next_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog = bench()
    commands, _ = troubled(blog, monkeypatch)
    await park(blog.sink(), commands)
    monkeypatch.undo()
    sink = blog.sink()
    await sink.retry_parked()
    effects = await sink.apply([blog.commands.create(NEW)])
    assert [effect.command for effect in effects][1:] == [commands[0].id]


async def test_a_newer_command_takes_the_place_of_one_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    commands, ada = troubled(blog, monkeypatch)
    await park(blog.sink(), commands)
    monkeypatch.undo()
    newer = msgspec.structs.replace(commands[0], number=2, id=f"{commands[0].record_id}/blog/2", offset=99)
    sink = blog.sink()
    await sink.apply([newer])
    assert list(await sink.retry_parked()) == []
    assert blog.members.stored[ada].version == 2


async def test_an_application_that_is_down_parks_nothing() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    blog.application.habits.down = True
    sink = blog.sink()
    for _ in range(TRIES + 2):
        with pytest.raises(UnreachableError):
            await sink.apply([renamed(blog, ada)])
    assert blog.notes.names("parked/") == []


async def test_notes_that_cannot_be_put_park_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    commands, _ = troubled(blog, monkeypatch)
    sink = blog.sink()
    for _ in range(TRIES - 1):
        with pytest.raises(UnreachableError):
            await sink.apply(commands)
    blog.notes.trouble = UnreachableError("Kafka", "", "", "away")
    with pytest.raises(UnreachableError):
        await sink.apply(commands)
    first, second = await sink.apply(commands)
    assert (first.outcome, second.outcome) == (None, "applied")


# --- beside the source


async def test_our_own_writes_are_not_told_as_looks() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    await blog.load()
    await blog.apply(renamed(blog, ada), blog.commands.create(NEW))
    assert await blog.quiet(3) == []


async def test_an_edit_after_our_write_is_told_later_than_the_answer() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    await blog.load()
    result = await blog.result(renamed(blog, ada))
    blog.members.update(ada, name="A user's")
    (change,) = await blog.next()
    assert told([change]) == [("u", ada)] and change.seq > result.left_order


async def test_the_source_waits_for_what_the_last_process_left_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    await blog.load()
    command = renamed(blog, ada)
    crash_after_write(blog, monkeypatch)
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    blog.restart()
    reading = asyncio.create_task(blog.quiet(3))
    for _ in range(100):
        await asyncio.sleep(0)
    result = await blog.result(command)
    assert (row(result.found)["name"], row(result.left)["name"]) == ("Ada", "Countess")
    assert await reading == []
