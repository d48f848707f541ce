"""Real applications for tests: one server for each test file, on a port and in a folder of its own.

A fresh server for every test would take minutes, so tests keep apart by what they name: `person` is somebody that no
other test knows. Where an application is not installed its tests are skipped, and say so; `make test-apps` installs.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tools.apps.ghost import installing as ghost_installing
from tools.apps.ghost.owner import Owner
from tools.apps.ghost.running import Ghost
from tools.apps.installation import Recipe
from tools.apps.tryton import installing as tryton_installing
from tools.apps.tryton.running import Tryton
from tools.apps.tryton.user import User


@pytest.fixture(scope="module")
def ghost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ghost]:
    """A started Ghost site. What it printed is shown when a test fails."""
    site = Ghost(_installed(ghost_installing.RECIPE), tmp_path_factory.mktemp("ghost"))
    try:
        site.start()
        yield site
    finally:
        site.stop()
        print(site.log)


@pytest.fixture(scope="module")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    """A started Tryton server. What it printed is shown when a test fails."""
    server = Tryton(_installed(tryton_installing.RECIPE), tmp_path_factory.mktemp("tryton"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        print(server.log)


@pytest.fixture
async def owner(ghost: Ghost) -> AsyncIterator[Owner]:
    """The site's owner, signed in. A restarted site is waited for."""
    await asyncio.to_thread(ghost.start)
    async with Owner(ghost.url) as signed_in:
        yield signed_in


@pytest.fixture
async def user(tryton: Tryton) -> AsyncIterator[User]:
    """Tryton's administrator, signed in."""
    await asyncio.to_thread(tryton.start)
    async with User(tryton.url) as signed_in:
        yield signed_in


@pytest.fixture
def person() -> str:
    """A word that no other test has: for e-mail addresses, codes, names."""
    return f"p{uuid.uuid4().hex[:10]}"


def _installed(recipe: Recipe) -> Path:
    if not recipe.installed:
        pytest.skip(f"{recipe.name} is not installed: `make test-apps` installs it (minutes, once) and runs this")
    return recipe.folder
