"""Asking the running pipeline about a record. Imports little: this is all that a command needs where one runs."""

import json
from pathlib import Path
from urllib.parse import urlencode

from duplex import sockets
from duplex.usage import UsageError

TIMEOUT_S = 30.0


def socket_path(project_path: Path) -> Path:
    """Where the pipeline of this project file answers."""
    return sockets.place(project_path, f"{project_path.stem}.answers.sock")


def explanation(project_path: Path, **values: str | None) -> bytes | None:
    """What the running pipeline has to say of a record; None where none runs, or where it does not know.

    `values` are those of `duplex.explaining.serving`. Raises UsageError as the command would by itself.
    """
    question = urlencode({name: value for name, value in values.items() if value is not None})
    try:
        status, body = sockets.ask(socket_path(project_path), f"/explain?{question}", TIMEOUT_S)
    except OSError:
        return None
    if status == sockets.REFUSED:
        raise UsageError(*json.loads(body))
    return body if status == sockets.OK else None
