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
from tools.apps.errors import AppsError

HERE = Path(__file__).parent
LOCK_LIMIT_S = 1800.0
LOCK_POLL_S = 0.5
STEP_LIMIT_S = 1800.0
TAIL_CHARACTERS = 3000
STAMP = ".installed"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one application gets here: `install` fills a folder.

    `locks` decide what is installed; `layout` grows when the same locks are to be laid out in another way.
    """

    name: str
    locks: Sequence[Path]
    install: Callable[[Path], None]
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


def ensure(recipe: Recipe) -> Path:
    """The folder of the application, installed if it was not. Raises AppsError."""
    folder = recipe.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not recipe.installed:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            recipe.install(folder)
            (folder / STAMP).touch()
    return folder


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run one step of an installation. Raises AppsError with the end of what it printed."""
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
        raise AppsError(f"`{_shown(command)}` did not end within {STEP_LIMIT_S:.0f} s") from error
    if done.returncode:
        end = done.stdout.decode(errors="replace")[-TAIL_CHARACTERS:]
        raise AppsError(f"`{_shown(command)}` failed with {done.returncode}. The end of what it printed:\n{end}")


def require(program: str, why: str, remedy: str) -> str:
    """The path of a program. Raises AppsError when the machine has none."""
    found = shutil.which(program)
    if found is None:
        raise AppsError(f"no `{program}` on this machine: {why}. {remedy}")
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    deadline = time.monotonic() + LOCK_LIMIT_S
    with path.open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise AppsError(f"{path}: another program has been installing for {LOCK_LIMIT_S:.0f} s") from None
                time.sleep(LOCK_POLL_S)
        yield


def _shown(command: Sequence[str | Path]) -> str:
    return " ".join(str(part) for part in command)
