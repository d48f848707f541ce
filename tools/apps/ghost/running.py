"""A Ghost site of its own: a folder, a database, a port of the loopback interface."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from duplex.embedded.processes import LOOPBACK, free_port
from tools.apps.processes import Server

START_LIMIT_S = 240.0
ANSWER_LIMIT_S = 10.0
TEMPLATE = "template.db"


@dataclass(slots=True)
class Ghost:
    """`installation` as `tools.apps` made it, `folder` for the site's files. Calls block; all may be repeated.

    The port stays the same over restarts. A new site is a copy of the installation's template: its owner signs in
    with `owner.EMAIL` and `owner.PASSWORD`.
    """

    installation: Path
    folder: Path
    port: int = field(default_factory=free_port)
    _server: Server | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> str:
        """The end of what Ghost printed."""
        return self._made().tail()

    def start(self) -> None:
        """Start the site, or start it again. Raises AppsError when it does not answer in time."""
        self._lay_out()
        self._made().start(self._answers, START_LIMIT_S)

    def stop(self) -> None:
        self._made().stop()

    def kill(self) -> None:
        """`kill -9`."""
        self._made().kill()

    def _lay_out(self) -> None:
        if (self.folder / "content").exists():
            return
        shutil.copytree(self.installation / "package/content", self.folder / "content")
        template = self.installation / TEMPLATE
        if template.exists():
            shutil.copy(template, self.folder / "ghost.db")

    def _made(self) -> Server:
        if self._server is None:
            self._server = Server(
                "Ghost",
                ["node", "index.js"],
                self.installation / "package",
                {**os.environ, **self._settings()},
                self.folder / "ghost.log",
            )
        return self._server

    def _settings(self) -> Mapping[str, str]:
        return {
            # In production it posts no webhooks to private addresses.
            "NODE_ENV": "development",
            "url": self.url,
            "server__host": LOOPBACK,
            "server__port": str(self.port),
            "database__client": "sqlite3",
            "database__connection__filename": str(self.folder / "ghost.db"),
            "database__useNullAsDefault": "true",
            "paths__contentPath": str(self.folder / "content"),
            "mail__transport": "stub",
            # Otherwise every sign-in waits for a code out of a mail.
            "security__staffDeviceVerification": "false",
            # It asks nobody outside for anything.
            "privacy__useTinfoil": "true",
            "logging__transports": '["stdout"]',
        }

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ghost/api/admin/site/", timeout=ANSWER_LIMIT_S):
                return True
        except (urllib.error.URLError, OSError):
            return False
