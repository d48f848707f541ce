"""Webhooks: which rows a delivery is about, and what is told for it."""

import asyncio
from typing import Any

import msgspec
import pytest

from connectors.errors import RefusedError, UnreachableError
from connectors.remote import marks
from connectors.remote.api import Abilities, Found, Page
from connectors.remote.engine import Engine
from connectors.remote.hints import Hint, HintReader, read_rules
from connectors.remote.marks import GONE, Mark
from connectors.remote.memory import MemoryApi, MemoryApplication
from connectors.remote.surroundings import Hook, Surroundings
from connectors.remote.tellings import Piece, Teller
from schemas.messages import Change
from tests.unit.remote.bench import COLUMNS, SPEC, Bench, bench, row, told

FETCHED = [{"resource": "members", "id": "id"}]
TRUSTED = [{"resource": "members", "id": "id", "row": "row", "fetch": False, "deleted": "item.row == null"}]


def hints(rules: Any, body: Any, headers: dict[str, str] | None = None) -> list[Hint]:
    application = MemoryApplication()
    apis = {"members": MemoryApi(application.resource("members", COLUMNS, Abilities()))}
    reader = HintReader("blog", read_rules("blog", rules, ["members"]), apis)
    return reader.read(Hook((0, 0), "1", msgspec.json.encode(body), headers or {}, 0))


async def hooked(records: Any, **how: Any) -> tuple[Bench, str]:
    """A loaded application with webhooks and one row."""
    blog = bench(flows=["webhook"], records=records, **how)
    ada = blog.members.insert(email="ada@example.org", name="Ada")
    await blog.load()
    blog.hooks.acked = len(blog.application.sent)
    return blog, ada


# --- what is told


async def test_a_delivery_leads_to_a_look() -> None:
    blog, ada = await hooked(FETCHED)
    blog.members.update(ada, name="Countess")
    (change,) = await blog.next()
    assert told([change]) == [("u", ada)] and row(change.after)["name"] == "Countess"
    assert blog.hooks.acked == len(blog.application.sent)


async def test_a_delivery_about_a_delete_leads_to_a_look() -> None:
    blog, ada = await hooked(FETCHED)
    blog.members.delete(ada)
    assert told(await blog.next()) == [("d", ada)]


async def test_a_delivery_tells_nothing_older_than_what_the_sink_saw_though_that_could_not_be_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blog, ada = await hooked(TRUSTED)
    blog.members.update(ada, email="new@example.org")
    inner = blog.api.update

    async def update(before: Found, values: Any) -> Found | None:
        blog.notes.trouble = UnreachableError("blog", "here", "there", "Kafka is away")
        return await inner(before, values)

    monkeypatch.setattr(blog.api, "update", update)
    with pytest.raises(UnreachableError):
        await blog.apply(blog.commands.update(ada, ({"name": "Ada"}, {"name": "Countess"})))
    blog.application.sent.pop()
    (change,) = await blog.next()
    assert row(change.after)["name"] == "Countess"


async def test_late_and_repeated_deliveries_tell_nothing_old() -> None:
    blog, ada = await hooked(FETCHED)
    for name in ("B", "C", "D"):
        blog.members.update(ada, name=name)
    blog.application.sent += blog.application.sent[-3:]
    blog.application.sent.reverse()
    assert [row(change.after)["name"] for change in await blog.next()] == ["D"]


async def test_deliveries_are_let_go_only_when_what_they_led_to_is_safe() -> None:
    blog, ada = await hooked(FETCHED)
    before = blog.hooks.acked
    blog.members.update(ada, name="Countess")
    await blog.read(lambda found: len(found) >= 1, acked=False)
    assert blog.hooks.acked == before
    blog.restart()
    assert told(await blog.next()) == [("u", ada)]


