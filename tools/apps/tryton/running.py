"""A Tryton server of its own: a folder with its database, a port of the loopback interface."""

import json
import os
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from duplex.embedded.processes import LOOPBACK, free_port
from tools.apps.processes import Server

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


@dataclass(slots=True)
class Tryton:
    """`installation` as `tools.apps` made it, `folder` for the database. Calls block; all may be repeated.

    The port stays the same over restarts. A new server has a copy of the installation's template of a database: its
    administrator is `user.ADMINISTRATOR` with `user.PASSWORD`.
    """

    installation: Path
    folder: Path
    port: int = field(default_factory=free_port)
    _server: Server | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Where requests of the database's users go, less the `/rpc/` behind it."""
        return f"http://{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def log(self) -> str:
        """The end of what Tryton printed."""
        return self._made().tail()

    def start(self) -> None:
        """Start the server, or start it again. Raises AppsError when it does not answer in time."""
        if not (self.folder / f"{DATABASE}.sqlite").exists():
            shutil.copy(self.installation / f"{DATABASE}.sqlite", self.folder)
        self._made().start(self._answers, START_LIMIT_S)

    def stop(self) -> None:
        self._made().stop()

    def kill(self) -> None:
        """`kill -9`."""
        self._made().kill()

    def _made(self) -> Server:
        if self._server is None:
            programs = self.installation / "venv/bin"
            settings = str(configure(self.folder, self.port))
            command: list[str | Path] = [programs / "python", programs / "trytond", "-c", settings, "-d", DATABASE]
            self._server = Server("Tryton", command, self.folder, dict(os.environ), self.folder / "trytond.log")
        return self._server

    def _answers(self) -> bool:
        body = json.dumps({"id": 1, "method": "common.server.version", "params": []}).encode()
        place = f"http://{LOOPBACK}:{self.port}/rpc/"
        request = urllib.request.Request(place, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_LIMIT_S):
                return True
        except (urllib.error.URLError, OSError):
            return False
