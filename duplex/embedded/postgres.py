"""A Postgres 18 server on the loopback interface, with what change capture needs switched on."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from duplex.embedded import processes
from duplex.embedded.accounts import unprivileged_account
from duplex.embedded.binaries import find_binaries, open_to_all
from duplex.embedded.processes import LOOPBACK, Account, Command, ProcessRecord
from duplex.embedded.settings import Progress, Settings
from duplex.errors import DuplexError

SUPERUSER = "postgres"
START_LIMIT_S = 120.0
COMMAND_LIMIT_S = 120.0
# A fast shutdown; then one that leaves recovery to the next start.
STOP_SIGNALS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))
ATTEMPTS = 5
CREATE_DATABASE = Path(__file__).parent / "create_database.sql"
OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "wal_level": "logical",
    "track_commit_timestamp": "on",
    "max_connections": "400",
    "log_line_prefix": "%m [%p] %d ",
}
# A commit still reaches the kernel before it is answered: it may be lost with the machine, not with the server.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class PostgresServer:
    """The server whose data, password and log are in `folder`. Hold the home's lock for `start` and `stop`."""

    def __init__(self, folder: Path, downloads: Path, settings: Settings) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._downloads = downloads
        self._settings = settings
        self._record_file = folder / "server.json"
        self._password_file = folder / "password"

    @property
    def log(self) -> Path:
        return self._folder / "postgres.log"

    def running(self) -> ProcessRecord | None:
        """The record of the running server, if it runs."""
        record = processes.read_record(self._record_file)
        return record if record and processes.alive(record, str(self._data)) else None

    def dsn(self, database: str) -> str | None:
        """The address of a database on the running server; None when the server is down."""
        record = self.running()
        return self._dsn(record, database) if record else None

    def start(self, database: str, progress: Progress) -> str:
        """Start the server unless it runs and answers, make the database unless it exists, return its address.

        Raises DuplexError with the end of the server's log when it does not come up.
        """
        record = self.running()
        if not (record and self._answers(record)):
            record = self._start_afresh(progress)
        self._psql(record, "--file", str(CREATE_DATABASE), "--set", f"name={database}").check_returncode()
        return self._dsn(record, database)

    def stop(self) -> None:
        """Stop the server, and any on the same data that was never recorded. Nothing happens when none runs."""
        for record in self._found():
            processes.stop(record, STOP_SIGNALS, str(self._data))

    def kill(self) -> None:
        """End the server as a power cut would."""
        for record in self._found():
            processes.stop(record, (), str(self._data))

    def _found(self) -> list[ProcessRecord]:
        return processes.find(str(self._data))

    def _start_afresh(self, progress: Progress) -> ProcessRecord:
        self.stop()
        progress(f"starting Postgres for {self._folder.name}")
        account = unprivileged_account()
        binaries = find_binaries(self._downloads, account)
        self._own_folder(account)
        if not (self._data / "PG_VERSION").exists():
            self._initialise(binaries, account)
        # Its pid may belong to another program by now, at which Postgres would give up; none of ours runs.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        for _ in range(ATTEMPTS):
            record = self._launch(binaries, account)
            if self._came_up(record):
                return record
        raise self._failure(processes.tail(self.log))

    def _own_folder(self, account: Account | None) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if account is None:
            return
        if not open_to_all(self._folder.parent):
            raise DuplexError(
                "Postgres cannot reach its folder",
                str(self._folder),
                f"it runs as the account {account.name}, and a folder above is closed to other accounts",
                "Set DUPLEX_HOME to a folder that every account may pass through, or run duplex as an ordinary user.",
            )
        os.chown(self._folder, account.user, account.group)

    def _initialise(self, binaries: Path, account: Account | None) -> None:
        """Make the data folder. It gets its final name only when it is complete."""
        unfinished = self._folder / "data.new"
        for leftover in (unfinished, self._data):
            shutil.rmtree(leftover, ignore_errors=True)
        password = secrets.token_urlsafe(18)
        words = self._folder / "password.new"
        _write_private(words, password, account)
        options = [f"--pgdata={unfinished}", f"--username={SUPERUSER}", f"--pwfile={words}", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [] if self._settings.durable else ["--no-sync"]
        result = _run([binaries / "initdb", *options], account)
        if result.returncode != 0:
            raise self._failure(result.stdout + result.stderr)
        words.unlink()
        _write_private(self._password_file, password, None)
        unfinished.rename(self._data)

    def _launch(self, binaries: Path, account: Account | None) -> ProcessRecord:
        remembered = processes.read_record(self._record_file)
        port = processes.free_port(remembered.port if remembered else 0)
        options = OPTIONS | ({} if self._settings.durable else NOT_DURABLE) | {"port": str(port)}
        arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        command: Command = [binaries / "postgres", "-D", self._data, *arguments]
        record = processes.spawn(command, self.log, port=port, account=account)
        processes.write_record(self._record_file, record)
        return record

    def _came_up(self, record: ProcessRecord) -> bool:
        def decided() -> bool:
            return self._says_ready(record) or not processes.alive(record)

        if processes.wait_until(decided, START_LIMIT_S) and processes.alive(record) and self._answers(record):
            return True
        self.stop()
        return False

    def _says_ready(self, record: ProcessRecord) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(record.pid) and lines[7].strip() == "ready"

    def _answers(self, record: ProcessRecord) -> bool:
        return self._psql(record, "--command", "select 1").returncode == 0

    def _psql(self, record: ProcessRecord, *arguments: str) -> subprocess.CompletedProcess[str]:
        psql = find_binaries(self._downloads, None) / "psql"
        options = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", self._dsn(record, "postgres")]
        return _run([psql, *options, *arguments], None)

    def _dsn(self, record: ProcessRecord, database: str) -> str:
        return f"postgresql://{SUPERUSER}:{self._password_file.read_text()}@{LOOPBACK}:{record.port}/{database}"

    def _failure(self, output: str) -> DuplexError:
        return DuplexError(
            "Postgres does not start",
            str(self.log),
            "its last words: " + " / ".join(output.strip().splitlines()[-3:]),
            "Read that log. `duplex dev stop --wipe` starts afresh and deletes what the embedded servers hold.",
        )


def _write_private(path: Path, text: str, account: Account | None) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    if account:
        os.chown(path, account.user, account.group)


def _run(command: Command, account: Account | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd="/",
        timeout=COMMAND_LIMIT_S,
        check=False,
        user=account.user if account else None,
        group=account.group if account else None,
        extra_groups=[] if account else None,
    )
