"""The Java archives of the peers: named and hashed in lock files, fetched once, kept beside the embedded servers.

`python -m benchmarks.peers.archives` fetches what is missing; `--lock` resolves anew first, and rewrites the locks.
"""

import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from duplex.embedded import jars
from duplex.embedded.home import default_home
from duplex.embedded.java import Java, find_java
from duplex.embedded.settings import Progress, silent

LOGGING = ("org.apache.logging.log4j:log4j-slf4j-impl:2.25.2", "org.apache.logging.log4j:log4j-core:2.25.2")


@dataclass(frozen=True, slots=True)
class Archives:
    """Programs for Java of one peer: what they are called, their version, and what they are resolved from.

    `plugins` are whole folders in an archive. `without`: what others name as needed, and is not published.
    """

    name: str
    title: str
    version: str
    roots: tuple[str, ...]
    plugins: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def lock(self) -> Path:
        return Path(__file__).parent / f"{self.name}.lock"

    @property
    def folder(self) -> Path:
        return default_home().downloads.parent / "peers" / f"{self.name}-{self.version}"

    @property
    def plugin_folder(self) -> Path:
        return self.folder / "plugins"

    def install(self, progress: Progress = silent) -> Java:
        """Java with these on its class path, after fetching what is missing. Raises DuplexError."""

        def told(text: str) -> None:
            progress(text.replace(f"Kafka {jars.VERSION}", f"{self.title} {self.version}"))

        locked = jars.locked_jars(self.lock)
        jars.class_path(self.folder, told, locked)
        paths = [self.folder / jar.file_name for jar in locked]
        self._unpack([path for path in paths if path.suffix == ".gz"])
        return find_java(self.folder, ":".join(str(path) for path in paths if path.suffix == ".jar"))

    def resolve(self) -> None:
        """Resolve anew, and write what was found."""
        with tempfile.TemporaryDirectory() as cache:
            alone = [jars.alone(Path(cache), coordinate) for coordinate in self.plugins]
            jars.write_lock([*jars.resolve(Path(cache), self.roots, self.without), *alone], self.lock)

    def _unpack(self, plugins: Sequence[Path]) -> None:
        """Each archive into a folder of its own, which gets its name when it is whole."""
        self.plugin_folder.mkdir(exist_ok=True)
        for path in plugins:
            target = self.plugin_folder / path.name.removesuffix(".tar.gz")
            if target.exists():
                continue
            unfinished = Path(tempfile.mkdtemp(dir=self.folder, prefix="incoming-"))
            with tarfile.open(path) as archive:
                archive.extractall(unfinished, filter="data")
            try:
                unfinished.rename(target)
            except OSError:
                # Another start was quicker.
                shutil.rmtree(unfinished)


_DEBEZIUM = "3.6.0.Final"
CONNECT = Archives(
    "connect",
    "Kafka Connect with Debezium",
    _DEBEZIUM,
    (f"org.apache.kafka:connect-runtime:{jars.VERSION}", f"org.apache.kafka:connect-json:{jars.VERSION}", *LOGGING),
    plugins=tuple(f"io.debezium:debezium-connector-{name}:{_DEBEZIUM}:plugin:tar.gz" for name in ("postgres", "jdbc")),
)
_SYMMETRIC = "3.15.22"
SYMMETRIC = Archives(
    "symmetric",
    "SymmetricDS",
    _SYMMETRIC,
    (
        f"org.jumpmind.symmetric:symmetric-server:{_SYMMETRIC}",
        "org.postgresql:postgresql:42.7.7",
        # It calls a class that the version its own description names does not have yet.
        "org.apache.commons:commons-lang3:3.18.0",
        # Named by ranges of versions elsewhere, which a lock cannot keep.
        "org.bouncycastle:bcprov-jdk18on:1.81",
        "org.bouncycastle:bcutil-jdk18on:1.81",
    ),
    without=("org.jumpmind.symmetric:symmetric-wrapper",),
)
ALL = (CONNECT, SYMMETRIC)


def main() -> None:
    """Fetch, or lock and fetch."""
    for archives in ALL:
        if "--lock" in sys.argv:
            archives.resolve()
        archives.install(lambda text: print(text, file=sys.stderr))
        print(f"{archives.title} {archives.version}: ready")


if __name__ == "__main__":
    main()
