"""Kafka's Java archives: named and hashed in `kafka.lock`, fetched once from a Maven repository, kept for every run.

Nothing is resolved at start: the lock file names each archive, its size and its SHA-256. `python -m
duplex.embedded.jars` resolves anew and rewrites the lock file (after a change of VERSION).
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from duplex.embedded.extra import require
from duplex.embedded.settings import Progress
from duplex.errors import DuplexError

VERSION = "4.1.1"
ROOTS = (
    f"org.apache.kafka:kafka_2.13:{VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.2",
    "org.apache.logging.log4j:log4j-core:2.25.2",
)
LOCK = Path(__file__).parent / "kafka.lock"
DOWNLOADS_AT_ONCE = 8
TIMEOUT_S = 60
ATTEMPTS = 3
MIRROR_VARIABLE = "DUPLEX_MAVEN_REPOSITORY"


@dataclass(frozen=True, slots=True)
class Jar:
    """One archive: Maven coordinate `group:artifact:version[:classifier:packaging]`, size in bytes, SHA-256 in hex."""

    coordinate: str
    size_bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version, *more = self.coordinate.split(":")
        classifier, packaging = more or ("", "jar")
        return "-".join(filter(None, (artifact, version, classifier))) + f".{packaging}"


def locked_jars(lock: Path = LOCK) -> tuple[Jar, ...]:
    """The archives that the lock file names, in class path order."""
    lines = [line.split() for line in lock.read_text().splitlines() if not line.startswith("#")]
    return tuple(Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in lines)


def class_path(folder: Path, progress: Progress, jars: Sequence[Jar] = ()) -> str:
    """The class path of Kafka inside `folder`, after fetching what is missing there or has another size.

    Raises DuplexError when an archive cannot be had, or is not the one of the lock file.
    """
    jars = jars or locked_jars()
    missing = [jar for jar in jars if not _present(folder / jar.file_name, jar)]
    if missing:
        _fetch(missing, folder, progress)
    return ":".join(str(folder / jar.file_name) for jar in jars)


def _present(path: Path, jar: Jar) -> bool:
    return path.is_file() and path.stat().st_size == jar.size_bytes


def _fetch(jars: Sequence[Jar], folder: Path, progress: Progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for archive in folder.glob("*.jsa"):
        # Made from the jars that were here: Java would ignore it from now on.
        archive.unlink(missing_ok=True)
    counter = _Counter(jars, progress)
    # A folder of its own: a download that breaks off, or a second process, never leaves half a file in place.
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="incoming-") as incoming,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        fetches = [pool.submit(_fetch_one, jar, Path(incoming), folder) for jar in jars]
        for fetch in as_completed(fetches):
            counter.add(fetch.result())


def _fetch_one(jar: Jar, incoming: Path, folder: Path) -> Jar:
    path = _download(jar, incoming)
    if hashlib.sha256(path.read_bytes()).hexdigest() != jar.sha256:
        raise DuplexError(
            "a downloaded archive is not the expected one",
            jar.coordinate,
            f"its SHA-256 differs from the one in {LOCK.name}",
            "Something between here and the Maven repository changes files; try another network.",
        )
    path.replace(folder / jar.file_name)
    return jar


def _download(jar: Jar, incoming: Path) -> Path:
    requests = require("requests")
    artifact = _dependencies([jar.coordinate], incoming / jar.sha256)[0].artifact
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return Path(artifact.resolve())
        except (requests.RequestException, RuntimeError, OSError) as error:
            shutil.rmtree(incoming / jar.sha256, ignore_errors=True)
            if attempt == ATTEMPTS:
                raise DuplexError(
                    "Kafka cannot be downloaded",
                    jar.coordinate,
                    f"{type(error).__name__} after {ATTEMPTS} attempts: {error}",
                    f"Check the network and proxy settings. {MIRROR_VARIABLE} names another Maven repository; "
                    "KAFKA_BOOTSTRAP_SERVERS a broker you have.",
                ) from error
    raise AssertionError("unreachable: the last attempt returns or raises")


class _Counter:
    """Tells how much of a download is done, a line for every tenth of it."""

    def __init__(self, jars: Iterable[Jar], progress: Progress) -> None:
        self._total_bytes = sum(jar.size_bytes for jar in jars)
        self._done_bytes = 0
        self._told_tenths = 0
        self._progress = progress
        progress(f"downloading Kafka {VERSION} ({self._total_bytes / 1e6:.0f} MB, once)")

    def add(self, jar: Jar) -> None:
        self._done_bytes += jar.size_bytes
        tenths = 10 * self._done_bytes // self._total_bytes
        if tenths > self._told_tenths:
            self._told_tenths = tenths
            self._progress(
                f"downloading Kafka {VERSION}: {self._done_bytes / 1e6:.0f} of {self._total_bytes / 1e6:.0f} MB"
            )


def _dependencies(coordinates: Sequence[str], cache: Path) -> list[Any]:
    maven, parse = require("jgo.maven"), require("jgo.parse")
    mirror = os.environ.get(MIRROR_VARIABLE)
    context = maven.MavenContext(
        repo_cache=cache,
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        resolver=maven.PythonResolver(),
        timeout=TIMEOUT_S,
    )
    # raw: an archive's own parent must not manage the versions of the others (log4j would take Kafka back to 3.9).
    return [
        context.create_dependency(parse.Coordinate(*coordinate.split(":"), scope="compile", raw=True))
        for coordinate in coordinates
    ]


def resolve(cache: Path, roots: Sequence[str] = ROOTS, without: Collection[str] = ()) -> tuple[Jar, ...]:
    """Resolve these with all they need at run time, download, and return what the lock file should say.

    `without`: what is named as needed and is not to be had, as `group:artifact`.
    """
    dependencies = _dependencies(roots, cache)
    inputs, needed = dependencies[0].artifact.context.resolver.resolve(dependencies)
    artifacts = [each.artifact for each in [*inputs, *needed] if each.scope in ("compile", "runtime")]
    artifacts = [each for each in artifacts if f"{each.groupId}:{each.artifactId}" not in without]
    return tuple(_described(artifact, Path(artifact.resolve())) for artifact in artifacts)


def _described(artifact: Any, path: Path) -> Jar:
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    return Jar(coordinate, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def alone(cache: Path, coordinate: str) -> Jar:
    """Download this archive without what it needs, and return what the lock file should say."""
    artifact = _dependencies([coordinate], cache)[0].artifact
    return replace(_described(artifact, Path(artifact.resolve())), coordinate=coordinate)


def write_lock(jars: Iterable[Jar], lock: Path = LOCK) -> None:
    """Write the lock file."""
    header = "# Kafka and what it needs at run time: Maven coordinate, size in bytes, SHA-256. Made by jars.py.\n"
    lock.write_text(header + "".join(f"{jar.coordinate} {jar.size_bytes} {jar.sha256}\n" for jar in jars))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write_lock(resolve(Path(folder)))
