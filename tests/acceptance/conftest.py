"""A showing per test: databases, topics and a project folder of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from duplex.demo import databases
from tests.acceptance.showings import Showing


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
