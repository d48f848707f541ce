"""Debezium's Postgres source and its JDBC sink in one Kafka Connect worker, one way, tuned for throughput."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import aiohttp

from benchmarks.peers import children
from benchmarks.peers.archives import CONNECT
from benchmarks.peers.pairs import Pair, value
from benchmarks.peers.patience import PeerError, eventually
from benchmarks.stage import Stage
from duplex.embedded.java import Java
from duplex.embedded.processes import LOOPBACK, free_port

START_LIMIT_S = 600.0
MEMORY = ("-Xms512m", "-Xmx2g", "-XX:+UseG1GC")
BATCH = "5000"
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
class Debezium:
    """Source and sink are paused and resumed by the worker's own interface."""

    pair: Pair
    stage: Stage
    java: Java
    name: str = "debezium"
    two_way: bool = False
    stamped: bool = False
    partitions: int = 2
    prefix: str = field(default_factory=lambda: f"dbz{uuid4().hex[:8]}")
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="duplex-peers-")))
    port: int = field(default_factory=free_port)
    _worker: children.Process | None = None

    @classmethod
    def made(cls, pair: Pair, stage: Stage) -> "Debezium":
        return cls(pair, stage, CONNECT.install(print))

    @property
    def topic(self) -> str:
        return f"{self.prefix}.public.item"

    @property
    def log(self) -> Path:
        return self.folder / "connect.log"

    async def start(self) -> None:
        await self.stage.topics(self.topic, partitions=self.partitions)
        properties, logging = self.folder / "worker.properties", self.folder / "log4j2.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._worker_settings().items()))
        logging.write_text(LOGGING)
        options = (*MEMORY, f"-Dlog4j2.configurationFile={logging}")
        program = ("org.apache.kafka.connect.cli.ConnectStandalone", properties)
        self._worker = await children.spawned(java_command(self.java, options, *program), self.log)
        await eventually(self._answers, START_LIMIT_S, self.name, "Kafka Connect answered")
        await self._call("PUT", "/connectors/source/config", self._source())
        await self._call("PUT", "/connectors/sink/config", self._sink())
        await self._until("RUNNING", "source", "sink")
        await eventually(self._reads, START_LIMIT_S, self.name, "its replication slot was read")

    async def pause(self) -> None:
        await self._set("pause", "source", "sink")
        await self._until("PAUSED", "source", "sink")
        # A task says that it is paused before its last batch is out.
        await asyncio.sleep(0.5)

    async def resume(self) -> None:
        await self._set("resume", "source", "sink")

    async def rest(self) -> None:
        await self.pause()

    async def wake(self) -> None:
        await self.resume()

    async def stop(self) -> None:
        await children.ended(self._worker)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def confirm(self) -> None:
        return None

    def pids(self) -> Sequence[int]:
        return [self._worker.pid] if self._worker else []

    def servers(self) -> Mapping[str, Sequence[int]]:
        return {}

    async def hold(self) -> None:
        await self.pause()

    async def relay(self) -> None:
        await self._set("resume", "source")

    async def go_on(self) -> None:
        await self._set("resume", "sink")

    async def _set(self, verb: str, *names: str) -> None:
        for name in names:
            await self._call("PUT", f"/connectors/{name}/{verb}")

    async def _until(self, state: str, *names: str) -> None:
        async def so() -> bool:
            return all([await self._is(state, name) for name in names])

        await eventually(so, START_LIMIT_S, self.name, f"the connectors were {state}", 0.1)

    async def _is(self, state: str, name: str) -> bool:
        tasks = (await self._call("GET", f"/connectors/{name}/status") or {}).get("tasks", [])
        for task in tasks:
            if task["state"] == "FAILED":
                raise PeerError(self.name, f"the {name} failed: {task.get('trace', '')[:600]}", self.log)
        return bool(tasks) and all(task["state"] == state for task in tasks)

    async def _answers(self) -> bool:
        children.must_run(self.name, self._worker, self.log)
        return await self._call("GET", "/connectors") is not None

    async def _reads(self) -> bool:
        query = "select count(*) from pg_replication_slots where active and slot_name = $1"
        return bool(await value(self.pair.source, query, self.prefix))

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What Connect answers; None while it does not, or cannot now."""
        try:
            async with (
                aiohttp.ClientSession(f"http://{LOOPBACK}:{self.port}") as session,
                # Without a body the client would declare another type, which Connect refuses.
                session.request(method, path, json=body, headers={"Content-Type": "application/json"}) as response,
            ):
                answer = await response.json() if response.content_type == "application/json" else None
                if response.status >= 400 and method == "PUT":
                    raise PeerError(self.name, f"{method} {path}: {response.status} {answer}", self.log)
                return (answer or {}) if response.status < 300 else None
        except aiohttp.ClientError:
            return None

    def _worker_settings(self) -> dict[str, Any]:
        converter = "org.apache.kafka.connect.json.JsonConverter"
        return {
            "bootstrap.servers": self.stage.bootstrap,
            "key.converter": converter,
            "value.converter": converter,
            "offset.storage.file.filename": self.folder / "offsets",
            "plugin.path": CONNECT.plugin_folder,
            "plugin.discovery": "service_load",
            "listeners": f"http://{LOOPBACK}:{self.port}",
            "connector.client.config.override.policy": "All",
        }

    def _source(self) -> dict[str, str]:
        found = urlsplit(self.pair.source)
        return {
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "database.hostname": LOOPBACK,
            "database.port": str(found.port),
            "database.user": found.username or "",
            "database.password": found.password or "",
            "database.dbname": found.path.removeprefix("/"),
            "topic.prefix": self.prefix,
            "table.include.list": "public.item",
            "plugin.name": "pgoutput",
            "slot.name": self.prefix,
            "publication.name": self.prefix,
            "publication.autocreate.mode": "filtered",
            "snapshot.mode": "no_data",
            "max.batch.size": "8192",
            "max.queue.size": "32768",
            "poll.interval.ms": "10",
            # The row alone: a third of the bytes of the envelope with both images.
            "transforms": "unwrap",
            "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
            "transforms.unwrap.delete.tombstone.handling.mode": "tombstone",
            "producer.override.linger.ms": "5",
            "producer.override.batch.size": "524288",
            "producer.override.compression.type": "lz4",
        }

    def _sink(self) -> dict[str, str]:
        found = urlsplit(self.pair.target)
        return {
            "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
            "tasks.max": str(self.partitions),
            "topics": self.topic,
            "connection.url": jdbc(found, "reWriteBatchedInserts=true", "stringtype=unspecified"),
            "connection.username": found.username or "",
            "connection.password": found.password or "",
            "insert.mode": "upsert",
            "primary.key.mode": "record_key",
            "delete.enabled": "true",
            "schema.evolution": "none",
            "collection.name.format": "item",
            "batch.size": BATCH,
            "use.reduction.buffer": "true",
            "dialect.postgres.unnest.insert.enabled": "true",
            "consumer.override.max.poll.records": BATCH,
            "consumer.override.fetch.min.bytes": "1",
            "consumer.override.max.partition.fetch.bytes": "4194304",
        }


def java_command(java: Java, options: Sequence[str], *program: str | Path) -> list[str | Path]:
    """A program for Java with the heap that its options say; the archive of prepared classes is the broker's alone."""
    return [java.executable, *options, "-cp", java.classes, *program]


def jdbc(found: SplitResult, *options: str) -> str:
    """The address of a database as Java's drivers write it."""
    return f"jdbc:postgresql://{found.hostname}:{found.port}{found.path}" + ("?" + "&".join(options) if options else "")
