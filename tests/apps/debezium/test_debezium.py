"""Debezium's Postgres connector on a real Kafka Connect, read by the kafka connector.

What arrives is compared with what duplex's own capture makes of the same rows: both must be the same to the mapping.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from connectors.base import TableInfo, TableSpec
from connectors.kafka.connector import KafkaConnector, connector
from connectors.postgres.connector import connector as postgres
from schemas.messages import Change
from schemas.project import column_types
from streams.mapping.images import Images
from tests.apps.debezium.worker import Connect
from tests.conftest import NewDatabase
from tests.integration.kafka_source import topics
from tests.integration.kafka_source.reading import read
from tests.waiting import eventually

ROWS = Path(__file__).with_name("rows.sql")
SPEC = TableSpec("customer", "customers", ("email",), (("email",),))
OWN = TableSpec("customer", "public.customers", ("email",), (("email",),))
# Postgres says these otherwise than a schema of Connect can.
OPAQUE = {"interval", "flags"}

pytestmark = pytest.mark.timeout(600)


async def filled(new_database: NewDatabase) -> str:
    dsn = await new_database("legacy")
    await execute(dsn, ROWS.read_text())
    return dsn


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def legacy(bootstrap: str, name: str, **more: Any) -> KafkaConnector:
    table = {"topic": f"{name}.public.customers", "format": "debezium-json", **more}
    return connector("legacy", name, {"bootstrap": bootstrap, "topics": {"customers": table}})


def images(info: TableInfo, columns: Sequence[str]) -> Images:
    kinds = {column.name: column_types.parse(column.type) for column in info.columns if column.name in columns}
    return Images("customer", "legacy", kinds)


async def own_rows(dsn: str) -> tuple[TableInfo, list[str]]:
    """The table and its rows as duplex's own connector for Postgres reads them."""
    made = postgres("crm", "own", {"dsn": dsn})
    try:
        info = (await made.discover([OWN]))["customer"]
        return info, [row async for chunk in made.rows(OWN) for row in chunk]
    finally:
        await made.close()


@pytest.fixture
async def captured(connect: Connect, new_database: NewDatabase, pipeline_name: str, kafka_bootstrap: str) -> Any:
    """A filled database that Debezium captures; its DSN. Slot and topics go with the test."""
    dsn = await filled(new_database)
    await connect.capture(pipeline_name, dsn, "public.customers")
    topic = f"{pipeline_name}.public.customers"
    cluster = legacy(kafka_bootstrap, pipeline_name).cluster

    async def made() -> bool:
        return topic in await cluster.topics([topic])

    await eventually(made, 60, "Debezium made no topic")
    yield dsn
    await connect.stop()
    await execute(dsn, f"select pg_drop_replication_slot('{pipeline_name}')")
    await topics.drop(kafka_bootstrap, [topic])


async def test_every_type_arrives_as_duplex_itself_would_have_captured_it(
    captured: str, kafka_bootstrap: str, pipeline_name: str
) -> None:
    system = legacy(kafka_bootstrap, pipeline_name)
    loaded = await read(system, _rows(3), specs=[SPEC])
    found = (await system.discover([SPEC]))["customer"]
    own, rows = await own_rows(captured)
    columns = [column.name for column in own.columns if column.name not in OPAQUE]
    theirs = [images(found, columns).load(change.after or "") for change in loaded.changes if change.op != "l"]
    ours = [images(own, columns).load(row) for row in rows]
    assert sorted(theirs, key=lambda row: str(row["id"])) == sorted(ours, key=lambda row: str(row["id"]))
    assert found.key == ("id",)
    kinds = {column.name: column_types.parse(column.type).kind for column in found.columns}
    expected = {column.name: column_types.parse(column.type).kind for column in own.columns}
    assert {name: kinds[name] for name in columns} == {name: expected[name] for name in columns}


async def test_changes_arrive_in_order_through_a_restart_of_connect(
    captured: str, connect: Connect, kafka_bootstrap: str, pipeline_name: str
) -> None:
    system = legacy(kafka_bootstrap, pipeline_name)
    await read(system, _rows(3), specs=[SPEC])
    await execute(captured, "update customers set email = 'countess@example.org' where id = 1")
    await connect.stop()
    await execute(captured, "delete from customers where id = 2")
    await connect.start()
    await connect.capture(pipeline_name, captured, "public.customers")
    await execute(captured, "insert into customers (id, email) values (4, 'four@example.org')")
    found = await read(system, lambda changes: {"u", "d", "c"} <= {change.op for change in changes}, specs=[SPEC])
    told = {(change.op, change.local_id) for change in found.changes if change.op != "l"}
    assert {("u", "[1]"), ("d", "[2]"), ("c", "[4]")} == told
    assert found.rejected == []
    changed = next(change for change in found.changes if change.op == "u")
    assert changed.before is not None and changed.transaction > 0


def _rows(count: int) -> Any:
    """Enough is when so many rows were read, by the load or after it."""

    def enough(changes: Sequence[Change]) -> bool:
        rows = {change.local_id for change in changes if change.op in "rcu"}
        return len(rows) >= count and any(change.op == "l" for change in changes)

    return enough
