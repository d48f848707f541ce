"""The sample project under the real program: init, check, plan, apply, run, an edit each way, stop, status."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.shops import Shop
from tests.waiting import eventually

on_the_shared_one = pytest.mark.asyncio(loop_scope="module")


async def test_init_proposes_a_project_that_checks(shop: Shop) -> None:
    words = ("init", "--force", "--from", f"crm={shop.crm}", "--from", f"erp={shop.erp}")
    code, _, errors = await shop.call(*words)
    assert code == 0, errors
    assert "proposed contact" in errors
    text = (shop.folder / "duplex.yaml").read_text()
    assert "identity: {match: [email]}" in text
    assert "phone: tel" in text
    assert shop.crm not in text


async def test_check_plan_apply(shop: Shop) -> None:
    assert (await shop.json("check"))["ok"]
    found = await shop.json("plan", accepted=3)
    assert found["entities"]["contact"]["rows"] == {"crm": 3, "erp": 2}
    total = found["entities"]["contact"]["total"]
    assert (total["create"], total["link"], total["conflict"], total["update"]) == (3, 1, 1, 1)
    assert await shop.value(shop.crm, "select count(*) from public.contacts") == 3
    first = await shop.json("apply")
    assert first["topics"]
    assert first["catalog"] == ["crm/contact", "erp/contact"]
    again = await shop.json("apply")
    assert (again["topics"], again["catalog"], again["drift"]) == ([], [], [])
    assert all(not sentences for sentences in again["systems"].values()), again["systems"]


async def test_run_needs_apply(shop: Shop) -> None:
    code, _, errors = await shop.call("run", "--http-port", "0")
    assert code == 1
    assert "Run `duplex apply`." in errors
    assert "Traceback" not in errors


async def test_edits_arrive_each_way(shop: Shop) -> None:
    await shop.json("apply")
    await shop.start()
    running = await shop.running()
    await shop.becomes(shop.erp, "select count(*) from public.customers", 4)
    await shop.becomes(shop.crm, "select count(*) from public.contacts", 4)
    await shop.execute(shop.crm, "update public.contacts set city = 'Leeds' where email = 'ada@example.com'")
    await shop.becomes(shop.erp, "select town from public.customers where mail = 'ada@example.com'", "Leeds")
    await shop.execute(shop.erp, "update public.customers set status_code = 'X' where mail = 'dan@example.com'")
    await shop.becomes(shop.crm, "select status from public.contacts where email = 'dan@example.com'", "former")
    assert (await shop.json("plan"))["changes"] is False

    (shown,) = await shop.json("record", "show", "ada@example.com")
    assert shown["fields"]["address"]["value"] == ["1 Mill Lane", "Leeds", "YO1 7HX"]
    assert (await shop.json("record", "show", f"crm:{shown['systems']['crm']['local_id']}")) == [shown]

    status = await shop.json("status")
    assert (status["running"]["pid"], status["healthy"]) == (running["pid"], True)
    code, out, _ = await shop.call("topic", "tail", "records.contact", "--from-beginning", "--no-follow", "--json")
    assert code == 0
    assert {json.loads(line)["kind"] for line in out.splitlines()} >= {"change", "loaded"}

    assert await shop.stop() == 0, shop.log
    assert "was ended by" not in shop.log
    stopped = await shop.json("status", accepted=1)
    assert stopped["running"] is None


@on_the_shared_one
async def test_a_second_run_of_the_same_project_is_refused(open_shop: Shop) -> None:
    code, _, errors = await open_shop.call("run", "--http-port", "0")
    assert (code, "runs already" in errors) == (1, True)


async def test_uninstall_takes_everything_away(shop: Shop) -> None:
    await shop.json("apply")
    done = await shop.json("uninstall", "--yes", "--topics")
    assert set(done) == {"crm", "erp", "kafka"}
    assert await shop.value(shop.crm, "select to_regnamespace('duplex') is null")
    assert await shop.value(shop.crm, "select count(*) from public.contacts") == 3


async def test_sources_alone_publish_what_is_there(shop: Shop) -> None:
    await shop.json("apply")
    await shop.start("--only", "sources", "--log-format", "json")
    await shop.running()
    # Three rows, and in each of four partitions the mark that ends the load.
    words = ("topic", "tail", "changes.crm.contact", "--from-beginning", "--max", "7", "--json")
    code, out, errors = await shop.call(*words)
    found = [json.loads(line)["value"] for line in out.splitlines()]
    assert (code, sorted(each["op"] for each in found)) == (0, [*"llll", *"rrr"]), errors
    assert "ada@example.com" in {each["after"]["email"] for each in found if each["op"] == "r"}
    assert await shop.stop() == 0, shop.log
    assert {json.loads(line)["process"] for line in shop.log.splitlines()} >= {"supervisor"}


@on_the_shared_one
async def test_a_row_that_the_target_refuses_is_shown_in_status(open_shop: Shop) -> None:
    await open_shop.execute(open_shop.erp, "alter table public.customers add constraint short check (length(tel) < 20)")
    await open_shop.execute(
        open_shop.crm, f"update public.contacts set phone = '{'9' * 20}' where email = 'ada@example.com'"
    )
    await open_shop.execute(open_shop.crm, "update public.contacts set phone = '12' where email = 'ben@example.com'")
    await open_shop.becomes(open_shop.erp, "select tel from public.customers where mail = 'ben@example.com'", "12")

    async def refusals() -> Any:
        return (await open_shop.json("status"))["refusals"]

    (refusal,) = await eventually(refusals, timeout_s=60)
    assert "short" in refusal["detail"]
    await open_shop.execute(open_shop.crm, "update public.contacts set phone = '13' where email = 'ada@example.com'")
    await open_shop.becomes(open_shop.erp, "select tel from public.customers where mail = 'ada@example.com'", "13")
    assert await refusals() == []


@on_the_shared_one
async def test_a_disabled_trigger_is_noticed_while_running(open_shop: Shop) -> None:
    so_far = len(open_shop.log)
    await open_shop.execute(open_shop.crm, "alter table public.contacts disable trigger all")
    await eventually(lambda: "trigger" in open_shop.log[so_far:], timeout_s=60, message="the log says nothing")
    status = await open_shop.json("status", accepted=1)
    assert any("contacts" in problem["what"] and "apply" in problem["remedy"] for problem in status["problems"])
    code, out, _ = await open_shop.call("doctor")
    assert (code, "missing or disabled" in out) == (1, True)
    await open_shop.json("apply")
    assert (await open_shop.json("status"))["problems"] == []


async def test_everything_killed_starts_again_without_a_manual_step(shop: Shop) -> None:
    await shop.json("apply")
    await shop.start()
    await shop.running()
    assert shop.process is not None
    children = _children(shop.process.pid)
    assert len(children) == 5
    shop.process.kill()
    await shop.process.wait()
    await eventually(lambda: not any(map(_alive, children)), timeout_s=60, message="a child outlived the supervisor")
    await shop.start()
    await shop.running()
    await shop.becomes(shop.erp, "select count(*) from public.customers", 4)


@on_the_shared_one
async def test_a_killed_child_is_started_again_and_that_is_said(open_shop: Shop) -> None:
    assert open_shop.process is not None
    victim = _children(open_shop.process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    await eventually(lambda: "was ended by Killed (signal 9); attempt 2 in" in open_shop.log, timeout_s=60)
    await open_shop.running()


def _children(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in text.split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
