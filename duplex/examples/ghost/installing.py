"""Ghost from its package: unpacked, its dependencies installed as the lock file says, those of its developers left out.

The lock file was made from the very package.json that `prepare` makes: `npm install --package-lock-only` in the
prepared folder makes it anew for another version. sqlite3 is compiled where no binary of it can be fetched.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from duplex.embedded.settings import Progress
from duplex.examples.errors import ApplicationError
from duplex.examples.ghost.owner import EMAIL, PASSWORD
from duplex.examples.ghost.running import TEMPLATE, site
from duplex.examples.installation import HERE, Recipe, require, run

VERSION = "5.130.6"
INTEGRITY = "sha512-CAWqPKt+7ws+/1NrVmvuiWiDZDEtutiu7niVMTku9uM29MjfNFFUVKM3giQBpZGZrUORXkWiXSlqbry4QGVrBw=="
SET_UP_LIMIT_S = 120.0
NODES = (18, 20, 22)
INSTALL_NODE = f"Install Node.js {NODES[-1]} or {NODES[-2]} with npm."
FLAGS = ("--omit=dev", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error")
LOCK = HERE / "ghost/package-lock.json"


def check() -> Path:
    """The Node.js that Ghost will run on. Raises ApplicationError where the machine lacks what installing takes."""
    found = node()
    require("npm", "Ghost's packages are installed with it", INSTALL_NODE)
    for program in ("c++", "make", "python3"):
        require(program, "sqlite3 is compiled with it", "Install a C++ compiler, make and Python 3 (build-essential).")
    return found


def node() -> Path:
    """The Node.js that Ghost will run on. Raises ApplicationError when there is none, or another version."""
    found = require("node", "Ghost runs on it", INSTALL_NODE)
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(answer.removeprefix("v").partition(".")[0]) not in NODES:
        why = f"it is {answer}, and Ghost {VERSION} runs on {', '.join(map(str, NODES))} only"
        raise ApplicationError("this Node.js cannot be used", found, why, "Put one of these first in PATH.")
    return Path(found).resolve()


def _install(folder: Path, progress: Progress) -> None:
    found = check()
    progress("fetching Ghost's package")
    run(["npm", "pack", f"ghost@{VERSION}", "--silent", "--pack-destination", folder], folder)
    package = prepare(folder, folder / f"ghost-{VERSION}.tgz")
    progress("installing the packages that it needs, the longest step")
    # Of the packages that would compile something, Ghost does not start without this one only.
    run(["npm", "ci", "--ignore-scripts", *FLAGS], package)
    progress("compiling sqlite3")
    run(["npm", "rebuild", "sqlite3", "--loglevel=error"], package, _headers(found))
    progress("starting a first site")
    _make_template(folder)


def _make_template(folder: Path) -> None:
    # The first start of a site makes its database, which takes longer than all later ones together.
    with TemporaryDirectory() as given:
        first = site(folder, Path(given))
        try:
            first.start()
            _set_up(first.url)
        finally:
            first.stop()
        shutil.copy(Path(given) / "ghost.db", folder / TEMPLATE)


def _set_up(url: str) -> None:
    answers = {"name": "Owner", "email": EMAIL, "password": PASSWORD, "blogTitle": "Blog"}
    request = urllib.request.Request(
        f"{url}/ghost/api/admin/authentication/setup/",
        json.dumps({"setup": [answers]}).encode(),
        {"Content-Type": "application/json", "Origin": url},
    )
    with urllib.request.urlopen(request, timeout=SET_UP_LIMIT_S) as answer:
        answer.read()


def prepare(folder: Path, archive: Path) -> Path:
    """Unpack Ghost's package, ready for npm. Raises ApplicationError when it is not the one that was locked."""
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        why = f"it has the digest {digest} instead of {INTEGRITY}"
        remedy = "Ask whoever runs the package registry that npm uses."
        raise ApplicationError("a package is not the one that was locked", archive.name, why, remedy)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    package = folder / "package"
    described = package / "package.json"
    described.write_text(json.dumps(_for_users(json.loads(described.read_text())), indent=2))
    shutil.copy(LOCK, package / "package-lock.json")
    return package


def _for_users(described: dict[str, Any]) -> dict[str, Any]:
    # Its developers pin some packages in yarn's words; npm has others for it.
    pins = {name: pin for name, pin in described["resolutions"].items() if not pin.startswith("file:")}
    return {**described, "devDependencies": {}, "overrides": pins}


def _headers(node: Path) -> dict[str, str]:
    # Without them node-gyp fetches the headers; with them it needs nothing.
    prefix = node.parent.parent
    return {"npm_config_nodedir": str(prefix)} if (prefix / "include/node/node.h").exists() else {}


RECIPE = Recipe("ghost", f"Ghost {VERSION}", "550 MB, about four minutes", (LOCK,), _install, check)
