"""A project's own processor whose service is away for a while: what is set aside, what goes on, and what closes."""

import time
from collections.abc import AsyncIterator

import pytest

from duplex import broker
from duplex.deadletters import groups, reading
from duplex.deadletters.automatic import WAITS_MS, Keeper
from duplex.deadletters.book import Entry
from schemas.project.model import Project
from schemas.topics import Topics
from streams.processors.records import Record
from streams.processors.user import MARK, Output, processor
from streams.processors.user_processors import UserProcessor
from tests.integration.deadletters.projects import kafka, made
from tests.integration.processors.folds import hosting_of, running
from tests.waiting import eventually

NEAR = [b"near 1", b"near 2"]
FAR = [b"far 1", b"far 2"]


class Service:
    """What the processor calls. While `away` it cannot be reached for the key `far`; `taken` is what it was told."""

    def __init__(self) -> None:
        self.away = True
        self.taken: list[bytes] = []

    def processor(self, pipeline: str) -> UserProcessor:
        @processor(input="{pipeline}.records.contact", attempts=1)
        async def mail(batch: list[Record]) -> list[Output]:
            if self.away and any(record.key == b"far" for record in batch):
                raise ConnectionRefusedError("the mail server is away")
            self.taken += [record.value or b"" for record in batch]
            return []

        return UserProcessor(getattr(mail, MARK), pipeline)


@pytest.fixture
async def project(kafka_bootstrap: str, pipeline_name: str) -> Project:
    return await made(kafka_bootstrap, pipeline_name)


@pytest.fixture
async def service(project: Project) -> AsyncIterator[Service]:
    """The service, and a running processor that was given four messages of two keys."""
    found, topic = Service(), Topics(project.pipeline).records("contact")
    async with broker.producer(kafka(project)) as producer:
        for value in (FAR[0], NEAR[0], FAR[1], NEAR[1]):
            # In one partition: what fails there comes in one batch with what does not.
            await producer.send_and_wait(topic, value, key=value.split()[0], partition=0)
    async with running(hosting_of(project.kafka.bootstrap, project.pipeline), found.processor(project.pipeline)):
        yield found


async def failures(project: Project) -> list[int]:
    """How often each open letter failed."""
    return [len(entry.letters) for entry in await opened(project)]


async def opened(project: Project) -> list[Entry]:
    return [entry for entry in await reading.book(project) if entry.state == "open"]


async def until_failed(project: Project, times: int) -> None:
    async def told() -> bool:
        return await failures(project) == [times, times]

    await eventually(told, 30, f"two letters have not failed {times} times")


def later_ms(times: int) -> int:
    """When messages that failed so often now are sent again."""
    return time.time_ns() // 1_000_000 + WAITS_MS[times - 1]


async def test_what_cannot_be_processed_delays_no_other_key(project: Project, service: Service) -> None:
    await eventually(lambda: sorted(service.taken) == NEAR, 30)
    await until_failed(project, 1)
    (group,) = groups.grouped(await opened(project))
    assert (group.count, group.components, group.error) == (2, ["user.mail"], "ConnectionRefusedError")
    assert service.taken == NEAR


async def test_a_later_success_closes_the_group_in_the_order_of_the_key(project: Project, service: Service) -> None:
    await until_failed(project, 1)
    service.away = False
    assert await Keeper(project).once(later_ms(1)) == 2

    async def closed() -> bool:
        return [entry.state for entry in await reading.book(project)] == ["closed", "closed"]

    await eventually(closed, 30, "the letters are not closed")
    assert [value for value in service.taken if value in FAR] == FAR
    assert groups.grouped(await opened(project)) == []
    assert await reading.count_open(project) == 0


async def test_one_that_fails_again_stays_in_its_group(project: Project, service: Service) -> None:
    await until_failed(project, 1)
    keeper = Keeper(project)
    assert await keeper.once(later_ms(1)) == 2
    await until_failed(project, 2)
    assert await keeper.once(later_ms(1)) == 0
    (group,) = groups.grouped(await opened(project))
    assert group.count == 2
