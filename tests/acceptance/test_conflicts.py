"""Conflicts under the real program: parked by a load, listed, shown, watched, decided one by one and in bulk."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from duplex import topics
from duplex.conflicts import sending
from schemas.messages import Decision
from schemas.project.kafka import client_options
from schemas.project.loading import load
from tests.acceptance.test_program import SAMPLE, Shop
from tests.waiting import eventually

NewDatabase = Callable[[str], Awaitable[str]]
PHONE = "{priority: [crm, erp]}"
ADA_CRM, ADA_ERP = "+44 20 7946 0001", "+44 20 7946 0099"
CRM_PHONE = "select phone from public.contacts where email = 'ada@example.com'"
ERP_PHONE = "select tel from public.customers where mail = 'ada@example.com'"
MANY = 50


@pytest.fixture
async def shop(
    tmp_path: Path, kafka_bootstrap: str, new_database: NewDatabase, pipeline_name: str
) -> AsyncIterator[Shop]:
    """The sample project with the phone left to a person; both systems know ada, by different numbers."""
    crm, erp = await new_database("crm"), await new_database("erp")
    text = (SAMPLE / "duplex.yaml").read_text().replace("pipeline: shop", f"pipeline: {pipeline_name}")
    assert PHONE in text
    (tmp_path / "duplex.yaml").write_text(text.replace(PHONE, "manual"))
    for dsn, file in ((crm, "crm.sql"), (erp, "erp.sql")):
        connection = await asyncpg.connect(dsn)
        await connection.execute((SAMPLE / file).read_text())
        await connection.close()
    shop = Shop(tmp_path, kafka_bootstrap, crm, erp)
    await shop.json("apply")
    yield shop
    if shop.process is not None:
        await shop.stop()


async def started(shop: Shop, parked: int) -> list[dict[str, Any]]:
    """The running pipeline, once the loads have parked so many conflicts."""
    await shop.start()
    await shop.running()

    async def listed() -> list[dict[str, Any]] | None:
        found = await shop.json("conflicts", "list", "--limit", "1000")
        return found["conflicts"] if found["count"] == parked else None

    return await eventually(listed, timeout_s=60, message="not parked") or []


async def test_a_parked_field_is_listed_shown_watched_and_decided(shop: Shop) -> None:
    (one,) = await started(shop, 1)
    assert (one["name"], one["field"], one["state"]) == ("ada@example.com", "phone", "open")
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
    await shop.becomes(shop.crm, CRM_PHONE, ADA_ERP)
    await shop.becomes(shop.erp, ERP_PHONE, ADA_ERP)

    line = json.loads((await asyncio.wait_for(watched.communicate(), 30))[0])
    assert (line["happening"], line["conflict"]["rule"]) == ("ended", "decision")
    code, _, errors = await shop.call("conflicts", "resolve", one["id"], "--take", "crm")
    assert (code, "support decided it" in errors, "she said so" in errors) == (2, True, True)
    assert (await shop.json("conflicts", "list"))["count"] == 0
    assert (await shop.json("conflicts", "list", "--decided"))["count"] >= 1


async def watching(shop: Shop) -> asyncio.subprocess.Process:
    """`conflicts watch`, once it says that it watches."""
    pipe = asyncio.subprocess.PIPE
    words = ("conflicts", "watch", "--json", "--max", "1")
    process = await shop._spawn(*words, stdout=pipe, stderr=pipe)
    assert process.stderr is not None
    assert b"watching" in await asyncio.wait_for(process.stderr.readline(), 30)
    return process


async def test_a_decision_of_what_has_moved_is_refused_and_says_what(shop: Shop) -> None:
    (one,) = await started(shop, 1)
    shown = await shop.json("conflicts", "show", one["id"])
    current, query = (
        (shop.crm, "update public.contacts set phone = '5' where email = 'ada@example.com'")
        if shown["now"]["system"] == "crm"
        else (shop.erp, "update public.customers set tel = '5' where mail = 'ada@example.com'")
    )
    await shop.value(current, query)
    await eventually(lambda: _moved_on(shop, one["id"]), timeout_s=30, message="the edit was not merged")
    words = ("conflicts", "resolve", one["id"], "--take", "incoming")
    for token in ((), ("--shown", shown["shown"])):
        code, _, errors = await shop.call(*words, *token)
        assert (code, '"5"' in errors, "conflicts show" in errors) == (1, True, True), errors
    assert (await shop.json("conflicts", "list"))["count"] == 1
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


async def test_many_are_decided_by_a_condition(shop: Shop) -> None:
    numbers = f"generate_series(1, {MANY}) n"
    await shop.value(
        shop.crm,
        f"insert into public.contacts (email, phone) select 'p' || n || '@example.com', '1' || n from {numbers}",
    )
    await shop.value(
        shop.erp, f"insert into public.customers (mail, tel) select 'p' || n || '@example.com', '2' || n from {numbers}"
    )
    await started(shop, MANY + 1)
    where = ("--where", 'field == "phone" && (current.value.startsWith("1") || incoming.value.startsWith("1"))')
    many = ("conflicts", "resolve", "--all", *where, "--take", "crm")
    dry = await shop.json(*many, "--dry-run")
    assert dry["would_decide"] == MANY
    code, _, errors = await shop.call(*many)
    assert (code, "--yes" in errors) == (2, True)
    done = await shop.json(*many, "--yes")
    assert (done["decided"], done["refused"], done["left"]) == (MANY, 0, 0), done
    await shop.becomes(shop.erp, "select count(*) from public.customers where tel like '1%'", MANY)
    assert (await shop.json("conflicts", "list", "--count"))["counts"] == {"contact.phone": 1}


async def test_what_cannot_be_decided_so_is_said_with_reason_and_remedy(shop: Shop) -> None:
    (one,) = await started(shop, 1)
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
        retried = await shop.json(command, "retry", "ada@example.com", "--system", "erp")
        assert [each["record_id"] for each in retried] == [one["record_id"]]


async def test_a_decision_waits_in_the_log_while_nothing_runs(shop: Shop) -> None:
    (one,) = await started(shop, 1)
    assert await shop.stop() == 0
    words = ("conflicts", "resolve", one["id"], "--take", "crm", "--wait", "1")
    code, _, errors = await shop.call(*words)
    assert (code, "not answered yet" in errors, "duplex status" in errors) == (1, True, True), errors
    await shop.start()
    await shop.becomes(shop.erp, ERP_PHONE, ADA_CRM)


async def test_a_mass_delete_is_held_let_through_in_part_and_turned_down(shop: Shop) -> None:
    file = shop.folder / "duplex.yaml"
    brake = "    on_delete: {brake: {count: 4, share: 0.1, window: 1h}}\n    fields:\n"
    file.write_text(file.read_text().replace("    fields:\n", brake, 1))
    await shop.json("apply")
    (one,) = await started(shop, 1)
    await shop.json("conflicts", "resolve", one["id"], "--take", "crm")
    await shop.value(
        shop.crm, "insert into public.contacts (email) select 'p' || n || '@example.com' from generate_series(1, 16) n"
    )
    await shop.becomes(shop.erp, "select count(*) from public.customers", 20)
    await shop.value(shop.crm, "delete from public.contacts")
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
