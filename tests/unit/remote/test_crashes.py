"""What a process that ends at the wrong moment, or a clock that is set back, must not do: found by simulated histories
(`tests/simulation/applications`), each kept here by itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from connectors.base import Effect
from connectors.errors import UnreachableError
from connectors.remote import marks
from connectors.remote.api import Abilities, AnswerLostError, Found, Values
from connectors.remote.marks import UNSURE, Mark, Marks, Ordered
from connectors.remote.memory import able
from connectors.remote.sink import TRIES, RemoteSink
from schemas.messages import Command
from tests.unit.remote.bench import SPEC, Bench, DictNotes, bench, row
from tests.unit.remote.hub import until
from tests.unit.remote.test_sink import ADA, RENAME, crash_after_write, park, renamed, troubled

HOUR_US = 3_600_000_000


def restart_an_hour_earlier(blog: Bench) -> None:
    """The next process runs on a machine whose clock is an hour slow."""
    blog.clock.at_us -= HOUR_US
    blog.restart()


async def told_but_not_noted(blog: Bench) -> int:
    """A look is in Kafka, and the process ends before that is noted; the look's number."""
    (change,) = await blog.read(lambda found: len(found) >= 1, acked=False)
    return change.seq


async def test_the_end_of_a_row_is_told_though_the_row_was_not_noted() -> None:
    blog = bench()
    await blog.load()
    ada = blog.members.insert(**ADA)
    number = await told_but_not_noted(blog)
    blog.members.delete(ada)
    blog.restart()
    (change,) = await blog.next()
    assert (change.op, change.local_id) == ("d", ada) and change.seq > number


async def test_a_row_that_returned_to_what_was_noted_is_told_again() -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    await blog.load()
    blog.members.update(ada, name="Countess")
    await told_but_not_noted(blog)
    blog.members.update(ada, name="Ada")
    blog.restart()
    (change,) = await blog.next()
    assert row(change.after)["name"] == "Ada"


async def test_the_same_version_is_told_again_where_it_may_not_have_arrived() -> None:
    blog = bench(versioned=True)
    await blog.load()
    blog.members.insert(**ADA)
    number = await told_but_not_noted(blog)
    blog.restart()
    (change,) = await blog.next()
    assert change.seq == number


async def test_looks_after_a_crash_come_later_though_the_clock_was_set_back() -> None:
    blog = bench()
    await blog.load()
    ada = blog.members.insert(**ADA)
    number = await told_but_not_noted(blog)
    restart_an_hour_earlier(blog)
    blog.members.update(ada, name="Countess")
    (change,) = await blog.next()
    assert change.seq > number


async def test_what_is_left_comes_after_what_was_found_though_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog = bench()
    command = renamed(blog, blog.members.insert(**ADA))
    crash_after_write(blog, monkeypatch)
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    restart_an_hour_earlier(blog)
    result = await blog.result(command)
    assert result.found_order < result.left_order


async def test_a_sweep_goes_on_though_the_clock_was_set_back() -> None:
    blog = bench(page_size=2)
    ids = [blog.members.insert(email=f"{number}@example.org") for number in range(6)]
    await blog.read(lambda found: len(found) >= 4)
    restart_an_hour_earlier(blog)
    rest = await blog.load()
    assert {change.local_id for change in rest} >= set(ids[4:])
    assert blog.clock.at_us < HOUR_US // 2 + 1_700_000_000_000_000 - HOUR_US // 2


