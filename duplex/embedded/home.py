"""The folder that embedded servers live in, and the folder that downloads are shared in."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import site_cache_path, user_cache_path

from duplex.errors import DuplexError

LOCK_LIMIT_S = 180.0
LOCK_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Home:
    """`root` holds the servers' data and records; `downloads` what is fetched once and shared by every home."""

    root: Path
    downloads: Path

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def holders(self) -> Path:
        return self.root / "holders.json"

    def create(self) -> None:
        """Make the folders. Others may pass through them (a server may run as another account), not list them."""
        for folder in (self.root, self.kafka, self.postgres, self.downloads):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home against every other start and stop, in this process or another.

        Raises DuplexError when another process holds it for longer than LOCK_LIMIT_S.
        """
        descriptor = _take(self.root)
        try:
            yield
        finally:
            os.close(descriptor)

    def wipe(self) -> None:
        """Delete the data of every server. Hold the lock; the servers must be stopped."""
        shutil.rmtree(self.root, ignore_errors=True)


def default_home(environment: Mapping[str, str] = os.environ) -> Home:
    """DUPLEX_HOME if it is set, else the user's cache folder.

    Root gets the machine's cache folder: Postgres refuses to run as root, and the account it runs as instead cannot
    pass through root's own home.
    """
    given = environment.get("DUPLEX_HOME")
    if given:
        root = Path(given).expanduser().resolve()
    elif os.geteuid() == 0:
        root = Path(site_cache_path("duplex"))
    else:
        root = Path(user_cache_path("duplex"))
    return Home(root / "servers", root / "downloads")


def _take(root: Path) -> int:
    deadline = time.monotonic() + LOCK_LIMIT_S
    while time.monotonic() < deadline:
        descriptor = _try(root / "lock")
        if descriptor is not None:
            return descriptor
        time.sleep(LOCK_POLL_S)
    raise DuplexError(
        "the embedded servers are busy",
        str(root),
        f"another process has been starting or stopping them for {LOCK_LIMIT_S:.0f} s",
        "Wait for it, or end it; then try again.",
    )


def _try(path: Path) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A wipe unlinks the file: a lock on the old file holds nobody off.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
