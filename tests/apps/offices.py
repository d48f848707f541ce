"""An example under the real program: its project file as users copy it, on a database and topics of its own."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from duplex.embedded.processes import free_port
from tests.acceptance.blogs import taken
from tests.acceptance.shops import Shop
from tests.apps.declared import EXAMPLES
from tests.conftest import NewDatabase
from tests.waiting import eventually


class Office(Shop):
    """The program at work between a CRM and an application; `port` is the bridge's."""

    port: int = 0

    async def sql(self, statement: str) -> None:
        """Somebody works in the CRM."""
        await self.execute(self.crm, statement)

    async def row(self, table: str, column: str, value: str) -> dict[str, Any] | None:
        """The CRM's row with this value."""
        query = f"select to_jsonb(t) - 'id' from public.{table} t where {column} = '{value}'"
        found = await self.value(self.crm, query)
        return None if found is None else dict(json.loads(found))


@asynccontextmanager
async def office(
    example: str, folder: Path, pipeline: str, bootstrap: str, new_database: NewDatabase, environment: Mapping[str, str]
) -> AsyncIterator[Office]:
    """The example, laid out and not yet applied; what runs is stopped at the end. It polls and sweeps in haste."""
    made = Office(folder, bootstrap, await new_database("crm"), "")
    made.environment.update(environment)
    made.port = free_port()
    text = (EXAMPLES / example / "duplex.yaml").read_text()
    text = re.sub(r"^pipeline: .*$", f"pipeline: {pipeline}\nbridge: {{port: {made.port}}}", text, flags=re.MULTILINE)
    (folder / "duplex.yaml").write_text(text.replace("poll: 30s", "poll: 2s").replace("sweep: 1m", "sweep: 5s"))
    await made.sql((EXAMPLES / example / "crm.sql").read_text())
    try:
        yield made
    finally:
        if made.process is not None:
            await made.stop()


async def begin(made: Office) -> None:
    """Apply and run, until everything listens."""
    await made.json("apply")
    await made.start()
    await made.running()


async def listens(made: Office, system: str) -> None:
    """Wait for the bridge."""
    await eventually(lambda: taken(f"http://127.0.0.1:{made.port}/hooks/{system}"), 60, "no bridge")
