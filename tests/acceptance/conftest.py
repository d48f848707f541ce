"""The demo's project and the sample on databases and topics of their own, for one test or for all of a module."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from duplex import broker
from tests.acceptance.shops import Shop
from tests.acceptance.showings import Showing
from tests.conftest import NewDatabase, databases, new_pipeline_name

LOG_BYTES = 8000


class Place(NamedTuple):
    """What a program that all tests of a module share is made in."""

    folder: Path
    pipeline: str
    bootstrap: str
    new_database: NewDatabase


@asynccontextmanager
async def topics_of(bootstrap: str, pipeline: str) -> AsyncIterator[None]:
    """The topics of a pipeline go with the block: a broker slows down with every one."""
    try:
        yield
    finally:
        async with broker.admin({"bootstrap_servers": bootstrap}) as client:
            if names := [name for name in await client.list_topics() if name.startswith(f"{pipeline}.")]:
                await client.delete_topics(names)


@pytest.fixture
async def pipeline_name(pipeline_name: str, kafka_bootstrap: str) -> AsyncIterator[str]:
    """A name that no other test has; the topics that begin with it go with the test."""
    async with topics_of(kafka_bootstrap, pipeline_name):
        yield pipeline_name


@pytest.fixture
async def showing(
    tmp_path: Path, kafka_bootstrap: str, new_database: NewDatabase, pipeline_name: str
) -> AsyncIterator[Showing]:
    """A showing of this test's own, applied, not yet running."""
    async with Showing.made(tmp_path, pipeline_name, kafka_bootstrap, new_database) as showing:
        yield showing


@pytest.fixture
async def shop(
    tmp_path: Path, kafka_bootstrap: str, new_database: NewDatabase, pipeline_name: str
) -> AsyncIterator[Shop]:
    """The sample of this test's own, not yet applied."""
    async with Shop.made(tmp_path, pipeline_name, kafka_bootstrap, new_database) as shop:
        yield shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str, postgres_dsn: str
) -> AsyncIterator[Place]:
    """A folder, topics and databases for all tests of a module."""
    name, folder = new_pipeline_name(), tmp_path_factory.mktemp("shared")
    async with topics_of(kafka_bootstrap, name), databases(postgres_dsn) as new_database:
        yield Place(folder, name, kafka_bootstrap, new_database)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(place: Place) -> AsyncIterator[Showing]:
    """A showing that runs for all tests of a module: each works on people of its own, and lets it come to rest.

    Starting the program takes longer than most of what is shown of it. Who takes it runs in the module's event loop.
    """
    async with Showing.made(*place) as showing:
        await showing.start()
        await showing.settled()
        yield showing


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_shop(place: Place) -> AsyncIterator[Shop]:
    """The sample running for all tests of a module, its contacts in step: see `shared`."""
    async with Shop.made(*place) as shop:
        await shop.json("apply")
        await shop.start()
        await shop.running()
        await shop.becomes(shop.erp, "select count(*) from public.customers", 4)
        yield shop


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Below a failed test stands the end of its program's log."""
    report = yield
    if report.failed:
        for log in _logs(getattr(item, "funcargs", {})):
            report.sections.append((f"the end of {log}", log.read_text()[-LOG_BYTES:]))
    return report


def _logs(given: dict[str, Any]) -> set[Path]:
    folders = [given.get("tmp_path"), *(getattr(value, "folder", None) for value in given.values())]
    logs = {folder / "run.log" for folder in folders if isinstance(folder, Path)}
    return {log for log in logs if log.exists()}
