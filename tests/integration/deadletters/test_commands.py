"""`duplex deadletters retry --all`: all that match are sent, in their order, and no other."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from duplex import broker
from duplex.deadletters import reading
from schemas import deadletters
from schemas.deadletters import Failure
from schemas.project.model import Project
from schemas.topics import Topics
from tests.integration.deadletters.projects import kafka, made

FILE = """
pipeline: PIPELINE
kafka: {bootstrap: "BOOTSTRAP"}
systems: {crm: {connector: memory}}
entities: {contact: {fields: {email: {}}, systems: {crm: {table: t, map: {email: email}}}}}
"""
LIMIT_S = 120.0
NOW_MS = 1_790_000_000_000


@pytest.fixture
async def project(kafka_bootstrap: str, pipeline_name: str, tmp_path: Path) -> Project:
    text = FILE.replace("PIPELINE", pipeline_name).replace("BOOTSTRAP", kafka_bootstrap)
    (tmp_path / "duplex.yaml").write_text(text)
    return await made(kafka_bootstrap, pipeline_name)


async def failed(project: Project, *letters: tuple[bytes, str]) -> None:
    """A processor of the project's own rejected these values of one key, each with an error of this class."""
    records = Topics(project.pipeline).records("contact")
    async with broker.producer(kafka(project)) as producer:
        for value, error in letters:
            sent = await producer.send_and_wait(records, value, key=b"k")
            failure = Failure(sent.topic, sent.partition, sent.offset, "user", "user.mail", error, "no")
            headers = deadletters.headers(failure, [], NOW_MS)
            await producer.send_and_wait(Topics(project.pipeline).deadletters, value, key=b"k", headers=headers)


async def command(folder: Path, *words: str) -> Any:
    """What a command says as JSON."""
    arguments = ["-m", "duplex", "-p", str(folder / "duplex.yaml"), "deadletters", *words, "--json"]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE, stderr=PIPE)
    out, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 0, errors.decode()
    return json.loads(out)


async def test_all_that_match_are_sent_and_no_other(project: Project, tmp_path: Path) -> None:
    await failed(project, (b"1", "TimeoutError"), (b"2", "ValueError"), (b"3", "TimeoutError"))
    foreseen = await command(tmp_path, "retry", "--all", "--error", "TimeoutError", "--dry-run")
    assert foreseen["would_send"] == 2
    done = await command(tmp_path, "retry", "--all", "--error", "TimeoutError", "--yes", "--wait", "0")
    assert (done["sent"], done["held"]) == (2, {})
    name = Topics(project.pipeline).records("contact")
    values = [each.value async for batch in broker.read_all(kafka(project), name) for each in batch]
    assert values == [b"1", b"2", b"3", b"1", b"3"]
    assert sorted(entry.state for entry in await reading.book(project)) == ["open", "retried", "retried"]
