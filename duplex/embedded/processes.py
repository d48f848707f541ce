"""Server processes: spawn them apart from their parent, know them again later, stop them within a limit.

A process id alone says little: the process may be gone and its number given to another program. A server is known
again by three things together: its pid, the time it started, and a *marker*, an argument on its command line that no
other program has (a path inside our home).
"""

import atexit
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]

from duplex.errors import DuplexError

LOOPBACK = "127.0.0.1"
START_TIME_TOLERANCE_S = 3.0
KILL_LIMIT_S = 10.0
PORT_LIMIT_S = 2.0
POLL_S = 0.02
# Below the range from which the kernel takes ports of outgoing connections.
PORTS = range(17000, 32000)

Command = Sequence[str | Path]

# A handle that is garbage collected while its process runs would warn; the servers outlive the handles on purpose.
_children: dict[int, subprocess.Popen[bytes]] = {}


class ProcessRecord(msgspec.Struct, frozen=True):
    """A process as remembered in a file: `started` in seconds since the epoch, `port` the TCP port it serves or 0."""

    pid: int
    started: float
    port: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """The system account a server runs as; None where it is the account of this program."""

    name: str
    user: int
    group: int


def spawn(
    command: Command,
    log: Path,
    *,
    port: int = 0,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
) -> ProcessRecord:
    """Start a process in a session of its own, so that Ctrl-C in the parent's terminal does not reach it."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=None if environment is None else dict(environment),
            start_new_session=True,
            user=account.user if account else None,
            group=account.group if account else None,
            extra_groups=[] if account else None,
        )
    _children[child.pid] = child
    return ProcessRecord(child.pid, started_at(child.pid), port)


def this_process() -> ProcessRecord:
    """The record of the program that asks."""
    return ProcessRecord(os.getpid(), started_at(os.getpid()))


def started_at(pid: int) -> float:
    """When a process started, in seconds since the epoch; 0 when there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def alive(record: ProcessRecord, marker: str = "") -> bool:
    """Whether the very process of the record still runs; a zombie and a reused pid do not count."""
    found = _runs(record, marker)
    if not found:
        _reap(record.pid)
    return found


def _runs(record: ProcessRecord, marker: str) -> bool:
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.started) < START_TIME_TOLERANCE_S
        return same and process.status() != psutil.STATUS_ZOMBIE and _has(process, marker)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def find(marker: str) -> list[ProcessRecord]:
    """Every running process with the marker among its arguments: the way back to servers nobody recorded."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and _has(process, marker):
                found.append(ProcessRecord(process.pid, process.create_time()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def stop(record: ProcessRecord, signals: Sequence[tuple[signal.Signals, float]], marker: str = "") -> None:
    """Send each signal in turn, waiting its limit in seconds, then SIGKILL. Nothing is done to a process that is gone.

    Raises DuplexError when the process outlives even SIGKILL.
    """
    for number, limit_s in [*signals, (signal.SIGKILL, KILL_LIMIT_S)]:
        if not alive(record, marker):
            return
        _send(record.pid, number)
        if wait_until(lambda: not alive(record, marker), limit_s):
            return
    raise DuplexError(
        "a server does not stop",
        f"process {record.pid}",
        "it is still there after SIGKILL",
        "Look at its state with `ps`; a process in state D waits for a disk.",
    )


def wait_until(condition: Callable[[], bool], limit_s: float) -> bool:
    """Poll until the condition holds (True) or the limit is over (False)."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def free_port(preferred: int = 0) -> int:
    """A TCP port of the loopback interface that nobody listens on: the preferred one if it is free, or soon will be."""
    # The kernel closes a killed program's sockets only after its last thread is gone, a moment after its end shows.
    if preferred and wait_until(lambda: port_is_free(preferred), PORT_LIMIT_S):
        return preferred
    for port in random.sample(PORTS, 200):
        if port_is_free(port):
            return port
    raise DuplexError(
        "no free TCP port",
        f"{LOOPBACK}:{PORTS.start}-{PORTS.stop}",
        "200 ports tried at random are all in use",
        "Stop programs that hold ports, or give the addresses of servers you have.",
    )


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def read_record(path: Path) -> ProcessRecord | None:
    """The record in a file; None when the file is absent, cut short or foreign."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ProcessRecord)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_record(path: Path, record: ProcessRecord) -> None:
    """Write the record so that a reader sees the old one or the new one, never half."""
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(record))
    beside.replace(path)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _has(process: psutil.Process, marker: str) -> bool:
    return not marker or marker in process.cmdline()


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


@atexit.register
def _part_from_children() -> None:
    """The servers may go on after this program; a handle deleted at exit must not complain of that."""
    for child in _children.values():
        child.returncode = child.returncode or 0


def tail(path: Path, size_bytes: int = 4000) -> str:
    """The end of a log file; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size_bytes))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
