"""The pipelines that are measured end to end: the real program, and Postgres's own logical replication."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import asyncpg
import psutil  # type: ignore[import-untyped]

from benchmarks.stage import Stage, sql
from schemas.topics import Topics

STOP_LIMIT_S = 30.0


class Pipeline(Protocol):
    """Keeps the table `item` of `crm` and `erp` in step."""

    crm: str
    erp: str

    def pids(self) -> Sequence[int]:
        """The roots of its own processes, the servers not among them."""
        ...

    async def pause(self) -> None:
        """Read nothing more; changes are still captured."""
        ...

    async def resume(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(slots=True)
class Program:
    """`duplex run` as a user starts it, on two databases."""

    crm: str
    erp: str
    bootstrap: str
    pipeline: str = field(default_factory=lambda: f"b{uuid.uuid4().hex[:8]}")
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="duplex-benchmark-")))
    process: asyncio.subprocess.Process | None = None

    @classmethod
    async def started(cls, stage: Stage, rows: int) -> "Program":
        """Two databases with the same rows, applied and running."""
        script = sql("item.sql").replace("ROWS", str(rows))
        crm, erp = await stage.database("source", script), await stage.database("target", script)
        program = cls(crm, erp, stage.bootstrap)
        (program.folder / "duplex.yaml").write_text(sql("project.yaml").replace("PIPELINE", program.pipeline))
        applying = await program._spawn("apply")
        if await applying.wait():
            raise RuntimeError("duplex apply failed: " + (program.folder / "run.log").read_text()[-2000:])
        program.process = await program._spawn("run", "--http-port", "0")
        return program

    @property
    def topics(self) -> Topics:
        return Topics(self.pipeline)

    async def _spawn(self, *words: str) -> asyncio.subprocess.Process:
        ours = {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap, "CRM_DSN": self.crm, "ERP_DSN": self.erp}
        command = [sys.executable, "-m", "duplex", "--project", str(self.folder / "duplex.yaml"), *words]
        with (self.folder / "run.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command, env={**os.environ, **ours}, stdout=log, stderr=log, cwd=self.folder
            )

    def pids(self) -> list[int]:
        return [self.process.pid] if self.process else []

    def _sources(self) -> list[psutil.Process]:
        children = [child for pid in self.pids() for child in psutil.Process(pid).children(recursive=True)]
        return [child for child in children if "duplex.child" in child.cmdline() and "source" in child.cmdline()]

    async def pause(self) -> None:
        for source in self._sources():
            source.send_signal(signal.SIGSTOP)

    async def resume(self) -> None:
        for source in self._sources():
            source.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.resume()
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), STOP_LIMIT_S)
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(slots=True)
class Native:
    """A publication in `crm` and a subscription in `erp`: one way, and the floor for anything that uses no merge."""

    crm: str
    erp: str
    name: str

    @classmethod
    async def started(cls, stage: Stage, rows: int) -> "Native":
        script = sql("item.sql").replace("ROWS", str(rows))
        crm, erp = await stage.database("source", script), await stage.database("target", script)
        native = cls(crm, erp, f"n{uuid.uuid4().hex[:8]}")
        await _execute(crm, f"create publication {native.name} for table item")
        options = "copy_data = false"
        await _execute(
            erp, f"create subscription {native.name} connection '{crm}' publication {native.name} with ({options})"
        )
        return native

    def pids(self) -> list[int]:
        return []

    async def pause(self) -> None:
        await _execute(self.erp, f"alter subscription {self.name} disable")

    async def resume(self) -> None:
        await _execute(self.erp, f"alter subscription {self.name} enable")

    async def stop(self) -> None:
        await _execute(self.erp, f"drop subscription {self.name}")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
