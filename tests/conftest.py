"""Fixtures for tests that need real servers. Nothing starts until a test asks for it.

`kafka_bootstrap` is shared by the whole run, whatever number of workers it has, and `postgres_dsn` by one worker: take
`pipeline_name` for topics and groups, and `new_database` for tables, and no test sees another. A test that kills a
server takes a private one.
"""

import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from hypothesis import settings
from xdist.remote import Producer

from duplex.embedded.runtime import KAFKA_VARIABLE
from tests import scheduling, servers
from tests.servers import PrivateKafka, PrivatePostgres

NewDatabase = Callable[[str], Awaitable[str]]
# The folders in the order in which they are played: what takes long first, so that no worker is left alone with it.
ORDER = ("acceptance", "simulation", "integration", "conformance", "unit")

# No test is one of time: a busy machine makes any example slow.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# The program is started some hundred times: without compiled modules each start takes twice as long.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected."""
    scheduling.give_way(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> scheduling.Apart | None:
    """What waits for servers and what computes, side by side."""
    return scheduling.scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders in order; within a folder nothing changes."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return min((ORDER.index(part) for part in item.nodeid.split("/") if part in ORDER), default=len(ORDER))


@pytest.fixture(scope="session")
def clean_test_homes() -> None:
    """Leftovers of killed test runs are gone."""
    servers.remove_stale_homes()


@pytest.fixture(scope="session")
def kafka_bootstrap(clean_test_homes: None) -> Iterator[str]:
    """A Kafka broker for the whole run (KAFKA_BOOTSTRAP_SERVERS takes its place). Topics are not made by themselves."""
    runtime = servers.runtime(os.environ, servers.home_of_the_run())
    yield runtime.start(()).bootstrap
    runtime.stop()


@pytest.fixture(scope="session")
def postgres_dsn(clean_test_homes: None) -> Iterator[str]:
    """The superuser's DSN of a Postgres 18 server for the whole run (POSTGRES_DSN takes its place)."""
    runtime = servers.runtime({KAFKA_VARIABLE: "not.used:0"} | dict(os.environ))
    yield runtime.start(("postgres",)).dsns["postgres"]
    runtime.stop()


@pytest.fixture
async def new_database(postgres_dsn: str) -> AsyncIterator[NewDatabase]:
    """`await new_database("crm")` makes an empty database of this test's own and returns its DSN."""
    async with databases(postgres_dsn) as make:
        yield make


@asynccontextmanager
async def databases(postgres_dsn: str) -> AsyncIterator[NewDatabase]:
    """Makes databases, which go with the block."""
    made: list[str] = []

    async def make(name: str) -> str:
        database = f"{name}_{uuid.uuid4().hex[:8]}"
        await run_on(postgres_dsn, "select format('create database %I', $1::text)", database)
        made.append(database)
        return f"{postgres_dsn.rpartition('/')[0]}/{database}"

    try:
        yield make
    finally:
        for database in made:
            await run_on(postgres_dsn, "select format('drop database %I with (force)', $1::text)", database)


@pytest.fixture
def pipeline_name() -> str:
    """A short name that no other test has: the first part of this test's topics and groups."""
    return new_pipeline_name()


def new_pipeline_name() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture
def private_kafka() -> Iterator[PrivateKafka]:
    """A started broker of this test's own: `.bootstrap`, `.kill()`, `.start()`."""
    server = PrivateKafka()
    server.start()
    yield server
    server.close()


@pytest.fixture
def private_postgres() -> Iterator[PrivatePostgres]:
    """A started Postgres server of this test's own: `.dsn`, `.kill()`, `.start()`."""
    server = PrivatePostgres()
    server.start()
    yield server
    server.close()


async def run_on(dsn: str, statement: str, database: str) -> None:
    """Run the statement that a query puts together; the server quotes the name, not we."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(await connection.fetchval(statement, database))
    finally:
        await connection.close()
