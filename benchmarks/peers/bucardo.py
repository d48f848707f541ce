"""Bucardo 5: both ways by triggers; it coalesces. A program of the operating system's, with a control database that
needs PL/Perl, so that it lives on the operating system's own Postgres."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.peers import children
from benchmarks.peers.pairs import Pair
from benchmarks.peers.patience import PeerError, eventually
from duplex.embedded.accounts import unprivileged_account
from duplex.embedded.processes import LOOPBACK, Account, ProcessRecord, free_port, spawn, stop, wait_until
from duplex.embedded.settings import Progress

INSTALL_LIMIT_S = 600
COMMAND_LIMIT_S = 120
START_LIMIT_S = 300.0
PROGRAMS = Path("/usr/lib/postgresql")
SHARED = Path("/usr/share/postgresql")
PERL = "extension/plperl.control"
SLEEPS = ("kid_sleep", "ctl_sleep", "mcp_loop_sleep", "kid_nodeltarows_sleep")
STOP_SIGNALS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))


def why_not(progress: Progress) -> str | None:
    """None when it is installed, now if need be; else why it cannot be had here."""
    if _version() is not None:
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "Bucardo is left out: it is not installed, and only root can install it, from Debian's packages"
    progress("installing Debian's packages of Bucardo (once)")
    newest = max((int(path.name) for path in PROGRAMS.glob("[0-9]*")), default=0)
    perl = f"postgresql-plperl-{newest}" if newest else "postgresql-plperl"
    for words in (("update",), ("install", "--yes", "--no-install-recommends", "bucardo", perl)):
        done = _run(["apt-get", "--quiet=2", *words], INSTALL_LIMIT_S)
    if _version() is None:
        return f"Bucardo is left out: Debian's packages cannot be installed: {(done.stderr or done.stdout)[-300:]}"
    return None


def _version() -> str | None:
    """The operating system's Postgres that has PL/Perl, if Bucardo is there."""
    found = [path.name for path in SHARED.glob("[0-9]*") if (path / PERL).exists()]
    return max(found, key=int) if found and shutil.which("bucardo") else None


@dataclass(slots=True)
class Bucardo:
    """It pauses by a signal, since its triggers do the capturing."""

    pair: Pair
    name: str = "bucardo"
    two_way: bool = True
    stamped: bool = False
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="duplex-peers-")))
    port: int = field(default_factory=free_port)
    _control: ProcessRecord | None = None
    _program: int | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log.bucardo"

    async def start(self) -> None:
        await asyncio.to_thread(self._install)
        log = ["--log-destination", str(self.folder)]
        await asyncio.to_thread(self._bucardo, "start", *log)
        await eventually(self._runs, START_LIMIT_S, self.name, "it ran")

    async def pause(self) -> None:
        await asyncio.sleep(1)
        children.send(self.pids(), signal.SIGSTOP)

    async def resume(self) -> None:
        children.send(self.pids(), signal.SIGCONT)

    async def rest(self) -> None:
        await self.pause()

    async def wake(self) -> None:
        await self.resume()

    async def stop(self) -> None:
        await self.resume()
        for process in list(children.tree(self.pids())):
            children.send([process.pid], signal.SIGTERM)
        if self._control is not None:
            await asyncio.to_thread(stop, self._control, STOP_SIGNALS)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def confirm(self) -> None:
        return None

    def pids(self) -> Sequence[int]:
        return [self._program] if self._program else []

    def servers(self) -> Mapping[str, Sequence[int]]:
        return {"control database": [self._control.pid]} if self._control else {}

    def _install(self) -> None:
        self.folder.chmod(0o711)
        (self.folder / "run").mkdir()
        self._start_control()
        words = ("install", "--batch", "--no-bucardorc", "-h", LOOPBACK, "-p", str(self.port), "-U", "postgres")
        places = ("-d", "postgres", "--piddir", str(self.folder / "run"))
        done = _run(["bucardo", *words, *places], COMMAND_LIMIT_S)
        if "complete" not in done.stdout.lower():
            raise PeerError(self.name, f"its installation failed: {done.stdout[-800:]} {done.stderr[-800:]}")
        self._set_up()

    def _set_up(self) -> None:
        for name, dsn in (("A", self.pair.source), ("B", self.pair.target)):
            found = urlsplit(dsn)
            where = (f"dbname={found.path.removeprefix('/')}", f"host={LOOPBACK}", f"port={found.port}")
            self._bucardo("add", "db", name, *where, f"user={found.username}", f"pass={found.password}")
        settings = [f"{name}=0.05" for name in SLEEPS]
        # Slower by a setting that this version lacks is no reason to leave it out.
        words = (*settings, "mcp_dbproblem_sleep=1", f"piddir={self.folder / 'run'}", "log_level=terse")
        self._bucardo("set", *words, accepted=(0, 1))
        self._bucardo(
            "add", "sync", "item_sync", "tables=item", "dbs=A:source,B:source", "conflict_strategy=bucardo_latest"
        )

    def _start_control(self) -> None:
        account, data = unprivileged_account(), self.folder / "control"
        data.mkdir(mode=0o700)
        if account:
            os.chown(data, account.user, account.group)
        programs = PROGRAMS / (_version() or "") / "bin"
        options = ("-A", "trust", "-U", "postgres", "--no-sync", "--locale=C", "-E", "UTF8")
        done = _run([str(programs / "initdb"), "-D", str(data), *options], COMMAND_LIMIT_S, account)
        if done.returncode:
            raise PeerError(self.name, f"its control database cannot be made: {done.stderr[-800:]}")
        settings = {"listen_addresses": LOOPBACK, "unix_socket_directories": "", "port": str(self.port)}
        words = [word for name, setting in settings.items() for word in ("-c", f"{name}={setting}")]
        log = self.folder / "control.log"
        self._control = spawn([programs / "postgres", "-D", data, *words], log, port=self.port, account=account)
        ready = [str(programs / "pg_isready"), "-h", LOOPBACK, "-p", str(self.port)]
        if not wait_until(lambda: _run(ready, COMMAND_LIMIT_S).returncode == 0, START_LIMIT_S):
            raise PeerError(self.name, "its control database does not answer", log)

    def _bucardo(self, *words: str, accepted: Sequence[int] = (0,)) -> None:
        where = ("-h", LOOPBACK, "-p", str(self.port), "-U", "bucardo", "-d", "bucardo", "--no-bucardorc")
        done = _run(["bucardo", *where, *words], COMMAND_LIMIT_S)
        if done.returncode not in accepted:
            raise PeerError(self.name, f"bucardo {' '.join(words[:2])}: {done.stdout[-400:]} {done.stderr[-400:]}")

    async def _runs(self) -> bool:
        file = self.folder / "run" / "bucardo.mcp.pid"
        if file.exists() and (words := file.read_text().split()):
            self._program = int(words[0])
        return self._program is not None


def _run(command: Sequence[str], limit_s: float, account: Account | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. What it says goes to a file: a daemon that it leaves behind would hold a pipe open."""
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, timeout=limit_s, check=False,
            cwd="/", env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            user=account.user if account else None, group=account.group if account else None,
            extra_groups=[] if account else None,
        )  # fmt: skip
        said.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, said.read(), "")
