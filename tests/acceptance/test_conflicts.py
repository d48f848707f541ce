"""Conflicts under the real program: parked by a load, listed, shown, watched, decided one by one and in bulk."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from duplex import topics
from duplex.conflicts import sending
from schemas.messages import Decision
from schemas.project.kafka import client_options
from schemas.project.loading import load
from tests.acceptance.conftest import Place
from tests.acceptance.shops import Shop
from tests.conftest import NewDatabase
from tests.waiting import eventually

BY_HAND = ("{priority: [crm, erp]}", "manual")
ADA_CRM, ADA_ERP = "+44 20 7946 0001", "+44 20 7946 0099"
MANY = 50
# People whom both systems know, by different numbers: some for one test each, many for one.
PEOPLE = f"values ('eve'), ('gus') union all select 'p' || n from generate_series(1, {MANY}) n"
IN_CRM = (
    f"insert into public.contacts (email, phone) select name || '@example.com', '1 ' || name from ({PEOPLE}) p (name)"
)
IN_ERP = (
    f"insert into public.customers (mail, tel) select name || '@example.com', '2 ' || name from ({PEOPLE}) p (name)"
)
on_the_open_one = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
async def shop(
    tmp_path: Path, kafka_bootstrap: str, new_database: NewDatabase, pipeline_name: str
) -> AsyncIterator[Shop]:
    """The sample with the phone left to a person; both systems know ada, by different numbers."""
    async with Shop.made(tmp_path, pipeline_name, kafka_bootstrap, new_database, BY_HAND) as shop:
        await shop.json("apply")
        yield shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_shop(place: Place) -> AsyncIterator[Shop]:
    """The same, running for all tests of this module: each decides about people of its own."""
    async with Shop.made(*place, BY_HAND) as shop:
        await shop.execute(shop.crm, IN_CRM)
        await shop.execute(shop.erp, IN_ERP)
        await shop.json("apply")
        await started(shop, "ada", 1 + 2 + MANY)
        yield shop


async def started(shop: Shop, name: str, parked: int = 1) -> dict[str, Any]:
    """The conflict of one person in the running pipeline, once the loads have parked so many."""
    await shop.start()
    await shop.running()
    await eventually(lambda: _parked(shop, parked), timeout_s=120, message="not parked")
    return await of(shop, name)


async def _parked(shop: Shop, wanted: int) -> bool:
    return bool((await shop.json("conflicts", "list", "--count"))["counts"] == {"contact.phone": wanted})


async def listed(shop: Shop, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await shop.json("conflicts", "list", "--limit", "1000", *words))["conflicts"]
    return found


async def of(shop: Shop, name: str) -> dict[str, Any]:
    """The open conflict of one person."""
    (one,) = [each for each in await listed(shop) if each["name"] == f"{name}@example.com"]
    return one


def phone(system: str, name: str) -> str:
    """The query of a person's phone in one system."""
    if system == "crm":
        return f"select phone from public.contacts where email = '{name}@example.com'"
    return f"select tel from public.customers where mail = '{name}@example.com'"


@on_the_open_one
async def test_a_parked_field_is_listed_shown_watched_and_decided(open_shop: Shop) -> None:
    shop = open_shop
    one = await of(shop, "ada")
    assert (one["field"], one["state"]) == ("phone", "open")
    assert {one["current"]["value"], one["incoming"]["value"]} == {ADA_CRM, ADA_ERP}
    code, page, errors = await shop.call("conflicts", "show", one["short"])
    assert code == 0, errors
    assert f"duplex conflicts resolve {one['short']} --take erp --shown" in page
    shown = await shop.json("conflicts", "show", one["id"])
    assert {row["system"]: row["value"] for row in shown["rows"]} == {"crm": ADA_CRM, "erp": ADA_ERP}

    watched = await watching(shop)
    words = ("--take", "erp", "--shown", shown["shown"], "--reason", "she said so", "--by", "support")
    done = await shop.json("conflicts", "resolve", one["short"], *words)
    assert (done["id"], done["value"], done["decided_by"]) == (one["id"], f'"{ADA_ERP}"', "support")
    for system, dsn in (("crm", shop.crm), ("erp", shop.erp)):
        await shop.becomes(dsn, phone(system, "ada"), ADA_ERP)

    line = json.loads((await asyncio.wait_for(watched.communicate(), 30))[0])
    assert (line["happening"], line["conflict"]["rule"]) == ("ended", "decision")
    code, _, errors = await shop.call("conflicts", "resolve", one["id"], "--take", "crm")
    assert (code, "support decided it" in errors, "she said so" in errors) == (2, True, True)
    assert one["id"] not in [each["id"] for each in await listed(shop)]
    assert one["id"] in [each["id"] for each in await listed(shop, "--decided")]


async def watching(shop: Shop) -> asyncio.subprocess.Process:
    """`conflicts watch`, once it says that it watches."""
    pipe = asyncio.subprocess.PIPE
    words = ("conflicts", "watch", "--json", "--max", "1")
    process = await shop._spawn(*words, stdout=pipe, stderr=pipe)
    assert process.stderr is not None
    assert b"watching" in await asyncio.wait_for(process.stderr.readline(), 30)
    return process


