"""The sample project under the real program, run as a subprocess that tests may stop and kill."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.acceptance.leashes import ends_with_this_process
from tests.conftest import NewDatabase
from tests.waiting import eventually

SAMPLE = Path(__file__).parents[2] / "examples" / "two-databases"


class Shop:
    """The sample project in a folder of its own, on databases of its own."""

    def __init__(self, folder: Path, bootstrap: str, crm: str, erp: str) -> None:
        self.folder, self.crm, self.erp = folder, crm, erp
        self.environment = {
            **os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "CRM_DSN": crm, "ERP_DSN": erp, "NO_COLOR": "1",
        }  # fmt: skip
        self.process: asyncio.subprocess.Process | None = None

    @classmethod
    @asynccontextmanager
    async def made(
        cls, folder: Path, pipeline: str, bootstrap: str, new_database: NewDatabase, *changes: tuple[str, str]
    ) -> AsyncIterator["Shop"]:
        """The sample on two databases that hold its contacts, its file changed in these places; stopped at the end."""
        crm, erp = await new_database("crm"), await new_database("erp")
        text = (SAMPLE / "duplex.yaml").read_text()
        for old, new in (("pipeline: shop", f"pipeline: {pipeline}"), *changes):
            assert old in text
            text = text.replace(old, new)
        (folder / "duplex.yaml").write_text(text)
        shop = cls(folder, bootstrap, crm, erp)
        for dsn, file in ((crm, "crm.sql"), (erp, "erp.sql")):
            await shop.execute(dsn, (SAMPLE / file).read_text())
        try:
            yield shop
        finally:
            if shop.process is not None:
                await shop.stop()

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
            env=self.environment, stdin=asyncio.subprocess.DEVNULL, preexec_fn=ends_with_this_process(), **streams,
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
        await eventually(lambda: path.exists() and json.loads(path.read_text())["pid"] == pid, timeout_s=90)
        found: dict[str, Any] = json.loads(path.read_text())
        await eventually(lambda: self._healthy(found["port"]), timeout_s=120, message="never healthy")
        return found

    async def _healthy(self, port: int) -> bool:
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/health") as response:
            return response.status == 200

    async def value(self, dsn: str, query: str) -> Any:
        async with connected(dsn) as connection:
            return await connection.fetchval(query)

    async def execute(self, dsn: str, statements: str) -> None:
        async with connected(dsn) as connection:
            await connection.execute(statements)

    async def becomes(self, dsn: str, query: str, wanted: Any) -> None:
        """Wait until a query's answer is this."""
        async with connected(dsn) as connection:

            async def same() -> bool:
                return bool(await connection.fetchval(query) == wanted)

            try:
                await eventually(same, timeout_s=120, message=f"{query} is not {wanted}")
            except AssertionError as error:
                raise AssertionError(f"{error}: {await connection.fetchval(query)}") from error


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A session in a database for the time of the block."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()
