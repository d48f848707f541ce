"""The supervisor with real, tiny child processes."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from duplex.supervisor import web
from duplex.supervisor.child import Program
from duplex.supervisor.supervisor import Supervisor, gist
from tests.waiting import eventually

HEALTHY = """
import os, signal, time, prometheus_client as p
from duplex.supervisor import lifeline
p.Gauge("duplex_heartbeat_timestamp_seconds", "", ["loop"]).labels("main").set_to_current_time()
lifeline.attach(dict(os.environ), p.generate_latest)
signal.pause()
"""
DEAF = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", file=sys.stderr, flush=True)
signal.pause()
"""
CRASHING = "import sys; sys.exit('the disk is full')"


def program(name: str, code: str) -> Program:
    return Program(name, (sys.executable, "-c", code))


class World:
    def __init__(self, *programs: Program, grace_s: float = 10) -> None:
        self.said: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self.supervisor = Supervisor(
            programs,
            environment=dict(os.environ),
            lines=lambda name, line: self.lines.append((name, line)),
            say=self.said.append,
            grace_s=grace_s,
            jitter=lambda: 0.9,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.supervisor.run())
        try:
            yield
        finally:
            self.supervisor.stop()
            await task


async def test_a_crashed_child_is_started_again_and_the_sentence_says_why() -> None:
    world = World(program("sink erp", CRASHING))
    async with world.running():
        await eventually(lambda: len(world.said) >= 2)
    assert world.said[0].startswith("sink erp ended with exit code 1 (it said: the disk is full); attempt 2 in 0.")
    assert ("sink erp", "the disk is full") in world.lines


def test_the_gist_of_a_json_line() -> None:
    line = (
        '{"event": "stopped", "level": "error", "exception": [{"exc_type": "ValueError", "exc_value": "no such row"}]}'
    )
    assert gist(line) == "stopped: ValueError: no such row"
    assert gist('{"event": "stopped"}') == "stopped"
    assert gist("plain text") == "plain text"


async def test_a_program_that_cannot_be_started_is_said_so() -> None:
    world = World(Program("source crm", ("/does/not/exist",)))
    async with world.running():
        await eventually(lambda: bool(world.said))
    assert world.said[0].startswith("source crm could not be started (No such file or directory)")


async def test_the_children_are_gone_when_run_returns() -> None:
    world = World(program("a", HEALTHY), program("b", HEALTHY))
    async with world.running():
        await eventually(lambda: len(world.supervisor.pids()) == 2)
        pids = list(world.supervisor.pids().values())
    assert not any(map(alive, pids))
    assert world.said == []


async def test_a_child_that_will_not_stop_is_killed_and_that_is_said() -> None:
    world = World(program("deaf", DEAF), grace_s=0.2)
    async with world.running():
        await eventually(lambda: ("deaf", "up") in world.lines)
    assert world.said == ["deaf did not stop within 0 s and was killed"]


async def test_stop_before_the_start_is_over_and_twice() -> None:
    world = World(program("a", HEALTHY))
    async with world.running():
        world.supervisor.stop()
        world.supervisor.stop()
    assert world.supervisor.pids() == {}


async def test_metrics_and_health_over_http() -> None:
    world = World(program("a", HEALTHY))
    server = web.Server(world.supervisor, "127.0.0.1", 0)
    async with world.running(), aiohttp.ClientSession(f"http://127.0.0.1:{await started(server)}") as client:
        assert (await client.get("/health")).status == 503
        await eventually(lambda: world.supervisor.views()[0].metrics != "")
        assert (await client.get("/health")).status == 200
        text = await (await client.get("/metrics")).text()
        assert 'duplex_heartbeat_timestamp_seconds{loop="main",process="a"}' in text
        assert 'duplex_child_up{process="a"} 1.0' in text
    await server.stop()
    await server.stop()


async def started(server: web.Server) -> int:
    await server.start()
    return server.port


PARENT = """
import asyncio, os, sys
from duplex.supervisor.child import Program
from duplex.supervisor.supervisor import Supervisor
async def main():
    s = Supervisor([Program("a", (sys.executable, "-c", sys.argv[1]))], environment=dict(os.environ),
                   lines=lambda *_: None, say=lambda _: None)
    task = asyncio.create_task(s.run())
    while not s.views()[0].metrics:
        await asyncio.sleep(0.02)
    print(s.pids()["a"], flush=True)
    await task
asyncio.run(main())
"""


async def test_children_end_when_the_supervisor_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, HEALTHY, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    await eventually(lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
