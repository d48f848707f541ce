"""The embedded servers as a whole: one Kafka broker and a Postgres server for each named database."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from duplex.embedded import guard, holders, kafka
from duplex.embedded.binaries import find_binaries
from duplex.embedded.guard import Guard
from duplex.embedded.home import Home, default_home
from duplex.embedded.jars import class_path
from duplex.embedded.java import Java, find_java
from duplex.embedded.kafka import KafkaServer
from duplex.embedded.postgres import PostgresServer
from duplex.embedded.processes import ProcessRecord
from duplex.embedded.settings import Progress, Settings, silent
from duplex.errors import DuplexError

KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")

Owner = Literal["home", "process"]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are: Kafka's bootstrap address, a DSN for each database, a `psql` to look with (or None)."""

    bootstrap: str
    dsns: Mapping[str, str]
    psql: Path | None

    def environment(self) -> dict[str, str]:
        """The variables that make every part of duplex use these servers."""
        return {KAFKA_VARIABLE: self.bootstrap} | {dsn_variable(name): dsn for name, dsn in self.dsns.items()}


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server: `address` and `pid` are None when it does not run."""

    name: str
    running: bool
    address: str | None
    pid: int | None
    log: Path


@dataclass(frozen=True, slots=True)
class Status:
    """What runs in a home. `kept`: until told to stop; `held_by`: how many programs hold it besides."""

    home: Path
    servers: tuple[ServerStatus, ...]
    kept: bool
    held_by: int


def dsn_variable(database: str) -> str:
    """The environment variable that takes the place of an embedded database: CRM_DSN for `crm`."""
    return f"{database.upper()}_DSN"


def default_environment() -> Mapping[str, str]:
    return os.environ


@dataclass(slots=True)
class Runtime:
    """Starts and stops the servers of one home. Synchronous: from a coroutine, call it with `asyncio.to_thread`.

    `owner="home"`: the servers run until somebody stops them, whatever becomes of this program. `owner="process"`:
    they end with this program, even when it is killed, unless another program holds them too.
    `wipe_at_end` (with "process"): their data goes with them. Every method may be called twice, and from several
    programs at once; a lock in the home makes them take turns.
    """

    home: Home = field(default_factory=default_home)
    settings: Settings = field(default_factory=Settings)
    owner: Owner = "home"
    wipe_at_end: bool = False
    environment: Mapping[str, str] = field(default_factory=default_environment)
    _guard: Guard | None = field(default=None, init=False)

    def start(self, databases: Sequence[str] = ("crm", "erp"), progress: Progress = silent) -> Addresses:
        """Start what does not run yet, wait until it answers, and say where it is.

        KAFKA_BOOTSTRAP_SERVERS and `<NAME>_DSN` in the environment take the place of embedded servers; these are
        neither started nor asked. Raises DuplexError when a server cannot be had, with what to do about it.
        """
        _check_names(databases)
        wanted = [name for name in databases if dsn_variable(name) not in self.environment]
        if KAFKA_VARIABLE in self.environment and not wanted:
            return self._addresses(databases, None, {}, self._psql(embedded=False))
        with self.home.locked():
            self.home.create()
            self._hold()
            try:
                return self._start_all(databases, wanted, progress)
            except BaseException:
                self._let_go()
                raise

    def stop(self, *, wipe: bool = False) -> None:
        """Stop the servers: all of them for "home"; for "process" only if no other program holds them.

        `wipe` also deletes their data, once they are stopped.
        """
        if self.owner == "process":
            return self._stop_as_process(wipe)
        if not self.home.root.exists():
            return None
        with self.home.locked():
            holders.write(self.home.holders, holders.Holders())
            self._stop_all(wipe)
        return None

    def release(self, guard_record: ProcessRecord, *, wipe: bool) -> None:
        """Let go on behalf of a guard; stop the servers if it was the last to hold them."""
        if not self.home.root.exists():
            return
        with self.home.locked():
            self._release(guard_record, wipe)

    def status(self) -> Status:
        """What runs now, by the records and the processes; no server is asked."""
        held = holders.read(self.home.holders).alive()
        broker = self.kafka_server()
        record = broker.running()
        found = kafka.address(record) if record else None
        servers = [ServerStatus("kafka", bool(record), found, record.pid if record else None, broker.log)]
        servers += [self._database_status(name) for name in self._known_databases()]
        return Status(self.home.root, tuple(servers), held.kept, len(held.guards))

    def running_addresses(self) -> Addresses | None:
        """The addresses of what runs or is given, without starting anything; None when there is no Kafka."""
        record = self.kafka_server().running()
        if record is None and KAFKA_VARIABLE not in self.environment:
            return None
        dsns = {name: self.postgres_server(name).dsn(name) for name in self._known_databases()}
        running = {name: dsn for name, dsn in dsns.items() if dsn}
        bootstrap = kafka.address(record) if record else None
        return self._addresses(list(running), bootstrap, running, self._psql(embedded=bool(running)))

    def _start_all(self, databases: Sequence[str], wanted: Sequence[str], progress: Progress) -> Addresses:
        """Start Kafka and every Postgres beside each other."""
        psql = self._psql(embedded=bool(wanted))
        with ThreadPoolExecutor(1 + len(wanted)) as pool:
            broker = None
            if KAFKA_VARIABLE not in self.environment:
                broker = pool.submit(self._start_kafka, progress)
            started = {name: pool.submit(self.postgres_server(name).start, name, progress) for name in wanted}
            dsns = {name: future.result() for name, future in started.items()}
            bootstrap = broker.result() if broker else None
        return self._addresses(databases, bootstrap, dsns, psql)

    def _start_kafka(self, progress: Progress) -> str:
        return self.kafka_server().start(self._java(progress), progress)

    def _addresses(
        self, databases: Sequence[str], bootstrap: str | None, dsns: Mapping[str, str], psql: str | Path | None
    ) -> Addresses:
        given = {name: self.environment.get(dsn_variable(name)) or dsns[name] for name in databases}
        broker = self.environment.get(KAFKA_VARIABLE) or bootstrap or ""
        return Addresses(broker, given, Path(psql) if psql else None)

    def _psql(self, *, embedded: bool) -> str | Path | None:
        return find_binaries(self.home.downloads, None) / "psql" if embedded else shutil.which("psql")

    def _hold(self) -> None:
        if self.owner == "process" and self._guard is None:
            self._guard = guard.post(self.home, wipe=self.wipe_at_end)
        held = holders.read(self.home.holders).alive()
        mine = self._guard.record if self._guard else None
        if mine not in held.guards:
            holders.write(self.home.holders, held.joined(mine))

    def _let_go(self) -> None:
        """After a failed start, with the lock held: servers of ours that did come up must not stay behind."""
        mine, self._guard = self._guard, None
        if mine is None:
            return
        self._release(mine.record, self.wipe_at_end)
        os.close(mine.pipe)

    def _stop_as_process(self, wipe: bool) -> None:
        mine, self._guard = self._guard, None
        if mine is None:
            return
        self.release(mine.record, wipe=wipe or self.wipe_at_end)
        mine.dismiss()

    def _release(self, guard_record: ProcessRecord, wipe: bool) -> None:
        held = holders.read(self.home.holders)
        if guard_record not in held.guards:
            return
        held = held.left(guard_record).alive()
        holders.write(self.home.holders, held)
        if held.none:
            self._stop_all(wipe)

    def _stop_all(self, wipe: bool) -> None:
        servers = [self.kafka_server(), *(self.postgres_server(name) for name in self._known_databases())]
        with ThreadPoolExecutor(len(servers)) as pool:
            list(pool.map(lambda server: server.stop(), servers))
        with suppress(DuplexError):
            self.kafka_server().prepare_archive(find_java(self.home.downloads, ""))
        if wipe:
            self.home.wipe()

    def kafka_server(self) -> KafkaServer:
        return KafkaServer(self.home.kafka, self.settings)

    def postgres_server(self, name: str) -> PostgresServer:
        return PostgresServer(self.home.postgres / name, self.home.downloads, self.settings)

    def _java(self, progress: Progress) -> Java:
        return find_java(self.home.downloads, class_path(self.home.downloads, progress))

    def _known_databases(self) -> list[str]:
        return sorted(folder.name for folder in self.home.postgres.glob("*") if folder.is_dir())

    def _database_status(self, name: str) -> ServerStatus:
        server = self.postgres_server(name)
        record = server.running()
        return ServerStatus(name, bool(record), server.dsn(name), record.pid if record else None, server.log)


def _check_names(databases: Sequence[str]) -> None:
    for name in databases:
        if not NAME.fullmatch(name):
            raise DuplexError(
                "a database name cannot be used",
                repr(name),
                "it names a folder, a database and an environment variable",
                "Use lower-case letters, digits and underscores, a letter first, at most 31 characters.",
            )
