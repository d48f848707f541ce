"""Fetching Kafka's archives: from a real repository over HTTP, a small one of our own."""

import functools
import gc
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from duplex.embedded import jars
from duplex.embedded.jars import Jar, class_path, locked_jars
from duplex.embedded.settings import silent
from duplex.errors import DuplexError

CONTENT = b"an archive"
JAR = Jar("org.example:tool:1.0", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base class's
        return None


# jgo leaves the connection of a failed download to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository with one archive, in the place of the public one."""
    root = tmp_path / "repository"
    folder = root / "org/example/tool/1.0"
    folder.mkdir(parents=True)
    (folder / "tool-1.0.jar").write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(jars.MIRROR_VARIABLE, f"http://127.0.0.1:{server.server_port}")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()
    gc.collect()


def test_the_lock_file_names_one_version_of_each_archive() -> None:
    names = [jar.coordinate.rpartition(":")[0] for jar in locked_jars()]
    assert len(names) == len(set(names)) > 40
    versions = {jar.coordinate.rpartition(":")[2] for jar in locked_jars() if "org.apache.kafka:" in jar.coordinate}
    assert versions == {jars.VERSION}


def test_what_is_missing_is_fetched_once_with_progress(tmp_path: Path, repository: Path) -> None:
    told: list[str] = []
    found = class_path(tmp_path / "downloads", told.append, [JAR])
    assert Path(found).read_bytes() == CONTENT
    assert len(told) == 2
    (repository / "tool-1.0.jar").unlink()
    assert class_path(tmp_path / "downloads", told.append, [JAR]) == found
    assert len(told) == 2


def test_half_an_archive_is_fetched_again(tmp_path: Path, repository: Path) -> None:
    (tmp_path / JAR.file_name).write_bytes(CONTENT[:3])
    assert Path(class_path(tmp_path, silent, [JAR])).read_bytes() == CONTENT


def test_an_archive_with_other_content_is_refused(tmp_path: Path, repository: Path) -> None:
    (repository / "tool-1.0.jar").write_bytes(b"something!")
    with pytest.raises(DuplexError, match="not the expected one"):
        class_path(tmp_path, silent, [JAR])
    assert not (tmp_path / JAR.file_name).exists()


def test_a_repository_without_the_archive_is_named_with_a_remedy(tmp_path: Path, repository: Path) -> None:
    (repository / "tool-1.0.jar").unlink()
    with pytest.raises(DuplexError, match="cannot be downloaded") as caught:
        class_path(tmp_path, silent, [JAR])
    assert caught.value.where == JAR.coordinate
    assert "KAFKA_BOOTSTRAP_SERVERS" in caught.value.remedy
