"""The fixtures other tests stand on."""

import asyncio

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.conftest import NewDatabase
from tests.servers import PrivateKafka, PrivatePostgres
from tests.waiting import eventually


async def test_kafka_carries_a_record(kafka_bootstrap: str, pipeline_name: str) -> None:
    await create_topic(kafka_bootstrap, pipeline_name)
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        await producer.send_and_wait(pipeline_name, b"value")
    async with AIOKafkaConsumer(
        pipeline_name, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        record = await asyncio.wait_for(consumer.getone(), 10)
    assert record.value == b"value"


async def test_databases_of_a_test_are_its_own(new_database: NewDatabase) -> None:
    crm, other = await new_database("crm"), await new_database("crm")
    connection = await asyncpg.connect(crm)
    await connection.execute("create table contacts (id int)")
    settings = await connection.fetchrow(
        "select current_setting('wal_level'), current_setting('track_commit_timestamp')"
    )
    await connection.close()
    assert crm != other
    assert tuple(settings) == ("logical", "on")


async def test_private_postgres_comes_back_at_its_address(private_postgres: PrivatePostgres) -> None:
    dsn = private_postgres.dsn
    private_postgres.kill()
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await asyncpg.connect(dsn)
    await asyncio.to_thread(private_postgres.start)
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("select 1") == 1
    await connection.close()


async def test_private_kafka_keeps_its_topics_over_a_kill(private_kafka: PrivateKafka, pipeline_name: str) -> None:
    bootstrap = private_kafka.bootstrap
    await create_topic(bootstrap, pipeline_name)
    private_kafka.kill()
    await asyncio.to_thread(private_kafka.start)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        assert pipeline_name in (await producer.client.fetch_all_metadata()).topics()


async def test_eventually_tells_what_it_waited_for() -> None:
    with pytest.raises(AssertionError, match="no row arrives"):
        await eventually(lambda: False, timeout_s=0.05, message="no row arrives")


async def create_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()
