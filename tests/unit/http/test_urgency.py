"""What a flow is worth is said to whoever queues its requests: each flow's own priority, and none while writing."""

from typing import Any

import pytest

from connectors.http.urgency import FIRST, urgency
from connectors.remote.memory import MemoryApplication
from tests.unit.remote.bench import Bench, bench

FLOWS: list[Any] = [{"sweep": {"every": "1m", "priority": 7}}, {"poll": {"every": "10s", "priority": 4}}]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How urgent each request to the application was."""
    found: list[int] = []
    request = MemoryApplication.request

    async def noting(application: MemoryApplication) -> None:
        found.append(urgency())
        await request(application)

    monkeypatch.setattr(MemoryApplication, "request", noting)
    return found


async def loaded(webhook: Any = "webhook") -> Bench:
    """A blog of one member, read."""
    blog = bench(flows=[*FLOWS, webhook], records=[{"resource": "members", "id": "id"}])
    blog.members.insert(email="ada@example.org")
    await blog.load()
    return blog


@pytest.mark.parametrize(("webhook", "priority"), [("webhook", 1), ({"webhook": {"priority": 6}}, 6)])
async def test_each_flow_has_its_own_urgency(asked: list[int], webhook: Any, priority: int) -> None:
    blog = await loaded(webhook)
    asked.clear()
    for name in ("Ada", "Bea", "Cy"):
        blog.members.update("[1]", name=name)
        await blog.next()
    await blog.quiet(20)
    assert set(asked) == {priority, 4, 7}


async def test_what_is_written_goes_before_all_that_is_read(asked: list[int]) -> None:
    blog = await loaded()
    asked.clear()
    await blog.apply(blog.commands.update("[1]", ({"name": None}, {"name": "Ada"})))
    assert set(asked) == {FIRST}
