"""The app of a whole project, on a real broker: rows in, commands out; users' processors; starting and stopping."""

import asyncio
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest

from schemas.codec import Codec
from schemas.identifiers import record_of_natural_key, row_key
from schemas.messages import Change, Command
from schemas.project.model import Project
from schemas.topics import Topics
from streams.app import build_app, host, run_processors
from streams.mapping.rules import compile_rules
from streams.processors.publishing import partition_of
from streams.processors.user import UserCodeError
from tests.integration.processors.folds import (
    PARTITIONS,
    admin,
    create_topics,
    encoded,
    finals,
    fold_of,
    hosting_of,
    numbers,
    produce,
    read_all,
)
from tests.waiting import eventually

CODEC = Codec()
COLUMNS = {
    "crm": {"id": "bigint", "email": "text", "name": "text"},
    "erp": {"id": "bigint", "mail": "text", "full_name": "text"},
}
SHOUT = """
from streams.processors.user import Output, processor

@processor(input="{pipeline}.golden.contact", output="{pipeline}.shouts")
async def shout(batch):
    return [Output(record.key, b"seen") for record in batch]
"""


def project_of(pipeline: str) -> Project:
    return Project.model_validate(
        {
            "pipeline": pipeline,
            "systems": {"crm": {"connector": "memory"}, "erp": {"connector": "memory"}},
            "entities": {
                "contact": {
                    "identity": {"match": ["email"]},
                    "fields": {"email": {"type": "string"}, "name": {"type": "string"}},
                    "systems": {
                        "crm": {"table": "contacts", "map": {"email": "email", "name": "name"}},
                        "erp": {"table": "customers", "map": {"email": "mail", "name": "full_name"}},
                    },
                }
            },
        }
    )


@asynccontextmanager
async def in_background(running):
    """Something that runs until cancelled, beside the test; what it raises, this raises."""
    task = asyncio.create_task(running)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def create_project_topics(bootstrap: str, pipeline: str) -> Topics:
    topics = Topics(pipeline, PARTITIONS)
    specs = topics.all({"contact": tuple(COLUMNS)})
    names = [spec.name.removeprefix(f"{pipeline}.") for spec in specs if spec.partitions == PARTITIONS]
    await create_topics(bootstrap, pipeline, *names, "shouts")
    return topics


def row(system: str, seq: int, local_id: str, image: dict) -> tuple[bytes, bytes]:
    text = msgspec.json.encode(image).decode()
    made = Change(
        system=system,
        entity="contact",
        table="t",
        incarnation=1,
        seq=seq,
        op="c",
        local_id=local_id,
        after=text,
        ts_us=seq,
    )
    return row_key(system, local_id), CODEC.encode(made)


def crm_row(number: int) -> tuple[bytes, bytes]:
    return row("crm", number, f"[{number}]", {"id": number, "email": f"{number}@x.y", "name": f"N{number}"})


def erp_row(number: int) -> tuple[bytes, bytes]:
    return row("erp", number, f"[{number}]", {"id": number, "mail": f"{number}@x.y", "full_name": f"N{number}"})


async def end_loads(bootstrap: str, topics: Topics) -> None:
    """Both systems' initial loads are over: a marker in every partition of their changes."""
    keys = {}
    for index in range(1000):
        keys.setdefault(partition_of(b"%d" % index, PARTITIONS), b"%d" % index)
    for system in COLUMNS:
        end = Change(system=system, entity="contact", table="t", incarnation=1, seq=0, op="l", local_id="", ts_us=0)
        marks = [(key, CODEC.encode(end)) for key in keys.values()]
        await produce(bootstrap, topics.changes(system, "contact"), marks)


async def commands_of(bootstrap: str, topics: Topics, system: str) -> list[Command]:
    return [CODEC.decode(message.value) for message in await read_all(bootstrap, topics.commands(system))]


