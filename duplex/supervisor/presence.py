"""What a running pipeline leaves on disk beside its project file: that it runs, where, and since when.

The lock is the truth: the operating system lets go of it however the process ends, so nothing that was left behind
can block the next start. `run.json` says the rest.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

FOLDER = ".duplex"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor that runs: its process id, the port of its HTTP server, when it started (seconds, UTC)."""

    pid: int
    port: int
    host: str
    pipeline: str
    started_at_s: float
    children: tuple[str, ...] = ()


def folder(project: Path) -> Path:
    """Where the running pipeline of this project file keeps its notes."""
    return project.resolve().parent / FOLDER


@contextmanager
def locked(project: Path) -> Iterator[bool]:
    """Hold the project's lock; yields False where another process holds it. Raises OSError when it cannot be made."""
    place = folder(project)
    place.mkdir(exist_ok=True)
    descriptor = os.open(place / f"{project.stem}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def note(project: Path, running: Running) -> Path:
    """Write `run.json`, whole or not at all; its path."""
    path = folder(project) / "run.json"
    draft = path.with_suffix(".json.new")
    draft.write_bytes(msgspec.json.encode(running) + b"\n")
    draft.replace(path)
    return path


def forget(project: Path) -> None:
    """Take `run.json` away. May be called twice."""
    (folder(project) / "run.json").unlink(missing_ok=True)


def found(project: Path) -> Running | None:
    """The supervisor that runs for this project now; None where none does, whatever an earlier one left behind."""
    if not folder(project).is_dir():
        return None
    with locked(project) as free:
        if free:
            return None
    try:
        return msgspec.json.decode((folder(project) / "run.json").read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
