"""Topics of a test's own, which go with it."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.kafka_source import topics
from tests.integration.kafka_source.topics import MakeTopic


@pytest.fixture
async def make_topic(kafka_bootstrap: str, pipeline_name: str) -> AsyncIterator[MakeTopic]:
    """`await make_topic("customers", 3)` makes a topic of this test's own with so many partitions; its name."""
    made: list[str] = []

    async def make(name: str, partitions: int) -> str:
        made.append(f"{pipeline_name}.{name}")
        await topics.make(kafka_bootstrap, made[-1], partitions)
        return made[-1]

    yield make
    await topics.drop(kafka_bootstrap, made)