async def test_rows_become_commands_for_the_other_system_once_each(kafka_bootstrap, pipeline_name, tmp_path):
    topics, project = await create_project_topics(kafka_bootstrap, pipeline_name), project_of(pipeline_name)
    rules = {"contact": compile_rules("contact", project.entities["contact"], COLUMNS)}
    (tmp_path / "processors").mkdir()
    (tmp_path / "processors" / "mine.py").write_text(SHOUT)
    kafka = {"bootstrap_servers": kafka_bootstrap}
    await produce(kafka_bootstrap, topics.changes("crm", "contact"), [crm_row(number) for number in range(1, 21)])
    await produce(kafka_bootstrap, topics.changes("erp", "contact"), [erp_row(number) for number in range(11, 31)])
    await end_loads(kafka_bootstrap, topics)
    async with in_background(run_processors(project, topics, rules, kafka, tmp_path)):

        async def told() -> bool:
            crm, erp = [await commands_of(kafka_bootstrap, topics, system) for system in ("crm", "erp")]
            return len(crm) >= 10 and len(erp) >= 10

        await eventually(told, 40)
        await eventually(lambda: shouted(kafka_bootstrap, pipeline_name), 20)
    erp = await commands_of(kafka_bootstrap, topics, "erp")
    assert sorted(command.record_id for command in erp) == sorted(record_of(number) for number in range(1, 11))
    assert {command.op for command in erp} == {"c"}
    crm = await commands_of(kafka_bootstrap, topics, "crm")
    assert sorted(command.record_id for command in crm) == sorted(record_of(number) for number in range(21, 31))
    assert await read_all(kafka_bootstrap, topics.deadletters) == []


def record_of(number: int) -> str:
    return record_of_natural_key("contact", f'["{number}@x.y"]', 0)


async def shouted(bootstrap: str, pipeline: str) -> bool:
    seen = {message.key for message in await read_all(bootstrap, f"{pipeline}.shouts")}
    return len(seen) == 30


async def test_mistake_in_a_users_file_stops_the_start(kafka_bootstrap, pipeline_name, tmp_path):
    (tmp_path / "processors").mkdir()
    (tmp_path / "processors" / "mine.py").write_text("x = = 1")
    kafka, topics = {"bootstrap_servers": kafka_bootstrap}, Topics(pipeline_name)
    project = project_of(pipeline_name)
    rules = {"contact": compile_rules("contact", project.entities["contact"], COLUMNS)}
    with pytest.raises(UserCodeError, match=r"mine\.py:1: invalid syntax"):
        await run_processors(project, topics, rules, kafka, tmp_path)


async def test_crash_of_one_service_ends_the_app_with_its_error(kafka_bootstrap, pipeline_name):
    await create_topics(kafka_bootstrap, pipeline_name)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", [(b"k1", b"crash")])
    app = build_app(hosting_of(kafka_bootstrap, pipeline_name), [fold_of(pipeline_name)])
    with pytest.raises(KeyError, match="a mistake in the processor"):
        async with asyncio.timeout(30):
            await host(app)


async def test_app_makes_no_topic_and_stops_with_everything_committed(kafka_bootstrap, pipeline_name):
    await create_topics(kafka_bootstrap, pipeline_name)
    values, fold = numbers(500, keys=10), fold_of(pipeline_name)
    await produce(kafka_bootstrap, f"{pipeline_name}.in", encoded(values))
    async with admin(kafka_bootstrap) as client:
        before = set(await client.list_topics())
        hosting = hosting_of(kafka_bootstrap, pipeline_name)
        async with in_background(host(build_app(hosting, [fold]))):
            await eventually(lambda: all_out(kafka_bootstrap, pipeline_name, 500), 30)
        assert set(await client.list_topics()) - before <= {"__consumer_offsets"}
        committed = await client.list_consumer_group_offsets(f"{pipeline_name}.processor.fold")
        groups = {group for group, *_ in await client.list_consumer_groups() if group.startswith(pipeline_name)}
    assert sum(found.offset for found in committed.values() if found.offset > 0) == 500
    assert groups == {f"{pipeline_name}.processor.fold"}
    last = {message.key: int(message.value) for message in await read_all(kafka_bootstrap, f"{pipeline_name}.out")}
    assert last == finals(values)


async def all_out(bootstrap: str, pipeline: str, count: int) -> bool:
    return len(await read_all(bootstrap, f"{pipeline}.out")) >= count
