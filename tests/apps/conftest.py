"""Real applications for tests: one server for each test file, on a port and in a folder of its own.

A fresh server for every test would take minutes, so tests keep apart by what they name: `person` is somebody that no
other test knows. Where an application is not installed its tests are skipped, and say so; `make test-apps` installs.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from duplex.examples.applications import Application
from duplex.examples.ghost import installing as ghost_installing
from duplex.examples.ghost import running as ghost_running
from duplex.examples.ghost.owner import Owner
from duplex.examples.installation import Recipe
from duplex.examples.tryton import installing as tryton_installing
from duplex.examples.tryton import running as tryton_running
from duplex.examples.tryton.user import User

ALONE = "DUPLEX_TEST_APPS"


@pytest.fixture(scope="module")
def ghost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A started Ghost site. What it printed is shown when a test fails."""
    site = ghost_running.site(installed(ghost_installing.RECIPE), tmp_path_factory.mktemp("ghost"))
    try:
        site.start()
        yield site
    finally:
        site.stop()
        print(site.log)


@pytest.fixture(scope="module")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A started Tryton server. What it printed is shown when a test fails."""
    server = tryton_running.server(installed(tryton_installing.RECIPE), tmp_path_factory.mktemp("tryton"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        print(server.log)


@pytest.fixture
async def owner(ghost: Application) -> AsyncIterator[Owner]:
    """The site's owner, signed in. A restarted site is waited for."""
    await asyncio.to_thread(ghost.start)
    async with Owner.at(ghost.url) as signed_in:
        yield signed_in


@pytest.fixture
async def user(tryton: Application) -> AsyncIterator[User]:
    """Tryton's administrator, signed in."""
    await asyncio.to_thread(tryton.start)
    async with User.at(tryton.url) as signed_in:
        yield signed_in


@pytest.fixture
def person() -> str:
    """A word that no other test has: for e-mail addresses, codes, names."""
    return f"p{uuid.uuid4().hex[:10]}"


def installed(recipe: Recipe) -> Path:
    """Where an application lies; the test is skipped, and says so, where it is not installed."""
    if not recipe.installed:
        pytest.skip(f"{recipe.name} is not installed: `make test-apps` installs it (minutes, once) and runs this")
    return recipe.folder


def only_at_length(what: str) -> None:
    """Skip, and say so, what takes about a minute by itself, unless the run is one of the applications alone."""
    if ALONE not in os.environ:
        pytest.skip(f"{what} by `make test-apps`, which sets {ALONE}")
