"""Letters on a real broker: sent again, marked, held back where an old message must not come last."""

import pytest

from duplex import broker
from duplex.deadletters import reading, retrying
from duplex.deadletters.automatic import WAITS_MS, Keeper
from duplex.deadletters.retrying import Signed
from schemas import deadletters
from schemas.deadletters import Failure
from schemas.project.model import Project
from schemas.topics import Topics
from tests.integration.deadletters.projects import kafka, made

NOW_MS = 1_790_000_000_000
LATER_MS = NOW_MS + WAITS_MS[0]


@pytest.fixture
async def project(kafka_bootstrap: str, pipeline_name: str) -> Project:
    return await made(kafka_bootstrap, pipeline_name)


async def failed(project: Project, topic: str, *values: bytes) -> None:
    """A project's own processor could not process these messages of one key, for a service was away."""
    async with broker.producer(kafka(project)) as producer:
        for value in values:
            sent = await producer.send_and_wait(topic, value, key=b"k", headers=[("own", b"1")])
            place = (sent.topic, sent.partition, sent.offset)
            failure = Failure(*place, "user", "user.mail", "ConnectionRefusedError", "the mail server is away")
            headers = deadletters.headers(failure, [("own", b"1")], NOW_MS)
            await producer.send_and_wait(Topics(project.pipeline).deadletters, value, key=b"k", headers=headers)


async def values(project: Project, topic: str) -> list[bytes | None]:
    return [each.value async for batch in broker.read_all(kafka(project), topic) for each in batch]


async def states(project: Project) -> list[str]:
    return [entry.state for entry in await reading.book(project)]


async def test_what_was_away_is_sent_again_once_in_its_order(project: Project) -> None:
    records, keeper = Topics(project.pipeline).records("contact"), Keeper(project)
    await failed(project, records, b"1", b"2")
    assert await keeper.once(LATER_MS - 1) == 0
    assert await keeper.once(LATER_MS) == 2
    assert await values(project, records) == [b"1", b"2", b"1", b"2"]
    (*_, last) = [each async for batch in broker.read_all(kafka(project), records) for each in batch]
    assert dict(last.headers)["own"] == b"1"
    assert deadletters.earlier(list(last.headers)) is not None
    assert await states(project) == ["retried", "retried"]
    assert await keeper.once(LATER_MS) == 0
    assert await reading.count_open(project) == 0


async def test_an_old_message_is_not_sent_where_the_last_one_counts(project: Project) -> None:
    golden, keeper = Topics(project.pipeline).golden("contact"), Keeper(project)
    await failed(project, golden, b"old", b"new")
    assert await keeper.once(LATER_MS) == 1
    assert await values(project, golden) == [b"old", b"new", b"new"]
    assert await keeper.once(LATER_MS) == 0
    assert sorted(await states(project)) == ["open", "retried"]


async def test_what_is_dropped_is_dropped_for_every_reader(project: Project) -> None:
    await failed(project, Topics(project.pipeline).records("contact"), b"1", b"2")
    (first, _) = await reading.book(project)
    await retrying.drop(project, [first], Signed("ada", "noise", NOW_MS))
    assert await states(project) == ["dropped", "open"]
    assert await reading.count_open(project) == 1
