"""The servers that benchmarks run on: durable, in a home of their own, gone when the benchmark is."""

import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from duplex.embedded.binaries import find_binaries
from duplex.embedded.home import Home, default_home
from duplex.embedded.runtime import Runtime
from duplex.embedded.settings import Settings

SERVERS = ("source", "target")
# What any server under load has; the rest is as initdb leaves it, fsync included.
TUNING = ("max_wal_size = '4GB'", "checkpoint_timeout = '30min'", "jit = off")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much to measure. `quick` only shows that everything runs."""

    rounds: int = 3
    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        """One of two sizes."""
        return quick if self.quick else full


@dataclass(slots=True)
class Stage:
    """Running servers: Kafka at `bootstrap`, two Postgres servers by name."""

    runtime: Runtime
    bootstrap: str
    dsns: dict[str, str]

    @classmethod
    def start(cls) -> "Stage":
        """Start everything; a killed benchmark leaves nothing running."""
        shared = default_home()
        home = Home(shared.root.parent / "benchmarks" / f"{os.getpid()}-{uuid.uuid4().hex[:8]}", shared.downloads)
        runtime = Runtime(home, Settings(), owner="process", wipe_at_end=True, environment={})
        addresses = runtime.start(SERVERS)
        return cls(runtime, addresses.bootstrap, dict(addresses.dsns))

    def stop(self) -> None:
        self.runtime.stop()

    async def tune(self) -> None:
        """Settings of a server under load."""
        for dsn in self.dsns.values():
            connection = await asyncpg.connect(dsn)
            for setting in TUNING:
                await connection.execute(f"alter system set {setting}")
            await connection.execute("select pg_reload_conf()")
            await connection.close()

    def pids(self, *servers: str) -> dict[str, list[int]]:
        """The processes of `kafka` and of Postgres servers, by name."""
        found = {}
        for name in servers:
            one = self.runtime.kafka_server() if name == "kafka" else self.runtime.postgres_server(name)
            record = one.running()
            found[name] = [record.pid] if record else []
        return found

    async def database(self, server: str, *scripts: str) -> str:
        """A new database on a server, with these statements run in it; its DSN."""
        name = f"b{uuid.uuid4().hex[:8]}"
        admin = await asyncpg.connect(self.dsns[server])
        await admin.execute(await admin.fetchval("select format('create database %I', $1::text)", name))
        await admin.close()
        dsn = f"{self.dsns[server].rpartition('/')[0]}/{name}"
        connection = await asyncpg.connect(dsn)
        for script in scripts:
            await connection.execute(script)
        await connection.close()
        return dsn

    async def topics(self, *names: str, partitions: int = 4, **settings: str) -> None:
        """Make these topics, each anew under a name that nobody used."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        config = {name.replace("_", "."): value for name, value in settings.items()}
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config) for name in names])
        await admin.close()

    async def ends(self, topic: str, partitions: int = 4) -> int:
        """How many messages were ever written to a topic."""
        async with consuming(self.bootstrap) as consumer:
            places = [TopicPartition(topic, number) for number in range(partitions)]
            return sum((await consumer.end_offsets(places)).values())

    def pgbench(self, dsn: str, script: Path, *words: str, synchronous: bool = True) -> int:
        """Run pgbench with prepared statements; the number of transactions that it made."""
        program = find_binaries(default_home().downloads, None) / "pgbench"
        options = f"-c synchronous_commit={'on' if synchronous else 'off'}"
        command: Sequence[str] = [str(program), "--no-vacuum", "--protocol=prepared", f"--file={script}", *words, dsn]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PGOPTIONS": options})
        if done.returncode != 0 or "aborted" in done.stderr:
            raise RuntimeError(f"pgbench failed: {done.stderr[-1000:]}")
        (line,) = [line for line in done.stdout.splitlines() if "transactions actually processed" in line]
        return int(line.rpartition(":")[2].partition("/")[0])


@asynccontextmanager
async def consuming(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group for the time of the block."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def in_turns(rounds: int, variants: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Every variant in every round; whoever was first in one is last in the next."""
    for number in range(rounds):
        for variant in variants if number % 2 == 0 else reversed(variants):
            yield number, variant


def sql(name: str) -> str:
    """The text of one of the benchmarks' SQL files."""
    return path(name).read_text()


def path(name: str) -> Path:
    """Where one of the benchmarks' SQL files is."""
    return Path(__file__).parent / "sql" / name