@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("how", [able(), able(idempotent=True), able(marker="name")])
async def test_a_row_told_before_its_create_is_answered_is_not_said_to_have_been_gone_since(
    how: Abilities, versioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    blog = bench(how, versioned=versioned)
    blog.specs = (replace(SPEC, columns=("email", "credit"), units=(("email",), ("credit",))),)
    await blog.load()
    create = blog.commands.create({"email": "eve@example.org", "credit": None})
    crash_after_write(blog, monkeypatch, "create")
    with pytest.raises(UnreachableError):
        await blog.apply(create)
    blog.restart()
    (told,) = await blog.next()
    result = await blog.result(create)
    assert (result.found, result.outcome) == (None, "applied")
    assert result.found_order < told.seq <= result.left_order


@pytest.mark.parametrize("how", ["idempotent", "marker"])
async def test_an_edit_of_a_row_just_made_is_not_taken_for_the_application_s_form(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blog = bench(able(idempotent=True) if how == "idempotent" else able(marker="name"))
    blog.specs = (replace(SPEC, match=(), columns=("email", "credit"), units=(("email",), ("credit",))),)
    await blog.load()
    create = blog.commands.create({"email": "eve@example.org", "credit": None})
    crash_after_write(blog, monkeypatch, "create")
    with pytest.raises(UnreachableError):
        await blog.apply(create)
    (eve,) = blog.members.rows()
    blog.members.update(eve, credit="7")
    blog.restart()
    result = await blog.result(create)
    assert (result.found, row(result.left)["credit"]) == (None, None)
    blog.connector._engine.creates.end("contact", create.id)  # type: ignore[union-attr]
    (change,) = await blog.next()
    assert row(change.after)["credit"] == "7" and change.seq > result.left_order


async def test_a_row_that_went_after_a_lost_write_is_gone_later_than_it_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog = bench(versioned=True)
    ada = blog.members.insert(**ADA)
    await blog.load()
    for name in ("B", "C", "Ada"):
        blog.members.update(ada, name=name)
    command = renamed(blog, ada)
    crash_after_write(blog, monkeypatch)
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    blog.members.delete(ada)
    blog.restart()
    result = await blog.result(command)
    assert result.left is None and result.found_order < result.left_order


async def test_a_row_that_we_delete_is_gone_later_than_what_was_told_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench(versioned=True)
    ada = blog.members.insert(**ADA)
    await blog.load()
    inner, engine = blog.api.delete, blog.connector._engine

    async def delete(before: Found) -> None:
        engine.marks.expect({marks.name("contact", ada): Mark(b"delivered", 2, versioned=True)})  # type: ignore[union-attr]
        await inner(before)

    monkeypatch.setattr(blog.api, "delete", delete)
    result = await blog.result(blog.commands.delete(ada, ADA))
    assert result.left is None and result.left_order == 3


async def test_what_is_unsure_stays_so_though_an_elder_look_is_noted_meanwhile() -> None:
    """Else a process that ends then leaves nothing of a look that is in Kafka, and its row's end gets its number."""
    notes, note = DictNotes(), marks.name("contact", "[1]")
    ordered = Ordered(notes)
    elder, unsure = Mark(b"told", 1, versioned=True), Mark(UNSURE, 2, versioned=True)
    puts = [ordered.put({note: marks.encode(mark)}) for mark in (unsure, elder)]
    await asyncio.gather(*puts, ordered.put({note: marks.encode(elder), "loaded/contact": b"1"}))
    assert Marks(notes).of("contact", "[1]") == unsure and notes.get("loaded/contact") == b"1"


async def test_a_command_that_was_answered_late_opens_no_other_to_a_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    commands, ada = troubled(blog, monkeypatch)
    sink = blog.sink()
    await park(sink, commands)
    bob = commands[1]
    await sink.apply([blog.commands.create({"email": "eve@example.org"})])
    monkeypatch.undo()
    blog.clock.at_us += HOUR_US
    await sink.reported(await sink.retry_parked())
    await sink.apply([blog.commands.create({"email": "joe@example.org"})])
    blog.members.update(str(bob.local_id), name="Ada")
    blog.restart()
    assert [effect.result for effect in await blog.apply(bob)] == [None]
    assert blog.members.rows()[str(bob.local_id)]["name"] == "Ada"
    assert blog.members.rows()[ada]["name"] == "Countess"


async def test_a_late_answer_does_not_lower_the_fence_when_the_batch_before_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog = bench()
    commands, _ = troubled(blog, monkeypatch)
    sink, eve = blog.sink(), blog.commands.create({"email": "eve@example.org"})
    bob = commands[1]
    await park(sink, commands)
    await sink.apply([eve])
    monkeypatch.undo()
    blog.clock.at_us += HOUR_US
    await sink.reported(await sink.retry_parked())
    await sink.apply([eve])
    blog.members.update(str(bob.local_id), name="Ada")
    assert [effect.result for effect in await sink.apply([bob])] == [None]
    assert blog.members.rows()[str(bob.local_id)]["name"] == "Ada"


async def answer_not_noted(blog: Bench, monkeypatch: pytest.MonkeyPatch, sink: RemoteSink, command: Command) -> None:
    """The write is carried out; its answer is known to the process, and safe nowhere."""
    inner = blog.api.update

    async def update(before: Found, values: Values) -> Found:
        left = await inner(before, values)
        blog.notes.trouble = UnreachableError("kafka", "here", "there", "no answer")
        return left

    monkeypatch.setattr(blog.api, "update", update)
    with pytest.raises(UnreachableError):
        await sink.apply([command])
    monkeypatch.undo()


async def test_what_could_not_be_noted_with_an_answer_is_noted_before_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog = bench()
    ada = blog.members.insert(**ADA)
    await blog.load()
    sink, command = blog.sink(), renamed(blog, ada)
    await answer_not_noted(blog, monkeypatch, sink, command)
    (effect,) = await sink.apply([command])
    mark = Marks(blog.notes).of("contact", ada)
    assert effect.result is not None and mark is not None
    assert mark.order == effect.result.left_order


async def test_a_row_that_went_is_gone_later_than_an_answer_that_could_not_be_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog = bench(versioned=True)
    ada = blog.members.insert(**ADA)
    await blog.load()
    blog.members.update(ada, email="new@example.org")
    sink, command = blog.sink(), renamed(blog, ada)
    await answer_not_noted(blog, monkeypatch, sink, command)
    blog.members.delete(ada)
    (change,) = await blog.next()
    (effect,) = await sink.apply([command])
    assert effect.result is not None and change.op == "d"
    assert change.seq > effect.result.left_order


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_row_that_went_is_gone_later_than_a_command_without_an_answer_saw_it(
    monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    blog = bench(versioned=True)
    ada = blog.members.insert(**ADA)
    await blog.load()
    for email in ("b@example.org", "c@example.org"):
        blog.members.update(ada, email=email)
    command = renamed(blog, ada)

    async def update(before: Found, values: Values) -> Found:
        raise AnswerLostError("blog", "it went away")

    monkeypatch.setattr(blog.api, "update", update)
    with pytest.raises(UnreachableError):
        await blog.apply(command)
    if restarted:
        blog.restart()
        monkeypatch.setattr(blog.api, "get", unanswered)
        with pytest.raises(UnreachableError):
            await blog.apply(command)
    monkeypatch.undo()
    blog.members.delete(ada)
    (change,) = await blog.next()
    assert (change.op, change.seq) == ("d", 4)


async def unanswered(local_id: str) -> Found | None:
    raise AnswerLostError("blog", "it went away")


async def test_an_answer_may_be_reported_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    commands, _ = troubled(blog, monkeypatch)
    sink = blog.sink()
    await park(sink, commands)
    monkeypatch.undo()
    blog.clock.at_us += HOUR_US
    effects = list(await sink.retry_parked())
    await asyncio.gather(sink.reported(effects), sink.reported(effects))
    assert list(await sink.retry_parked()) == []


async def test_a_command_that_nobody_knows_to_wait_is_not_carried_out_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog = bench()
    commands, ada = troubled(blog, monkeypatch)
    sink = blog.sink()
    arrives_unheard_of(blog, monkeypatch, "parked/")
    for _ in range(TRIES):
        with pytest.raises(UnreachableError):
            await sink.apply(commands)
    assert blog.notes.names("parked/") != []
    monkeypatch.undo()
    await sink.apply(commands)
    blog.members.update(ada, name="Ada")
    blog.restart()
    await blog.sink().retry_parked()
    assert blog.members.rows()[ada]["name"] == "Ada"


def arrives_unheard_of(blog: Bench, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """Notes that begin so are kept, and nobody hears of it."""
    inner = blog.notes.put

    async def put(values: Mapping[str, bytes | None]) -> None:
        await inner(values)
        if any(name.startswith(prefix) for name in values):
            raise UnreachableError("kafka", "here", "there", "no answer")

    monkeypatch.setattr(blog.notes, "put", put)


async def test_the_answer_of_a_command_overtaken_while_it_was_tried_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    commands, ada = troubled(blog, monkeypatch)
    sink = blog.sink()
    await park(sink, commands)
    monkeypatch.undo()
    blog.clock.at_us += HOUR_US
    newer = msgspec.structs.replace(commands[0], number=2, id=f"{commands[0].record_id}/blog/2", offset=99)
    effects = await _overtaken(blog, sink, newer, monkeypatch)
    assert [effect.command for effect in effects] == [commands[0].id]
    assert blog.members.rows()[ada]["name"] == RENAME[1]["name"]


async def _overtaken(blog: Bench, sink: Any, newer: Command, monkeypatch: pytest.MonkeyPatch) -> list[Effect]:
    """The newer command of the record comes while the one that waits is being written."""
    inner, overtaking = blog.api.update, list[asyncio.Task[Any]]()

    async def update(*arguments: Any) -> Any:
        monkeypatch.undo()
        overtaking.append(asyncio.create_task(sink.apply([newer])))
        await until(lambda: not blog.notes.names("parked/"), 1000, lambda: "it still waits")
        return await inner(*arguments)

    monkeypatch.setattr(blog.api, "update", update)
    effects = list(await sink.retry_parked())
    await asyncio.gather(*overtaking)
    return effects


@pytest.mark.parametrize("answered", [False, True])
async def test_a_command_whose_place_a_newer_one_took_is_not_carried_out_when_it_comes_again(
    answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    blog = bench()
    commands, ada = troubled(blog, monkeypatch)
    sink, older = blog.sink(), commands[0]
    await park(sink, [older])
    monkeypatch.undo()
    if answered:
        blog.clock.at_us += HOUR_US
        await sink.retry_parked()
    newer = msgspec.structs.replace(older, number=2, id=f"{older.record_id}/blog/2", offset=99)
    await sink.apply([newer])
    blog.members.update(ada, name="Ada")
    blog.restart()
    first, *_ = [effect.result for effect in await blog.apply(older, newer)]
    assert blog.members.rows()[ada]["name"] == "Ada"
    assert (first is not None and row(first.left)["name"] == "Countess") if answered else first is None


async def test_a_command_that_is_given_up_is_not_tried_again_after_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    blog = bench()
    commands, ada = troubled(blog, monkeypatch)
    sink, older = blog.sink(), commands[0]
    await park(sink, [older])
    monkeypatch.undo()
    put = blog.notes.put

    async def crashing(values: Mapping[str, bytes | None]) -> None:
        if None in values.values():
            raise UnreachableError("kafka", "here", "there", "no answer")
        await put(values)

    monkeypatch.setattr(blog.notes, "put", crashing)
    with pytest.raises(UnreachableError):
        await sink.apply([msgspec.structs.replace(older, number=2, id=f"{older.record_id}/blog/2", offset=99)])
    monkeypatch.undo()
    blog.restart()
    blog.clock.at_us += HOUR_US
    assert list(await blog.sink().retry_parked()) == []
    assert blog.members.rows()[ada]["name"] == "Ada"
