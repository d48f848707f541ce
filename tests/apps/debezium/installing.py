"""Kafka Connect and Debezium, named and hashed in `debezium.lock`, fetched once, kept beside the embedded servers.

`python -m tests.apps.debezium.installing` fetches what is missing; `--lock` resolves anew first, and rewrites the lock.
"""

import sys
import tempfile
from pathlib import Path

from duplex.embedded import jars
from duplex.embedded.home import default_home
from duplex.embedded.java import Java, find_java
from duplex.embedded.settings import Progress, silent

LOCK = Path(__file__).parent / "debezium.lock"
DEBEZIUM = "3.6.0.Final"
ROOTS = (
    f"org.apache.kafka:connect-runtime:{jars.VERSION}",
    f"org.apache.kafka:connect-json:{jars.VERSION}",
    f"io.debezium:debezium-connector-postgres:{DEBEZIUM}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.2",
    "org.apache.logging.log4j:log4j-core:2.25.2",
)


def folder() -> Path:
    """Where the archives are."""
    return default_home().downloads.parent / "apps" / "debezium"


def is_installed() -> bool:
    """Whether every archive of the lock file is there."""
    found = (folder() / jar.file_name for jar in jars.locked_jars(LOCK))
    return all(path.is_file() for path in found)


def install(progress: Progress = silent) -> Java:
    """Java with Connect and Debezium on its class path, after fetching what is missing. Raises DuplexError."""
    place = folder()
    return find_java(place, jars.class_path(place, progress, jars.locked_jars(LOCK)))


def lock() -> None:
    """Resolve anew, and write what was found."""
    with tempfile.TemporaryDirectory() as cache:
        jars.write_lock(jars.resolve(Path(cache), ROOTS), LOCK)


if __name__ == "__main__":
    if "--lock" in sys.argv:
        lock()
    install(lambda text: print(text.replace("Kafka", "Debezium"), file=sys.stderr))
    print(f"debezium: {folder()}")
