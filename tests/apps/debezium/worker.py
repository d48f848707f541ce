"""A Kafka Connect worker of a test's own, with Debezium's Postgres connector in it."""

import asyncio
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from duplex.embedded.java import Java
from duplex.embedded.processes import LOOPBACK, free_port
from duplex.embedded.settings import Settings
from duplex.supervisor import lifeline
from tests.waiting import eventually

START_LIMIT_S = 180.0
STOP_LIMIT_S = 20.0
SETTINGS = Settings(short_lived=True)
LOGGING = """
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


@dataclass(slots=True)
class Connect:
    """`java` with the classes, `folder` for its files. Starting it again goes on where it was."""

    java: Java
    folder: Path
    bootstrap: str
    port: int = field(default_factory=free_port)
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Start the worker, and wait until it answers."""
        (self.folder / "log4j2.properties").write_text(LOGGING)
        (self.folder / "worker.properties").write_text(self._properties())
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        program = ("org.apache.kafka.connect.cli.ConnectStandalone", self.folder / "worker.properties")
        command = self.java.command(SETTINGS, (logging,), *program)
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *map(str, command),
                stdout=output,
                stderr=output,
                preexec_fn=functools.partial(lifeline.die_with_parent, os.getpid()),
            )
        await eventually(self._answers, START_LIMIT_S, "Kafka Connect does not answer")

    async def stop(self) -> None:
        """Stop the worker; it may be stopped already."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def capture(self, name: str, dsn: str, tables: str, **more: str) -> None:
        """Have Debezium capture these tables into topics `<name>.<schema>.<table>`, and wait until it does."""
        await self._call("PUT", f"/connectors/{name}/config", _config(name, dsn, tables) | more)
        await eventually(lambda: self._runs(name), START_LIMIT_S, "Debezium does not run")

    @property
    def log(self) -> Path:
        return self.folder / "connect.log"

    async def _runs(self, name: str) -> bool:
        tasks = (await self._call("GET", f"/connectors/{name}/status") or {}).get("tasks", [])
        for task in tasks:
            assert task["state"] != "FAILED", task.get("trace", "")[:2000]
        return bool(tasks) and all(task["state"] == "RUNNING" for task in tasks)

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text(errors="replace")[-3000:]
        return await self._call("GET", "/connectors") is not None

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            async with (
                aiohttp.ClientSession(f"http://{LOOPBACK}:{self.port}") as session,
                session.request(method, path, json=body) as response,
            ):
                return await response.json() if response.status < 300 else None
        except aiohttp.ClientError:
            return None

    def _properties(self) -> str:
        converter = "org.apache.kafka.connect.json.JsonConverter"
        settings = {
            "bootstrap.servers": self.bootstrap,
            "key.converter": converter,
            "value.converter": converter,
            "offset.storage.file.filename": self.folder / "offsets",
            "offset.flush.interval.ms": 1000,
            "listeners": f"http://{LOOPBACK}:{self.port}",
            "connector.client.config.override.policy": "All",
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())


def _config(name: str, dsn: str, tables: str) -> dict[str, str]:
    parts = urlsplit(dsn)
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": parts.hostname or LOOPBACK,
        "database.port": str(parts.port),
        "database.user": parts.username or "postgres",
        "database.password": parts.password or "none",
        "database.dbname": parts.path.removeprefix("/"),
        "topic.prefix": name,
        "table.include.list": tables,
        "plugin.name": "pgoutput",
        "slot.name": name,
        "publication.name": name,
        "publication.autocreate.mode": "filtered",
        "poll.interval.ms": "20",
        "topic.creation.enable": "true",
        "topic.creation.default.partitions": "2",
        "topic.creation.default.replication.factor": "1",
    }
