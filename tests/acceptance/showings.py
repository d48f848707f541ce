"""The demo's two databases under the real program, run as a subprocess that tests may kill."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from duplex.demo import databases, figures, history
from duplex.demo.history import History
from schemas.topics import Topics
from tests.acceptance.leashes import ends_with_this_process
from tests.conftest import NewDatabase
from tests.waiting import eventually

SETTLE_TIMEOUT_S = 90.0


@dataclass(slots=True)
class Showing:
    """A project folder, two filled databases, and the program's commands on them."""

    folder: Path
    pipeline: str
    bootstrap: str
    dsns: databases.Pair
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def made(
        cls, folder: Path, pipeline: str, bootstrap: str, new_database: NewDatabase
    ) -> AsyncIterator["Showing"]:
        """The demo's project on two databases, checked in and applied, not yet running; stopped at the end."""
        dsns = databases.Pair(await new_database("crm"), await new_database("erp"))
        await databases.fill(dsns)
        (folder / "duplex.yaml").write_text(databases.script("project.yaml").replace("PIPELINE", pipeline))
        found = cls(folder, pipeline, bootstrap, dsns)
        await found.call("apply")
        try:
            yield found
        finally:
            await found.stop()

    @property
    def environment(self) -> dict[str, str]:
        ours = {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap, "CRM_DSN": self.dsns.crm, "ERP_DSN": self.dsns.erp}
        return {**os.environ, **ours}

    async def call(self, *words: str, accepted: tuple[int, ...] = (0,)) -> str:
        """Run a command to its end; returns its standard output."""
        output, errors, code = await ended(await self.begun(*words))
        assert code in accepted, f"duplex {words} ended with {code}:\n{errors}"
        return output

    async def begun(self, *words: str) -> asyncio.subprocess.Process:
        """A command that runs, its output and errors yet to be read: see `ended`."""
        return await self._spawn(*words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)

    async def start(self) -> asyncio.subprocess.Process:
        """`duplex run`, its log in `run.log`."""
        with (self.folder / "run.log").open("ab") as log:
            process = await self._spawn("run", "--http-port", "0", stdout=log, stderr=log)
        self.processes.append(process)
        return process

    async def _spawn(self, *words: str, **streams: object) -> asyncio.subprocess.Process:
        project = str(self.folder / "duplex.yaml")
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "duplex",
            "--project",
            project,
            *words,
            env=self.environment,
            preexec_fn=ends_with_this_process(),
            **streams,
        )

    async def stop(self) -> None:
        """End every run that is still there, gracefully."""
        for process in self.processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(process.wait(), 30)

    def part(self, *words: str) -> int | None:
        """The process id of a part of the running program (`"sink", "erp"`), if it is there now."""
        return part({process.pid for process in self.processes if process.returncode is None}, *words)

    async def kill(self, *words: str) -> None:
        """`kill -9` a part, once it is there."""
        await kill(lambda: self.part(*words), *words)

    async def comparison(self) -> databases.Comparison:
        async with self.connected() as (crm, erp):
            return await databases.compare(crm, erp)

    async def settled(self, timeout_s: float = SETTLE_TIMEOUT_S) -> None:
        """Wait until both databases agree and every command has its echo."""
        async with self.connected() as (crm, erp):

            async def in_step() -> bool:
                found = await databases.compare(crm, erp)
                return found.differences == 0 and found.rows > 0

            async def answered() -> bool:
                return await in_step() and await self._answered() and await in_step()

            try:
                await eventually(in_step, timeout_s=timeout_s, message="the databases still differ")
                await eventually(answered, timeout_s=timeout_s, message="a command has no echo")
            except AssertionError as error:
                raise AssertionError(f"{error}\n{await self.comparison()}") from error

    async def _answered(self) -> bool:
        past = await self.history()
        return past.commands.keys() <= {entry.change.origin.command for entry in past.echoes if entry.change.origin}

    async def history(self) -> History:
        topics = Topics(self.pipeline)
        return await history.read(topics, "contact", ("crm", "erp"), {"bootstrap_servers": self.bootstrap})

    async def nothing_lost_or_doubled(self) -> History:
        """The oracle: no edit lost, no command with two effects, no contact twice. Returns what happened."""
        past = await self.history()
        assert figures.lost_edits(past) == []
        assert (await self.comparison()).duplicates == 0
        for dsn in (self.dsns.crm, self.dsns.erp):
            assert await commands_with_two_effects(dsn) == []
        return past

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
        crm, erp = await asyncpg.connect(self.dsns.crm), await asyncpg.connect(self.dsns.erp)
        try:
            yield crm, erp
        finally:
            await crm.close()
            await erp.close()


async def ended(process: asyncio.subprocess.Process) -> tuple[str, str, int]:
    """What a command said on its output, on its errors, and its exit code."""
    output, errors = await process.communicate()
    assert process.returncode is not None
    return output.decode(), errors.decode(), process.returncode


def part(supervisors: set[int], *words: str) -> int | None:
    """The process id of a part that one of these runs, if it is there now."""
    for pid in _descendants(supervisors):
        with contextlib.suppress(OSError):
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
            if "duplex.child" in argv and argv[-len(words) :] == list(words):
                return pid
    return None


async def kill(find: Callable[[], int | None], *words: str) -> None:
    """`kill -9` the process that is found for these words, once it is there."""
    pid = await eventually(find, timeout_s=90, message=f"no process for {words}")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def _descendants(roots: set[int]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent in roots:
                    found.append(int(entry.name))
    return found


async def commands_with_two_effects(dsn: str) -> list[str]:
    """Commands that left more than one entry in a database's log: none, if each took effect once."""
    connection = await asyncpg.connect(dsn)
    try:
        query = "select command from duplex.change_log where command is not null group by 1 having count(*) > 1"
        return [row["command"] for row in await connection.fetch(query)]
    finally:
        await connection.close()
