"""duplex itself, as a user runs it: `duplex apply`, then `duplex run`, on a project file with the measured table."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil  # type: ignore[import-untyped]

from benchmarks.peers import children
from benchmarks.peers.pairs import Pair
from benchmarks.peers.patience import PeerError, eventually
from benchmarks.stage import sql
from duplex import broker
from duplex.status.gathering import hops
from schemas.project.kafka import client_options
from schemas.project.loading import load
from schemas.topics import Topics

ONE_WAY, TWO_WAYS = "duplex, one way", "duplex, two ways"
PROJECT = Path(__file__).parent / "one_way.yaml"
CONFIRM_LIMIT_S = 300.0


@dataclass(slots=True)
class Ours:
    """Two ways: both tables are edited. One way: the target is written to and never read for edits."""

    pair: Pair
    bootstrap: str
    two_way: bool
    stamped: bool = False
    pipeline: str = field(default_factory=lambda: f"b{uuid4().hex[:8]}")
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="duplex-peers-")))
    partitions: int = 4
    _program: children.Process | None = None
    _source: children.Process | None = None

    @property
    def name(self) -> str:
        return TWO_WAYS if self.two_way else ONE_WAY

    @property
    def topic(self) -> str:
        """An entity whose records are named by their keys has no stage between capture and merge."""
        return Topics(self.pipeline).records("item")

    @property
    def project(self) -> Path:
        return self.folder / "duplex.yaml"

    @property
    def log(self) -> Path:
        return self.folder / "run.log"

    async def start(self) -> None:
        text = sql("project.yaml") if self.two_way else PROJECT.read_text()
        self.project.write_text(text.replace("PIPELINE", self.pipeline))
        applying = await self._spawned("duplex", "--project", str(self.project), "apply")
        if await applying.wait():
            raise PeerError(self.name, "duplex apply failed: " + self.log.read_text()[-1000:])
        await self.wake()

    async def pause(self) -> None:
        """Its sources stand still; what is captured waits in the source's log."""
        children.must_run(self.name, self._program, self.log)
        sources = self._sources()
        if not sources:
            raise PeerError(self.name, "it runs no source that could be paused", self.log)
        for source in sources:
            source.send_signal(signal.SIGSTOP)

    async def resume(self) -> None:
        for source in self._sources():
            source.send_signal(signal.SIGCONT)

    async def rest(self) -> None:
        """Ended: a new start costs it a few seconds, and an idle one polls."""
        program, self._program = self._program, None
        await children.ended(program)

    async def wake(self) -> None:
        if self._program is None:
            self._program = await self._spawned("duplex", "--project", str(self.project), "run", "--http-port", "0")

    async def stop(self) -> None:
        await self.resume()
        await children.ended(self._source)
        await self.rest()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def confirm(self) -> None:
        """Nobody is behind, twice in a row: the second look is for what lay between two topics at the first."""
        for _ in range(2):
            await eventually(self._quiet, CONFIRM_LIMIT_S, self.name, "it confirmed everything", 0.1)

    def pids(self) -> Sequence[int]:
        return [process.pid for process in (self._program, self._source) if process]

    def servers(self) -> Mapping[str, Sequence[int]]:
        return {}

    async def hold(self) -> None:
        await self.rest()

    async def relay(self) -> None:
        """The process that `duplex run` starts for the source, without the others."""
        command = ("duplex.child", "--project", str(self.project), "--log-level", "error", "source", "crm")
        self._source = await self._spawned(*command)

    async def go_on(self) -> None:
        source, self._source = self._source, None
        await children.ended(source)
        await self.wake()

    async def _spawned(self, module: str, *words: str) -> children.Process:
        command = [sys.executable, "-m", module, *words]
        return await children.spawned(command, self.log, self._environment(), self.folder)

    def _environment(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap, "CRM_DSN": self.pair.source, "ERP_DSN": self.pair.target}

    def _sources(self) -> list[psutil.Process]:
        return [child for child in children.tree(self.pids()) if {"duplex.child", "source"} <= set(_words(child))]

    async def _quiet(self) -> bool:
        children.must_run(self.name, self._program, self.log)
        project = load(self.project, {**os.environ, **self._environment()}).project
        wanted = [(hop.group, hop.topic) for hop in hops(project)]
        return not any(lag.messages for lag in await broker.lags(client_options(project.kafka), wanted))


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
