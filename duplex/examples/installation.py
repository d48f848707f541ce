"""Where applications are installed, and how: once, by one program at a time, outside the tree.

An installation's folder is named after what was asked for (the digest of the lock files), so a changed lock is
another folder. It counts once its stamp is there: what was cut off is begun anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from duplex.embedded.home import default_home
from duplex.embedded.settings import Progress, silent
from duplex.examples.errors import ApplicationError

HERE = Path(__file__).parent
LOCK_LIMIT_S = 1800.0
LOCK_POLL_S = 0.5
STEP_LIMIT_S = 1800.0
TAIL_CHARACTERS = 3000
STAMP = ".installed"


def nothing() -> None:
    """A check of an application that needs nothing of the machine."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one application gets here: `install` fills a folder and says what it does; `check` raises ApplicationError
    where the machine lacks what that takes.

    `locks` decide what is installed; `layout` grows when the same locks are to be laid out in another way. `title` and
    `cost` are for people: "Ghost 5.130.6", "550 MB, about four minutes".
    """

    name: str
    title: str
    cost: str
    locks: Sequence[Path]
    install: Callable[[Path, Progress], None]
    check: Callable[[], object] = nothing
    layout: int = 1

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(str(self.layout).encode())
        for path in self.locks:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return cache() / f"{self.name}-{digest.hexdigest()[:12]}"

    @property
    def installed(self) -> bool:
        return (self.folder / STAMP).exists()


def cache() -> Path:
    """The folder of all installations: beside what the embedded servers download (DUPLEX_HOME moves both)."""
    return default_home().downloads.parent / "apps"


def ensure(recipe: Recipe, progress: Progress = silent) -> Path:
    """The folder of the application, installed if it was not: what that costs is said before it begins.

    Raises ApplicationError.
    """
    folder = recipe.folder
    if recipe.installed:
        return folder
    recipe.check()
    folder.parent.mkdir(parents=True, exist_ok=True)
    progress(f"{recipe.title} is not installed yet. Once: {recipe.cost}, into {folder}; delete that to be rid of it")
    with _locked(folder.with_suffix(".lock")):
        if not recipe.installed:
            _install(recipe, folder, progress)
    return folder


def _install(recipe: Recipe, folder: Path, progress: Progress) -> None:
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    recipe.install(folder, progress)
    (folder / STAMP).touch()
    progress(f"{recipe.title} is installed, after {time.monotonic() - started:.0f} s")


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run one step of an installation. Raises ApplicationError with the end of what it printed."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=STEP_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(command, folder, f"it did not end within {STEP_LIMIT_S:.0f} s") from error
    if done.returncode:
        end = done.stdout.decode(errors="replace")[-TAIL_CHARACTERS:].strip()
        raise _failed(command, folder, f"it ended with {done.returncode}, and the last it printed was:\n{end}\n")


def require(program: str, why: str, remedy: str) -> str:
    """The path of a program. Raises ApplicationError when the machine has none."""
    found = shutil.which(program)
    if found is None:
        raise ApplicationError(f"there is no `{program}` on this machine", "PATH", why, remedy)
    return found


def _failed(command: Sequence[str | Path], folder: Path, why: str) -> ApplicationError:
    shown = " ".join(str(part) for part in command)
    remedy = "If it was the network, begin again: what was cut off is installed anew."
    return ApplicationError(f"`{shown}` failed", str(folder), why, remedy)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    deadline = time.monotonic() + LOCK_LIMIT_S
    with path.open("ab") as lock:
        while not _taken(lock.fileno()):
            if time.monotonic() > deadline:
                why = f"another program has been installing for {LOCK_LIMIT_S:.0f} s"
                raise ApplicationError("an application cannot be installed", str(path), why, "Wait for it, or end it.")
            time.sleep(LOCK_POLL_S)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
