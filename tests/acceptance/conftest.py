"""A showing per test: databases, topics and a project folder of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from duplex import broker
from duplex.demo import databases
from tests.acceptance.showings import Showing


@pytest.fixture
async def kafka_bootstrap(kafka_bootstrap: str, pipeline_name: str) -> AsyncIterator[str]:
    """The run's broker. The topics of this test's pipeline go with the test: a broker slows down with every one."""
    yield kafka_bootstrap
    async with broker.admin({"bootstrap_servers": kafka_bootstrap}) as client:
        if names := [name for name in await client.list_topics() if name.startswith(f"{pipeline_name}.")]:
            await client.delete_topics(names)


@pytest.fixture
async def showing(
    tmp_path: Path, kafka_bootstrap: str, new_database: Callable[[str], Awaitable[str]], pipeline_name: str
) -> AsyncIterator[Showing]:
    """The demo's project, checked in and applied, not yet running."""
    dsns = databases.Pair(await new_database("crm"), await new_database("erp"))
    await databases.fill(dsns)
    (tmp_path / "duplex.yaml").write_text(databases.script("project.yaml").replace("PIPELINE", pipeline_name))
    found = Showing(tmp_path, pipeline_name, kafka_bootstrap, dsns)
    await found.call("apply")
    yield found
    await found.stop()
