"""A Tryton server of its own: a folder with its database, a port of the loopback interface."""

import json
import os
import shutil
import urllib.request
from pathlib import Path

from duplex.embedded.processes import LOOPBACK, free_port
from duplex.examples.applications import Application, answers
from duplex.examples.processes import Server

DATABASE = "erp"
START_LIMIT_S = 180.0
ANSWER_LIMIT_S = 60.0
SETTINGS = """[database]
uri = sqlite://
path = {data}
[web]
listen = {host}:{port}
"""


def configure(folder: Path, port: int) -> Path:
    """Write the settings of a server whose database lies in the folder; the file's path."""
    path = folder / "trytond.conf"
    path.write_text(SETTINGS.format(data=folder, host=LOOPBACK, port=port))
    return path


def server(installation: Path, folder: Path) -> Application:
    """A server, not yet started: `installation` as its recipe made it, `folder` for the database.

    Its `url` names the database; requests go to `/rpc/` behind it. A new server has a copy of the installation's
    template of a database: its administrator is `user.ADMINISTRATOR` with `user.PASSWORD`.
    """
    if not (folder / f"{DATABASE}.sqlite").exists():
        shutil.copy(installation / f"{DATABASE}.sqlite", folder)
    port, programs = free_port(), installation / "venv/bin"
    settings = str(configure(folder, port))
    command: list[str | Path] = [programs / "python", programs / "trytond", "-c", settings, "-d", DATABASE]
    process = Server("Tryton", command, folder, dict(os.environ), folder / "trytond.log")
    asked = _version(port)
    return Application(
        f"http://{LOOPBACK}:{port}/{DATABASE}", process, lambda: answers(asked, ANSWER_LIMIT_S), START_LIMIT_S
    )


def _version(port: int) -> urllib.request.Request:
    body = json.dumps({"id": 1, "method": "common.server.version", "params": []}).encode()
    return urllib.request.Request(f"http://{LOOPBACK}:{port}/rpc/", body, {"Content-Type": "application/json"})