@on_the_open_one
async def test_a_decision_of_what_has_moved_is_refused_and_says_what(open_shop: Shop) -> None:
    shop, one = open_shop, await of(open_shop, "eve")
    shown = await shop.json("conflicts", "show", one["id"])
    if shown["now"]["system"] == "crm":
        await shop.execute(shop.crm, "update public.contacts set phone = '5' where email = 'eve@example.com'")
    else:
        await shop.execute(shop.erp, "update public.customers set tel = '5' where mail = 'eve@example.com'")
    await eventually(lambda: _moved_on(shop, one["id"]), timeout_s=90, message="the edit was not merged")
    words = ("conflicts", "resolve", one["id"], "--take", "incoming")
    for token in ((), ("--shown", shown["shown"])):
        code, _, errors = await shop.call(*words, *token)
        assert (code, '"5"' in errors, "conflicts show" in errors) == (1, True, True), errors
    assert (await of(shop, "eve"))["id"] == one["id"]
    assert (await refused_by_the_merge(shop, one, shown)).startswith("phone has changed since it was shown")


async def _moved_on(shop: Shop, name: str) -> bool:
    return bool((await shop.json("conflicts", "show", name))["now"]["value"] == "5")


async def refused_by_the_merge(shop: Shop, one: dict[str, Any], shown: dict[str, Any]) -> str:
    """The merge's reason for refusing a decision of what was shown, sent past the command's own look."""
    project = load(shop.folder / "duplex.yaml", {**os.environ, **shop.environment}).project
    stale = Decision(
        record_id=one["record_id"], entity="contact", item=one["id"], decided_by="late", ts_us=1,
        candidate=json.dumps(shown["parked"]["value"]), version=shown["now"]["version"], value='"x"',
    )  # fmt: skip
    kafka, names = client_options(project.kafka), topics.names(project)
    (answer,) = await sending.decide(kafka, names, [stale], 30.0, lambda _: None)
    assert answer.outcome == "refused"
    return answer.reason


@on_the_open_one
async def test_many_are_decided_by_a_condition(open_shop: Shop) -> None:
    shop, before = open_shop, len(await listed(open_shop))
    where = ("--where", 'field == "phone" && (current.value.startsWith("1 p") || incoming.value.startsWith("1 p"))')
    many = ("conflicts", "resolve", "--all", *where, "--take", "crm")
    dry = await shop.json(*many, "--dry-run")
    assert dry["would_decide"] == MANY
    code, _, errors = await shop.call(*many)
    assert (code, "--yes" in errors) == (2, True)
    done = await shop.json(*many, "--yes")
    assert (done["decided"], done["refused"], done["left"]) == (MANY, 0, 0), done
    await shop.becomes(shop.erp, "select count(*) from public.customers where tel like '1 p%'", MANY)
    assert (await shop.json("conflicts", "list", "--count"))["counts"] == {"contact.phone": before - MANY}


@on_the_open_one
async def test_what_cannot_be_decided_so_is_said_with_reason_and_remedy(open_shop: Shop) -> None:
    shop, one = open_shop, await of(open_shop, "gus")
    for words, why in (
        (("nothing/1", "--take", "crm"), "no such conflict"),
        ((one["id"], "--take", "shop"), "--take current"),
        ((one["id"], "--value", "+44"), "it is no JSON"),
        ((one["id"], "--value", "7"), "of type string"),
        ((one["id"],), "exactly one"),
        (("--all", "--where", "feild == 1", "--take", "crm"), "there is no feild"),
    ):
        code, _, errors = await shop.call("conflicts", "resolve", *words)
        assert (code, why in errors, "Traceback" in errors) == (2, True, False), errors
    code, out, _ = await shop.call("brake", "list")
    assert (code, out) == (0, "no deletes are held\n")
    for command in ("conflicts", "record"):
        retried = await shop.json(command, "retry", "gus@example.com", "--system", "erp")
        assert [each["record_id"] for each in retried] == [one["record_id"]]


async def test_a_decision_waits_in_the_log_while_nothing_runs(shop: Shop) -> None:
    one = await started(shop, "ada")
    assert await shop.stop() == 0
    words = ("conflicts", "resolve", one["id"], "--take", "crm", "--wait", "1")
    code, _, errors = await shop.call(*words)
    assert (code, "not answered yet" in errors, "duplex status" in errors) == (1, True, True), errors
    await shop.start()
    await shop.becomes(shop.erp, phone("erp", "ada"), ADA_CRM)


async def test_a_mass_delete_is_held_let_through_in_part_and_turned_down(shop: Shop) -> None:
    file = shop.folder / "duplex.yaml"
    brake = "    on_delete: {brake: {count: 4, share: 0.1, window: 1h}}\n    fields:\n"
    file.write_text(file.read_text().replace("    fields:\n", brake, 1))
    await shop.json("apply")
    one = await started(shop, "ada")
    await shop.json("conflicts", "resolve", one["id"], "--take", "crm")
    await shop.execute(
        shop.crm, "insert into public.contacts (email) select 'p' || n || '@example.com' from generate_series(1, 16) n"
    )
    await shop.becomes(shop.erp, "select count(*) from public.customers", 20)
    await shop.execute(shop.crm, "delete from public.contacts")
    rows = "select count(*) from public.customers"

    async def held() -> int:
        found = await shop.json("brake", "list")
        count = found[0]["count"] if found else 0
        return count if count > 0 and count == await shop.value(shop.erp, rows) else 0

    many = await eventually(held, timeout_s=90, message="the brake holds nothing")
    assert many >= 12
    done = await shop.json("brake", "approve", "crm", "--up-to", "3", "--yes", "--reason", "three were meant")
    assert (done["done"]["decided"], done["allowed"]) == (3, 0)
    await shop.becomes(shop.erp, rows, many - 3)
    back = await shop.json("brake", "reject", "crm", "--yes")
    assert back["decided"] == many - 3
    await shop.becomes(shop.crm, "select count(*) from public.contacts", many - 3)
    assert await shop.json("brake", "list") == []
