"""Questions to a process of the running pipeline, over a Unix socket in the project's folder.

Blocking, and with few imports: a command that only asks should not pay for what answering takes.
"""

import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

FOLDER = ".duplex"
LONGEST_PATH_BYTES = 100
AHEAD = 32
OK, NO_SUCH_THING, REFUSED, ELSEWHERE = 200, 404, 422, 503


def place(project_path: Path, name: str) -> Path:
    """Where the process that answers on the socket `name` listens; a path that Unix takes, however deep the folder."""
    folder = project_path.resolve().parent
    wanted = folder / FOLDER / name
    if len(os.fsencode(wanted)) <= LONGEST_PATH_BYTES:
        return wanted
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"duplex-{os.getuid()}-{digest}" / name


def prepare(path: Path) -> None:
    """Make the folder of a socket, this user's alone, and take away what a dead process left there.

    Raises OSError, PermissionError for a folder that is somebody else's.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    require_own(path.parent)
    path.unlink(missing_ok=True)


def require_own(folder: Path) -> None:
    """Nothing, if no other user can have put a socket there. Raises PermissionError, or another OSError."""
    found = folder.stat(follow_symlinks=False)
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o002:
        raise PermissionError(f"{folder} is not this user's alone")


def ask(path: Path, question: str, timeout_s: float) -> tuple[int, bytes]:
    """The status and the body of the answer to `GET question`.

    Raises OSError where nobody listens or the answer does not come in time, ConnectionError where it is none,
    PermissionError where another user could have put the socket there.
    """
    require_own(path.parent)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        client.connect(str(path))
        # HTTP/1.0: the answer comes whole, and the connection closes behind it.
        client.sendall(f"GET {question} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise ConnectionError(f"no answer on {path}")
    return int(words[1]), body


def ask_all(path: Path, questions: Sequence[str], timeout_s: float) -> list[tuple[int, bytes]]:
    """The answers to many questions over one connection, in their order; each may take `timeout_s`.

    A few are asked ahead of the answers. Only for a server that keeps connections open. Raises as `ask` does.
    """
    require_own(path.parent)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        client.connect(str(path))
        with client.makefile("rb") as answers:
            found: list[tuple[int, bytes]] = []
            for start in range(0, len(questions), AHEAD):
                portion = questions[start : start + AHEAD]
                client.sendall(b"".join(f"GET {each} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for each in portion))
                found += [_answer(answers, path) for _ in portion]
    return found


def _answer(answers: BinaryIO, path: Path) -> tuple[int, bytes]:
    words = answers.readline().split(b" ", 2)
    length = -1
    while (line := answers.readline()).strip():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    body = answers.read(length) if length > 0 else b""
    if len(words) < 2 or not words[1].isdigit() or length < 0 or len(body) < length:
        raise ConnectionError(f"no answer on {path}")
    return int(words[1]), body