@pytest.mark.parametrize(("later_us", "expected"), [(1, "From the delivery"), (0, "Countess"), (-1, "Countess")])
async def test_a_trusted_delivery_is_taken_as_it_is_if_it_is_later(later_us: int, expected: str) -> None:
    blog, ada = await hooked(TRUSTED)
    known_us = blog.members.stored[ada].changed_us
    blog.api.found = lambda payload: Found(  # type: ignore[method-assign]
        ada, payload | {"name": "From the delivery"}, changed_us=known_us + later_us
    )
    blog.members.update(ada, name="Countess")
    assert [row(change.after)["name"] for change in await blog.next()] == [expected]


async def test_a_trusted_delivery_is_fetched_while_somebody_is_at_its_row() -> None:
    blog, ada = await hooked(TRUSTED)
    later_us = blog.members.stored[ada].changed_us + 1
    blog.api.found = lambda payload: Found(  # type: ignore[method-assign]
        ada, payload | {"name": "From the delivery"}, changed_us=later_us
    )
    blog.members.update(ada, name="Countess")
    engine = blog.connector._engine
    assert engine is not None
    async with engine.locks.of(("contact", ada)):
        number = engine.numbers.take()
        reading = asyncio.create_task(blog.next())
        for _ in range(50):
            await asyncio.sleep(0)
    (change,) = await reading
    assert row(change.after)["name"] == "Countess" and change.seq > number


async def test_a_trusted_delivery_that_says_nothing_of_its_age_is_fetched() -> None:
    blog, ada = await hooked(TRUSTED)
    blog.members.update(ada, name="Countess")
    body = msgspec.json.decode(blog.application.sent[-1])
    blog.application.sent[-1] = msgspec.json.encode(body | {"row": body["row"] | {"name": "From the delivery"}})
    assert [row(change.after)["name"] for change in await blog.next()] == ["Countess"]


# --- which rows


@pytest.mark.parametrize(
    ("rule", "body", "expected"),
    [
        ({"id": "member.current.id | member.previous.id"}, {"member": {"previous": {"id": 7}}}, [(7, False)]),
        ({"id": "member.id", "when": "member.kind == 'paid'"}, {"member": {"id": 7, "kind": "free"}}, []),
        ({"id": "member.id", "when": "missing.name == 1"}, {"member": {"id": 7}}, []),
        ({"id": "id", "deleted": "event == 'gone'"}, {"id": 7, "event": "gone"}, [(7, True)]),
        ({"id": "id", "each": "events"}, {"events": [{"id": 1}, {}, {"id": 2}]}, [(1, False), (2, False)]),
        ({"id": "id", "each": "events"}, {"events": "none"}, []),
        ({"id": "ids[1]"}, {"ids": [1, 2]}, [(2, False)]),
        ({"id": "id", "deleted": "headers['x-topic'] == 'gone'"}, {"id": 7}, [(7, True)]),
        ({"id": "id"}, [1, 2], []),
        ({"id": "id"}, {"id": {"nested": 1}}, []),
    ],
)
def test_the_rows_of_a_delivery(rule: Any, body: Any, expected: Any) -> None:
    found = hints([{"resource": "members", **rule}], body, {"x-topic": "gone"})
    assert [(hint.key[0], hint.is_gone) for hint in found] == expected


