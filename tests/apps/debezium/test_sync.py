"""The whole program: what Debezium captures reaches a Postgres database, through kills of duplex and of Connect."""

import asyncio
import functools
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from duplex import broker
from duplex.supervisor import lifeline
from tests.apps.debezium.test_debezium import execute, filled
from tests.apps.debezium.worker import Connect
from tests.conftest import NewDatabase
from tests.waiting import eventually

PROJECT = Path(__file__).with_name("project.yaml")
CONTACTS = """
create table contacts (
    id bigint generated always as identity primary key,
    email text not null,
    price numeric(10, 2),
    seen timestamptz,
    tags text[]
)
"""
COMPARED = "select email, price, seen, tags from {} order by email"
PATIENCE_S = 180.0

pytestmark = pytest.mark.timeout(900)


@dataclass
class Pipeline:
    """The program on a project folder, the database that Debezium captures, and the one that duplex writes."""

    folder: Path
    environment: dict[str, str]
    legacy: str
    crm: str
    running: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def call(self, *words: str, accepted: tuple[int, ...] = (0,)) -> str:
        """Run a command to its end; what it printed."""
        process = await self._spawn(*words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await process.communicate()
        assert process.returncode in accepted, output.decode()
        return output.decode()

    async def start(self) -> asyncio.subprocess.Process:
        """`duplex run`, its log in `run.log`."""
        with (self.folder / "run.log").open("ab") as log:
            process = await self._spawn("run", "--http-port", "0", stdout=log, stderr=log)
        self.running.append(process)
        return process

    async def stop(self) -> None:
        """End what runs."""
        for process in self.running:
            if process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.wait(), 60)

    async def in_step(self) -> None:
        """Wait until both tables hold the same."""

        async def same() -> bool:
            theirs, ours = await rows(self.legacy, "customers"), await rows(self.crm, "contacts")
            return bool(ours) and theirs == ours

        await eventually(same, PATIENCE_S, f"not in step; see {self.folder / 'run.log'}")

    async def _spawn(self, *words: str, **streams: Any) -> asyncio.subprocess.Process:
        project = str(self.folder / "duplex.yaml")
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "duplex", "--project", project, *words),
            env=self.environment,
            preexec_fn=functools.partial(lifeline.die_with_parent, os.getpid()),
            **streams,
        )


async def rows(dsn: str, table: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(COMPARED.format(table))]
    finally:
        await connection.close()


@pytest.fixture
async def pipeline(
    connect: Connect, new_database: NewDatabase, pipeline_name: str, kafka_bootstrap: str, tmp_path: Path
) -> AsyncIterator[Pipeline]:
    """A project that was applied, on topics that Debezium fills."""
    prefix, legacy, crm = f"{pipeline_name}dbz", await filled(new_database), await new_database("crm")
    await execute(crm, CONTACTS)
    await execute(crm, "insert into contacts (email) values ('ada@example.org')")
    await connect.capture(prefix, legacy, "public.customers")
    text = PROJECT.read_text().replace("PIPELINE", pipeline_name).replace("PREFIX", prefix)
    (tmp_path / "duplex.yaml").write_text(text)
    ours = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "CRM_DSN": crm}
    found = Pipeline(tmp_path, {**os.environ, **ours}, legacy, crm)
    async with broker.admin({"bootstrap_servers": kafka_bootstrap}) as client:

        async def made() -> bool:
            return f"{prefix}.public.customers" in await client.list_topics()

        await eventually(made, 60, "Debezium made no topic")
        yield found
        await found.stop()
        await connect.stop()
        await execute(legacy, f"select pg_drop_replication_slot('{prefix}')")
        await client.delete_topics([name for name in await client.list_topics() if name.startswith(pipeline_name)])


async def test_rows_that_debezium_captures_are_kept_in_step(pipeline: Pipeline, connect: Connect) -> None:
    await pipeline.call("apply")
    first = await pipeline.start()
    await pipeline.in_step()
    await execute(pipeline.legacy, "update customers set price = 12.34, tags = '{x}' where id = 1")
    await execute(pipeline.legacy, "insert into customers (id, email, seen) values (4, 'four@example.org', now())")
    await pipeline.in_step()
    first.kill()
    await first.wait()
    await execute(pipeline.legacy, "delete from customers where id = 2")
    await execute(pipeline.legacy, "update customers set email = 'countess@example.org' where id = 1")
    await pipeline.start()
    await pipeline.in_step()
    assert len(await rows(pipeline.crm, "contacts")) == 3


async def test_a_field_that_would_be_written_to_a_topic_is_refused(pipeline: Pipeline) -> None:
    project = pipeline.folder / "duplex.yaml"
    project.write_text(project.read_text().replace("price: {column: price, direction: in}", "price: price"))
    assert "legacy can only be read" in await pipeline.call("check", accepted=(2,))
