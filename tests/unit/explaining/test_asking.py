"""What a command makes of the answers that it gets over a socket, and what the answering side makes of questions."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duplex import sockets
from duplex.explaining import asking
from duplex.usage import UsageError

Serve = Callable[[bytes], list[bytes]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / sockets.FOLDER).mkdir()
    return tmp_path / "duplex.yaml"


@pytest.fixture
def serve(project: Path) -> Iterator[Serve]:
    """`serve(answer)` gives one asker this answer; the list that it returns then has the question."""
    threads: list[threading.Thread] = []

    def start(answer: bytes) -> list[bytes]:
        asked: list[bytes] = []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(asking.socket_path(project)))
        listener.listen()

        def one() -> None:
            connection, _ = listener.accept()
            with connection, listener:
                asked.append(connection.recv(65536))
                connection.sendall(answer)

        threads.append(threading.Thread(target=one))
        threads[-1].start()
        return asked

    yield start
    for thread in threads:
        thread.join(5)


def test_where_nobody_listens_the_command_must_look_for_itself(project: Path) -> None:
    assert asking.explanation(project, name="7") is None


def test_an_answer_is_taken_as_it_comes(project: Path, serve: Serve) -> None:
    asked = serve(b"HTTP/1.0 200 -\r\nContent-Length: 4\r\n\r\nbody")
    assert asking.explanation(project, name="crm:[7]", field="phone", entity=None) == b"body"
    assert asked == [b"GET /explain?name=crm%3A%5B7%5D&field=phone HTTP/1.0\r\n\r\n"]


def test_a_users_mistake_is_the_same_mistake_here(project: Path, serve: Serve) -> None:
    serve(b'HTTP/1.0 422 -\r\n\r\n["no such field", "fone", "it has phone", "Did you mean phone?"]')
    with pytest.raises(UsageError) as raised:
        asking.explanation(project, name="7", field="fone")
    assert str(raised.value) == "no such field (fone): it has phone. Did you mean phone?"


@pytest.mark.parametrize("answer", [b"HTTP/1.0 503 -\r\n\r\nelsewhere", b"", b"who knows\r\n\r\n"])
def test_any_other_answer_is_none(project: Path, serve: Serve, answer: bytes) -> None:
    serve(answer)
    assert asking.explanation(project, name="7") is None


def test_a_path_too_long_for_a_socket_is_the_same_short_one_for_both_sides(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 5) / "duplex.yaml"
    path = sockets.place(deep, "x.sock")
    assert len(str(path).encode()) <= sockets.LONGEST_PATH_BYTES
    assert path == sockets.place(deep, "x.sock") != sockets.place(deep, "y.sock")


def test_a_socket_in_a_folder_that_others_can_write_to_is_not_asked(project: Path) -> None:
    folder = project.parent / sockets.FOLDER
    folder.chmod(0o777)
    with pytest.raises(PermissionError):
        sockets.ask(folder / "x.sock", "/", 1.0)
    with pytest.raises(PermissionError):
        sockets.prepare(folder / "x.sock")
    assert asking.explanation(project, name="7") is None


def test_what_a_dead_process_left_is_taken_away(project: Path) -> None:
    left = project.parent / sockets.FOLDER / "x.sock"
    left.touch()
    sockets.prepare(left)
    assert not left.exists()
