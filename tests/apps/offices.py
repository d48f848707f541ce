"""An example under the real program: its project file as users copy it, on a database and topics of its own."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from duplex.embedded.processes import free_port
from duplex.examples import projects
from tests.acceptance.blogs import taken
from tests.acceptance.shops import Shop, connected
from tests.acceptance.showings import kill, part
from tests.conftest import NewDatabase
from tests.waiting import eventually


class Office(Shop):
    """The program at work between a CRM and an application; `port` is the bridge's."""

    port: int = 0

    async def sql(self, statement: str) -> None:
        """Somebody works in the CRM."""
        await self.execute(self.crm, statement)

    @asynccontextmanager
    async def unseen(self, statement: str) -> AsyncIterator[None]:
        """Somebody in the CRM has written, and nobody can know it before the block ends."""
        async with connected(self.crm) as connection, connection.transaction():
            await connection.execute(statement)
            yield

    async def kill(self, *words: str) -> None:
        """`kill -9` a part of the running program, or all of it, which is then started again."""
        assert self.process is not None
        supervisor = self.process
        if words:
            await kill(lambda: part({supervisor.pid}, *words), *words)
            return
        supervisor.kill()
        await supervisor.wait()
        await self.start()

    async def clash(self, key: str, field: str) -> set[str]:
        """The values that contradicted each other in a field of one record, as the conflicts name them."""
        words = ("--all", "--record", key, "--field", field)
        found = (await self.json("conflicts", "list", *words))["conflicts"]
        return {one[side]["value"] for one in found for side in ("current", "incoming")}

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
    (folder / "duplex.yaml").write_text(projects.hastened(example, pipeline, made.port))
    await made.sql(projects.text(example, "crm.sql"))
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
