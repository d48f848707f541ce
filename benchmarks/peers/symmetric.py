"""SymmetricDS: two nodes in one Java program, capture by triggers, both ways, pushed over HTTP on this machine."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.peers import children
from benchmarks.peers.archives import SYMMETRIC
from benchmarks.peers.debezium import java_command, jdbc
from benchmarks.peers.pairs import Pair, value
from benchmarks.peers.patience import eventually
from duplex.embedded.java import Java
from duplex.embedded.processes import LOOPBACK, free_port

START_LIMIT_S = 600.0
PERIOD_MS = 50
MEMORY = ("-Xms512m", "-Xmx2g", "-XX:+UseG1GC")
QUIET_S = 0.7
SETUP = Path(__file__).parent / "sql" / "symmetric.sql"
TRIGGERS = "select count(*) from pg_trigger where tgrelid = 'item'::regclass and tgname like 'sym%on\\_u%'"


@dataclass(slots=True)
class SymmetricDS:
    """It has no pause that triggers outlive: it is stopped by a signal, and goes on by another."""

    pair: Pair
    java: Java
    name: str = "symmetricds"
    two_way: bool = True
    stamped: bool = False
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="duplex-peers-")))
    port: int = field(default_factory=free_port)
    _program: children.Process | None = None

    @classmethod
    def made(cls, pair: Pair) -> "SymmetricDS":
        return cls(pair, SYMMETRIC.install(print))

    @property
    def log(self) -> Path:
        return self.folder / "symmetric.log"

    async def start(self) -> None:
        self._write()
        options = (*MEMORY, "-Dfile.encoding=UTF-8", "-Duser.timezone=UTC", "-Djava.net.preferIPv4Stack=true")
        places = (f"-Djava.io.tmpdir={self.folder / 'tmp'}", f"-Dsymmetric.engines.dir={self.folder / 'engines'}")
        words = ("org.jumpmind.symmetric.SymmetricLauncher", "--server", "--port", str(self.port), "--no-log-file")
        command = java_command(self.java, (*options, *places), *words)
        self._program = await children.spawned(command, self.log, folder=self.folder)
        await eventually(self._captures, START_LIMIT_S, self.name, "its triggers were there", 0.5)

    async def pause(self) -> None:
        await asyncio.sleep(QUIET_S)
        children.send(self.pids(), signal.SIGSTOP)

    async def resume(self) -> None:
        children.send(self.pids(), signal.SIGCONT)

    async def rest(self) -> None:
        await self.pause()

    async def wake(self) -> None:
        await self.resume()

    async def stop(self) -> None:
        await children.ended(self._program)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def confirm(self) -> None:
        return None

    def pids(self) -> Sequence[int]:
        return [self._program.pid] if self._program else []

    def servers(self) -> Mapping[str, Sequence[int]]:
        return {}

    async def _captures(self) -> bool:
        children.must_run(self.name, self._program, self.log)
        return all([await value(dsn, TRIGGERS) for dsn in (self.pair.source, self.pair.target)])

    def _write(self) -> None:
        for folder in ("engines", "tmp", "logs"):
            (self.folder / folder).mkdir(exist_ok=True)
        setup = self.folder / "setup.sql"
        setup.write_text(SETUP.read_text())
        for node, dsn, number in (("source", self.pair.source, "000"), ("target", self.pair.target, "001")):
            settings = self._settings(node, dsn, number, setup)
            text = "".join(f"{name}={setting}\n" for name, setting in settings.items())
            (self.folder / "engines" / f"{node}.properties").write_text(text)

    def _settings(self, node: str, dsn: str, number: str, setup: Path) -> dict[str, object]:
        """The source is the one at which the other registers, and which sets both up."""
        first, address, found = node == "source", f"http://{LOOPBACK}:{self.port}/sync", urlsplit(dsn)
        return {
            "engine.name": node,
            "db.driver": "org.postgresql.Driver",
            "db.url": jdbc(found, "stringtype=unspecified", "reWriteBatchedInserts=true"),
            "db.user": found.username,
            "db.password": found.password,
            "registration.url": "" if first else f"{address}/source",
            "sync.url": f"{address}/{node}",
            "group.id": node,
            "external.id": number,
            "auto.registration": "true",
            "auto.reload": "false",
            "registration.require.initial.load": "false",
            "registration.push.config.allowed": "false",
            "auto.config.registration.svr.sql.script": setup if first else "",
            "job.routing.period.time.ms": PERIOD_MS,
            "job.push.period.time.ms": PERIOD_MS,
            "job.random.max.start.time.ms": 100,
            "job.purge.period.time.ms": 7_200_000,
            "start.pull.job": "false" if first else "true",
            "http.compression": "false",
            "routing.data.reader.into.memory.enabled": "true",
        }
