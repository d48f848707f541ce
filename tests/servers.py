"""Real servers for tests: in homes of their own, which go away with the test run, even one that is killed."""

import os
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from duplex.embedded import holders
from duplex.embedded.home import Home, default_home
from duplex.embedded.runtime import KAFKA_VARIABLE, Runtime
from duplex.embedded.settings import Settings

SETTINGS = Settings(durable=False, short_lived=True)
STALE_AFTER_S = 3600.0


def fresh_home() -> Home:
    """A home that nobody used before; what is downloaded is shared with every other."""
    shared = default_home()
    return Home(shared.root.parent / "tests" / f"{os.getpid()}-{uuid.uuid4().hex[:8]}", shared.downloads)


def home_of_the_run() -> Home:
    """The home that the workers of one test run share; without workers a fresh one."""
    fresh, run = fresh_home(), os.environ.get("PYTEST_XDIST_TESTRUNUID")
    return Home(fresh.root.parent / run, fresh.downloads) if run else fresh


def runtime(environment: Mapping[str, str], home: Home | None = None) -> Runtime:
    """Servers in a fresh home that end with this process."""
    return Runtime(home or fresh_home(), SETTINGS, owner="process", wipe_at_end=True, environment=environment)


def remove_stale_homes() -> None:
    """Delete what test runs left behind whose guard was killed too."""
    for root in (default_home().root.parent / "tests").glob("*"):
        old = time.time() - _modified(root) > STALE_AFTER_S
        if old and holders.read(root / "holders.json").alive().none:
            Runtime(Home(root, default_home().downloads), SETTINGS).stop(wipe=True)
            shutil.rmtree(root, ignore_errors=True)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


class PrivateKafka:
    """A broker for one test, which may kill it. Calls block: in a coroutine use `asyncio.to_thread`."""

    def __init__(self) -> None:
        self._runtime = runtime({})
        self.bootstrap = ""

    def start(self) -> None:
        """Start the broker, or start it again; it keeps its data and its address."""
        self.bootstrap = self._runtime.start(()).bootstrap

    def kill(self) -> None:
        """`kill -9`."""
        self._runtime.kafka_server().kill()

    def close(self) -> None:
        self._runtime.stop()


class PrivatePostgres:
    """A Postgres server for one test, which may kill it. Calls block: in a coroutine use `asyncio.to_thread`."""

    def __init__(self) -> None:
        self._runtime = runtime({KAFKA_VARIABLE: "not.used:0"})
        self.dsn = ""

    def start(self) -> None:
        """Start the server, or start it again; it keeps its data and its address."""
        self.dsn = self._runtime.start(("private",)).dsns["private"]

    def kill(self) -> None:
        """`kill -9` of the postmaster."""
        self._runtime.postgres_server("private").kill()

    def close(self) -> None:
        self._runtime.stop()
