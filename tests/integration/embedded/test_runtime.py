"""Starting, stopping and finding again, with real servers and real kills."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from duplex.embedded import holders, kafka, processes
from duplex.embedded.home import Home
from duplex.embedded.processes import ProcessRecord
from duplex.embedded.runtime import KAFKA_VARIABLE, Runtime
from tests import servers
from tests.waiting import eventually

ONLY_POSTGRES = {KAFKA_VARIABLE: "not.used:0"}
# Starts the servers of a home as another program would, says where they are, and stays until it is killed.
OTHER_PROGRAM = """
import json, sys
from pathlib import Path
from duplex.embedded.home import Home
from duplex.embedded.runtime import Runtime
from duplex.embedded.settings import Settings
root, downloads, owner, environment = sys.argv[1:]
settings = Settings(durable=False, short_lived=True)
runtime = Runtime(Home(Path(root), Path(downloads)), settings, owner, owner == "process", json.loads(environment))
print(json.dumps(runtime.start(("crm",)).environment()), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Home]:
    """A home of this test's own; whatever still runs in it is stopped."""
    place = servers.fresh_home()
    yield place
    Runtime(place, servers.SETTINGS, environment={}).stop(wipe=True)


@pytest.fixture
async def other_programs(home: Home) -> AsyncIterator[list[subprocess.Popen[str]]]:
    """The other programs a test has started; they end with it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for program in started:
        program.kill()
        program.communicate()


def start_elsewhere(home: Home, owner: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER_PROGRAM, str(home.root), str(home.downloads), owner, json.dumps(environment)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(program: subprocess.Popen[str]) -> dict[str, str]:
    """The addresses another program got."""
    assert program.stdout is not None
    addresses: dict[str, str] = json.loads(program.stdout.readline())
    return addresses


def found(home: Home) -> list[ProcessRecord]:
    """The servers of the home by their command lines, whatever is recorded of them."""
    markers = [home.kafka / "server.properties", home.postgres / "crm" / "data"]
    return [record for marker in markers for record in processes.find(str(marker))]


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_start_and_stop_twice_keep_addresses_and_data(home: Home) -> None:
    runtime = Runtime(home, servers.SETTINGS, environment={})
    first = await asyncio.to_thread(runtime.start, ("crm",))
    pids = [server.pid for server in runtime.status().servers]
    assert await asyncio.to_thread(runtime.start, ("crm",)) == first
    assert [server.pid for server in runtime.status().servers] == pids
    await execute(first.dsns["crm"], "create table kept ()")
    runtime.stop()
    runtime.stop()
    assert not any(server.running for server in runtime.status().servers)
    assert await asyncio.to_thread(runtime.start, ("crm",)) == first
    await execute(first.dsns["crm"], "table kept")


async def test_servers_end_with_a_killed_program(home: Home, other_programs: list[subprocess.Popen[str]]) -> None:
    other_programs.append(start_elsewhere(home, "process", {}))
    await asyncio.to_thread(said, other_programs[0])
    status = Runtime(home).status()
    assert any(server.running for server in status.servers)
    assert (status.held_by, status.kept) == (1, False)
    other_programs[0].send_signal(signal.SIGKILL)
    await eventually(lambda: not home.root.exists(), 20, "the data is not wiped")
    assert not found(home)


async def test_kept_servers_outlive_their_program_and_are_found_again(
    home: Home, other_programs: list[subprocess.Popen[str]]
) -> None:
    other_programs.append(start_elsewhere(home, "home", ONLY_POSTGRES))
    addresses = await asyncio.to_thread(said, other_programs[0])
    before = Runtime(home).status()
    other_programs[0].kill()
    other_programs[0].wait()
    again = await asyncio.to_thread(Runtime(home, servers.SETTINGS, environment=ONLY_POSTGRES).start, ("crm",))
    assert again.environment() == addresses
    assert Runtime(home).status() == before


async def test_the_first_of_two_programs_to_leave_does_not_take_the_servers_away(
    home: Home, other_programs: list[subprocess.Popen[str]]
) -> None:
    other_programs.append(start_elsewhere(home, "process", ONLY_POSTGRES))
    addresses = await asyncio.to_thread(said, other_programs[0])
    mine = Runtime(home, servers.SETTINGS, "process", environment=ONLY_POSTGRES)
    assert (await asyncio.to_thread(mine.start, ("crm",))).environment() == addresses
    other_programs[0].kill()
    await eventually(lambda: Runtime(home).status().held_by == 1, message="the other program still holds the servers")
    await execute(addresses["CRM_DSN"], "select 1")
    await asyncio.to_thread(mine.stop)
    assert not any(server.running for server in Runtime(home).status().servers)


async def test_a_program_that_lost_its_guard_still_stops_its_servers(home: Home) -> None:
    runtime = Runtime(home, servers.SETTINGS, "process", environment=ONLY_POSTGRES)
    await asyncio.to_thread(runtime.start, ("crm",))
    for guard in processes.find("duplex.embedded.guard"):
        if guard in holders.read(home.holders).guards:
            os.kill(guard.pid, signal.SIGKILL)
    await eventually(lambda: runtime.status().held_by == 0)
    await asyncio.to_thread(runtime.stop)
    assert not found(home)


async def test_two_starts_at_once_make_one_set_of_servers(
    home: Home, other_programs: list[subprocess.Popen[str]]
) -> None:
    other_programs += [start_elsewhere(home, "home", ONLY_POSTGRES) for _ in range(2)]
    first, second = await asyncio.gather(*(asyncio.to_thread(said, program) for program in other_programs))
    assert first == second
    assert len(found(home)) == 1


async def test_what_a_crash_left_behind_is_mended(home: Home) -> None:
    runtime = Runtime(home, servers.SETTINGS, environment=ONLY_POSTGRES)
    dsn = (await asyncio.to_thread(runtime.start, ("crm",))).dsns["crm"]
    await execute(dsn, "create table kept ()")
    runtime.postgres_server("crm").kill()
    folder = home.postgres / "crm"
    # The pids now belong to this very process, and somebody began to make the data folder anew.
    stale = (folder / "data" / "postmaster.pid").read_text().splitlines()
    (folder / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *stale[1:], ""]))
    processes.write_record(folder / "server.json", ProcessRecord(os.getpid(), 1.0, int(stale[3])))
    (folder / "data.new").mkdir()
    assert (await asyncio.to_thread(runtime.start, ("crm",))).dsns["crm"] == dsn
    await execute(dsn, "table kept")


async def test_a_server_that_nobody_recorded_is_replaced(home: Home) -> None:
    runtime = Runtime(home, servers.SETTINGS, environment=ONLY_POSTGRES)
    await asyncio.to_thread(runtime.start, ("crm",))
    (home.postgres / "crm" / "server.json").unlink()
    dsn = (await asyncio.to_thread(runtime.start, ("crm",))).dsns["crm"]
    await execute(dsn, "select 1")
    assert len(found(home)) == 1


def test_a_port_without_a_broker_does_not_answer() -> None:
    assert not kafka.answers(processes.free_port())
