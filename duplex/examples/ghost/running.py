"""A Ghost site of its own: a folder, a database, a port of the loopback interface."""

import os
import shutil
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from duplex.embedded.processes import LOOPBACK, free_port
from duplex.examples.applications import Application, answers
from duplex.examples.processes import Server

START_LIMIT_S = 240.0
ANSWER_LIMIT_S = 10.0
TEMPLATE = "template.db"


def site(installation: Path, folder: Path) -> Application:
    """A site, not yet started: `installation` as its recipe made it, `folder` for the site's files.

    A new site is a copy of the installation's template: its owner signs in with `owner.EMAIL` and `owner.PASSWORD`.
    """
    _lay_out(installation, folder)
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    environment = {**os.environ, **_settings(url, port, folder)}
    server = Server("Ghost", ["node", "index.js"], installation / "package", environment, folder / "ghost.log")
    asked = urllib.request.Request(f"{url}/ghost/api/admin/site/")
    return Application(url, server, lambda: answers(asked, ANSWER_LIMIT_S), START_LIMIT_S)


def _lay_out(installation: Path, folder: Path) -> None:
    if (folder / "content").exists():
        return
    shutil.copytree(installation / "package/content", folder / "content")
    template = installation / TEMPLATE
    if template.exists():
        shutil.copy(template, folder / "ghost.db")


def _settings(url: str, port: int, folder: Path) -> Mapping[str, str]:
    return {
        # In production it posts no webhooks to private addresses.
        "NODE_ENV": "development",
        "url": url,
        "server__host": LOOPBACK,
        "server__port": str(port),
        "database__client": "sqlite3",
        "database__connection__filename": str(folder / "ghost.db"),
        "database__useNullAsDefault": "true",
        "paths__contentPath": str(folder / "content"),
        "mail__transport": "stub",
        # Otherwise every sign-in waits for a code out of a mail.
        "security__staffDeviceVerification": "false",
        # It asks nobody outside for anything.
        "privacy__useTinfoil": "true",
        "logging__transports": '["stdout"]',
    }
