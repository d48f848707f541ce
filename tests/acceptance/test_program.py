"""The sample project under the real program: init, check, plan, apply, run, an edit each way, stop, status."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.waiting import eventually

SAMPLE = Path(__file__).parents[2] / "examples" / "two-databases"
NewDatabase = Callable[[str], Awaitable[str]]


class Shop:
    """The sample project in a folder of its own, on databases of its own."""

    def __init__(self, folder: Path, bootstrap: str, crm: str, erp: str) -> None:
        self.folder, self.crm, self.erp = folder, crm, erp
        self.environment = {
            **os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "CRM_DSN": crm, "ERP_DSN": erp, "NO_COLOR": "1",
        }  # fmt: skip
        self.process: asyncio.subprocess.Process | None = None

    async def call(self, *words: str) -> tuple[int, str, str]:
        """Run a command to its end: exit code, standard output, standard error."""
        pipe = asyncio.subprocess.PIPE
        process = await self._spawn(*words, stdout=pipe, stderr=pipe)
        out, errors = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode or 0, out.decode(), errors.decode()

    async def json(self, *words: str, accepted: int = 0) -> Any:
        code, out, errors = await self.call(*words, "--json")
        assert code == accepted, errors + out
        return json.loads(out)

    async def start(self, *words: str) -> None:
        with (self.folder / "run.log").open("ab") as log:
            self.process = await self._spawn("run", "--http-port", "0", *words, stdout=log, stderr=log)

    async def _spawn(self, *words: str, **streams: Any) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "duplex", "--project", str(self.folder / "duplex.yaml"), *words,
            env=self.environment, stdin=asyncio.subprocess.DEVNULL, **streams,
        )  # fmt: skip

    async def stop(self) -> int:
        """Ask the program to stop; its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 40)

    @property
    def log(self) -> str:
        return (self.folder / "run.log").read_text()

    async def running(self) -> dict[str, Any]:
        """`run.json`, once it is there and the program is healthy."""
        path = self.folder / ".duplex" / "run.json"
        assert self.process is not None
        pid = self.process.pid
        await eventually(lambda: path.exists() and json.loads(path.read_text())["pid"] == pid, timeout_s=30)
        found: dict[str, Any] = json.loads(path.read_text())
        try:
            await eventually(lambda: self._healthy(found["port"]), timeout_s=60, message="never healthy")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-4000:]}") from error
        return found

    async def _healthy(self, port: int) -> bool:
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/health") as response:
            return response.status == 200

    async def value(self, dsn: str, query: str) -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def becomes(self, dsn: str, query: str, wanted: Any) -> None:
        async def same() -> bool:
            return await self.value(dsn, query) == wanted

        try:
            await eventually(same, timeout_s=60, message=f"{query} is not {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {await self.value(dsn, query)}\n{self.log[-6000:]}") from error


@pytest.fixture
async def shop(
    tmp_path: Path, kafka_bootstrap: str, new_database: NewDatabase, pipeline_name: str
) -> AsyncIterator[Shop]:
    crm, erp = await new_database("crm"), await new_database("erp")
    text = (SAMPLE / "duplex.yaml").read_text().replace("pipeline: shop", f"pipeline: {pipeline_name}")
    (tmp_path / "duplex.yaml").write_text(text)
    for dsn, file in ((crm, "crm.sql"), (erp, "erp.sql")):
        connection = await asyncpg.connect(dsn)
        await connection.execute((SAMPLE / file).read_text())
        await connection.close()
    shop = Shop(tmp_path, kafka_bootstrap, crm, erp)
    yield shop
    if shop.process is not None:
        await shop.stop()


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
    await shop.value(shop.crm, "update public.contacts set city = 'Leeds' where email = 'ada@example.com'")
    await shop.becomes(shop.erp, "select town from public.customers where mail = 'ada@example.com'", "Leeds")
    await shop.value(shop.erp, "update public.customers set status_code = 'X' where mail = 'dan@example.com'")
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


async def test_a_second_run_of_the_same_project_is_refused(shop: Shop) -> None:
    await shop.json("apply")
    await shop.start("--only", "sinks")
    await shop.running()
    code, _, errors = await shop.call("run", "--http-port", "0")
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


async def test_a_row_that_the_target_refuses_is_shown_in_status(shop: Shop) -> None:
    await shop.value(shop.erp, "alter table public.customers add constraint short check (length(tel) < 20)")
    await shop.json("apply")
    await shop.start()
    await shop.running()
    await shop.becomes(shop.erp, "select count(*) from public.customers", 4)
    await shop.value(shop.crm, f"update public.contacts set phone = '{'9' * 20}' where email = 'ada@example.com'")
    await shop.value(shop.crm, "update public.contacts set phone = '12' where email = 'ben@example.com'")
    await shop.becomes(shop.erp, "select tel from public.customers where mail = 'ben@example.com'", "12")

    async def refusals() -> Any:
        return (await shop.json("status"))["refusals"]

    (refusal,) = await eventually(refusals, timeout_s=60)
    assert "short" in refusal["detail"]
    await shop.value(shop.crm, "update public.contacts set phone = '13' where email = 'ada@example.com'")
    await shop.becomes(shop.erp, "select tel from public.customers where mail = 'ada@example.com'", "13")
    assert await refusals() == []


async def test_a_disabled_trigger_is_noticed_while_running(shop: Shop) -> None:
    await shop.json("apply")
    await shop.start()
    await shop.running()
    await shop.value(shop.crm, "alter table public.contacts disable trigger all")
    await eventually(lambda: "trigger" in shop.log, timeout_s=60, message="the log says nothing")
    status = await shop.json("status", accepted=1)
    assert any("contacts" in problem["what"] and "apply" in problem["remedy"] for problem in status["problems"])
    code, out, _ = await shop.call("doctor")
    assert (code, "missing or disabled" in out) == (1, True)
    await shop.json("apply")
    assert (await shop.json("status"))["problems"] == []


async def test_everything_killed_starts_again_without_a_manual_step(shop: Shop) -> None:
    await shop.json("apply")
    await shop.start()
    await shop.running()
    assert shop.process is not None
    children = _children(shop.process.pid)
    assert len(children) == 5
    shop.process.kill()
    await shop.process.wait()
    await eventually(lambda: not any(map(_alive, children)), timeout_s=20, message="a child outlived the supervisor")
    await shop.start()
    await shop.running()
    await shop.becomes(shop.erp, "select count(*) from public.customers", 4)


async def test_a_killed_child_is_started_again_and_that_is_said(shop: Shop) -> None:
    await shop.json("apply")
    await shop.start("--only", "sinks")
    await shop.running()
    assert shop.process is not None
    victim = _children(shop.process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    await eventually(lambda: "was ended by Killed (signal 9); attempt 2 in" in shop.log, timeout_s=20)
    await shop.running()


def _children(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in text.split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