def test_a_body_that_is_no_json_is_about_nothing() -> None:
    reader = HintReader("blog", read_rules("blog", FETCHED, ["members"]), {})
    assert reader.read(Hook((0, 0), "1", b"\xff{", {}, 0)) == []


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"resource": "member", "id": "id"}, "records.0.resource.*Did you mean members"),
        ({"resource": "members"}, "records.0: it needs resource and id"),
        ({"resource": "members", "id": "a..b"}, "is no path"),
        ({"resource": "members", "id": "id", "when": "1 +"}, "when.*is no expression"),
        ({"resource": "members", "id": "id", "fetched": True}, "fetched: there is no such setting"),
        ({"resource": "members", "id": "id", "fetch": False}, "needs `row`"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(rule: Any, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        read_rules("blog", [rule], ["members"])


# --- beside the sink


async def test_a_row_that_our_create_makes_is_not_told_before_its_answer() -> None:
    blog, ada = await hooked(FETCHED)
    # The first batch is over: what the source waits for at its start is not what is tested here.
    await blog.apply(blog.commands.update(ada, ({"name": "Ada"}, {"name": "Ada"})))
    entered, go_on = asyncio.Event(), asyncio.Event()
    inner = blog.api.create

    async def slow(values: Any, key: str) -> Any:
        made = await inner(values, key)
        entered.set()
        await go_on.wait()
        return made

    blog.api.create = slow  # type: ignore[method-assign]
    sink = blog.sink()
    applying = asyncio.create_task(sink.apply([blog.commands.create({"email": "eve@example.org"})]))
    await entered.wait()
    reading = asyncio.create_task(blog.next())
    for _ in range(200):
        await asyncio.sleep(0)
    assert not reading.done()
    go_on.set()
    (effect,) = await applying
    await sink.reported([effect])
    assert effect.result is not None
    eve = str(effect.result.local_id)
    blog.members.update(eve, name="Edited")
    (change,) = await reading
    assert told([change]) == [("u", eve)] and change.seq > effect.result.left_order


async def test_a_listed_row_that_was_written_meanwhile_is_looked_at_again() -> None:
    blog, ada = await hooked(FETCHED)
    await blog.connector.sync_now()
    inner = blog.api.page

    async def slow(cursor: str | None, since_us: int | None = None) -> Page:
        await blog.apply(blog.commands.update(ada, ({"name": "Ada"}, {"name": "Ours"})))
        blog.members.update(ada, name="A user's")
        blog.application.sent.clear()
        blog.api.page = inner  # type: ignore[method-assign]
        return await inner(cursor, since_us)

    blog.api.page = slow  # type: ignore[method-assign]
    (change,) = await blog.next()
    assert row(change.after)["name"] == "A user's"


async def test_a_listed_row_that_was_looked_at_meanwhile_is_looked_at_again() -> None:
    blog, ada = await hooked(FETCHED)
    await blog.connector.sync_now()
    inner, looked = blog.api.page, asyncio.Event()

    async def slow(cursor: str | None, since_us: int | None = None) -> Page:
        blog.members.update(ada, name="B")
        await looked.wait()
        blog.members.update(ada, name="C")
        blog.application.sent.pop()
        return await inner(cursor, since_us)

    blog.api.page = slow  # type: ignore[method-assign]

    def enough(found: list[Change]) -> bool:
        looked.set()
        return len(found) >= 2

    assert [row(change.after)["name"] for change in await blog.read(enough)] == ["B", "C"]


async def test_a_page_does_not_take_back_what_a_delivery_told_while_it_was_on_its_way() -> None:
    blog, ada = await hooked(TRUSTED)
    await blog.connector.sync_now()
    inner, told_of = blog.api.page, asyncio.Event()

    async def slow(cursor: str | None, since_us: int | None = None) -> Page:
        page = await inner(cursor, since_us)
        blog.members.update(ada, name="B")
        await told_of.wait()
        return page

    def later(payload: dict[str, Any]) -> Found:
        return Found(ada, payload, changed_us=blog.members.stored[ada].changed_us)

    blog.api.page, blog.api.found = slow, later  # type: ignore[method-assign]

    def swept(found: list[Change]) -> bool:
        is_over = told_of.is_set()
        told_of.set()
        return is_over

    assert [row(change.after)["name"] for change in await blog.read(swept)] == ["B"]


async def test_a_late_answer_to_a_look_does_not_pass_for_a_young_one() -> None:
    blog, ada = await hooked(FETCHED)
    engine = Engine.of("blog", {"members": blog.api}, Surroundings(blog.notes), blog.clock)
    teller, piece = Teller(engine, engine.resources([SPEC])["contact"], loading=False), Piece()
    entered, go_on, inner = asyncio.Event(), asyncio.Event(), blog.api.get

    async def slow(local_id: str) -> Found | None:
        found = await inner(local_id)
        entered.set()
        await go_on.wait()
        return found

    blog.api.get = slow  # type: ignore[method-assign]
    blog.members.update(ada, name="B")
    looking = asyncio.create_task(teller.look_all(piece, [ada], "webhook"))
    await entered.wait()
    blog.members.update(ada, name="C")
    page, number = engine.writes.page_begins(), engine.numbers.take()
    (listed,) = (await blog.api.page(None)).rows
    listing = asyncio.create_task(teller.listed(piece, listed, number, page, "sweep"))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(listing, looking)
    seen = sorted((change.seq, row(change.after)["name"]) for change in piece.changes)
    assert seen[-1][1] == "C"


async def test_a_page_does_not_pass_for_younger_than_a_look_that_was_numbered_before() -> None:
    blog, ada = await hooked(FETCHED)
    engine = Engine.of("blog", {"members": blog.api}, Surroundings(blog.notes), blog.clock)
    teller, piece = Teller(engine, engine.resources([SPEC])["contact"], loading=False), Piece()
    entered, go_on, inner = asyncio.Event(), asyncio.Event(), blog.api.get

    async def slow(local_id: str) -> Found | None:
        entered.set()
        await go_on.wait()
        return await inner(local_id)

    blog.api.get = slow  # type: ignore[method-assign]
    looking = asyncio.create_task(teller.look_all(piece, [ada], "webhook"))
    await entered.wait()
    blog.members.update(ada, name="B")
    page, number = engine.writes.page_begins(), engine.numbers.take()
    (listed,) = (await blog.api.page(None)).rows
    blog.members.update(ada, name="C")
    go_on.set()
    await looking
    await teller.listed(piece, listed, number, page, "sweep")
    seen = sorted((change.seq, row(change.after)["name"]) for change in piece.changes)
    assert seen[-1][1] == "C"


async def test_a_look_told_after_its_row_was_found_gone_is_not_told_as_a_row_made_anew() -> None:
    """Its version is greater than the last one known, which the row's end had to do with."""
    blog, ada = await hooked(FETCHED, versioned=True)
    engine = Engine.of("blog", {"members": blog.api}, Surroundings(blog.notes), blog.clock)
    teller, piece = Teller(engine, engine.resources([SPEC])["contact"], loading=False), Piece()
    for name in ("B", "C"):
        blog.members.update(ada, name=name)
    late = await blog.api.get(ada), engine.numbers.take()
    blog.members.delete(ada)
    await teller.look_all(piece, [ada], "webhook")
    await teller.tell(piece, ada, *late, "webhook")
    assert [(change.op, change.seq) for change in piece.changes] == [("d", 2)]


async def test_a_look_is_not_told_while_the_answer_that_its_row_is_gone_is_being_noted() -> None:
    """Both would have one number, and whoever has the look would take the end for its repeat."""
    blog, ada = await hooked(FETCHED, versioned=True)
    engine = Engine.of("blog", {"members": blog.api}, Surroundings(blog.notes), blog.clock)
    teller, piece = Teller(engine, engine.resources([SPEC])["contact"], loading=False), Piece()
    blog.members.update(ada, name="B")
    late = await blog.api.get(ada), engine.numbers.take()
    blog.members.delete(ada)
    engine.marks.unnoted[marks.name("contact", ada)] = Mark(GONE, 2, versioned=True)
    await teller.tell(piece, ada, *late, "webhook")
    assert [(change.op, change.seq) for change in piece.changes] == [("d", 2)]


async def test_a_row_that_is_there_again_is_told_though_it_was_found_gone() -> None:
    blog, ada = await hooked(FETCHED, versioned=True)
    engine = Engine.of("blog", {"members": blog.api}, Surroundings(blog.notes), blog.clock)
    teller, piece = Teller(engine, engine.resources([SPEC])["contact"], loading=False), Piece()
    blog.members.update(ada, name="B")
    blog.members.update(ada, name="C")
    engine.marks.expect({marks.name("contact", ada): Mark(GONE, 2, versioned=True)})
    await teller.look_all(piece, [ada], "webhook")
    assert [(change.op, change.seq) for change in piece.changes] == [("u", 3)]
