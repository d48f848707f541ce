"""Tryton from its packages, in an environment of its own, with a database that is ready to be copied.

Making a database with its modules takes a minute and more, copying it nothing: so that is done once too.
"""

import sys
from pathlib import Path

from duplex.embedded.settings import Progress
from duplex.examples.installation import HERE, Recipe, run
from duplex.examples.tryton.running import DATABASE, configure
from duplex.examples.tryton.user import PASSWORD

MODULES = ("party", "product", "sale", "account")
REQUIREMENTS = HERE / "tryton/requirements.txt"


def _install(folder: Path, progress: Progress) -> None:
    progress("fetching Tryton's packages")
    run([sys.executable, "-m", "venv", folder / "venv"], folder)
    python = folder / "venv/bin/python"
    quiet = ["--quiet", "--disable-pip-version-check"]
    run([python, "-m", "pip", "install", *quiet, "--require-hashes", "-r", REQUIREMENTS], folder)
    progress("making its database, the longest step")
    _make_template(folder)


def _make_template(folder: Path) -> None:
    # An empty file is an empty database; trytond-admin takes only one that exists.
    (folder / f"{DATABASE}.sqlite").touch()
    (folder / "password").write_text(PASSWORD)
    programs, settings = folder / "venv/bin", str(configure(folder, 0))
    admin: list[str | Path] = [programs / "python", programs / "trytond-admin", "-c", settings, "-d", DATABASE]
    secret = {"TRYTONPASSFILE": str(folder / "password")}
    run([*admin, "--all", "--email", "admin@example.com", "--password"], folder, secret)
    run([*admin, "-u", *MODULES, "--activate-dependencies"], folder)


RECIPE = Recipe("tryton", "Tryton 8.2", "100 MB, about two minutes", (REQUIREMENTS,), _install)
