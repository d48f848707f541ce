"""A topic of the test's own, a bridge that writes to it, and an application that sends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from duplex import broker
from schemas.topics import Topics
from tests.integration.webhook import senders
from tests.integration.webhook.senders import Sender
from tests.waiting import eventually

Bridging = Callable[..., Awaitable[Sender]]


@pytest.fixture
async def topic(kafka_bootstrap: str, pipeline_name: str) -> AsyncIterator[str]:
    """The topic of the deliveries of system `shop`, as `apply` makes it."""
    options = {"bootstrap_servers": kafka_bootstrap}
    spec = Topics(pipeline_name).hook_log("shop")
    await broker.create_missing(options, [spec], 1)
    yield spec.name
    await broker.delete(options, [spec.name])


@pytest.fixture
async def bridging(kafka_bootstrap: str, topic: str) -> AsyncIterator[Bridging]:
    """`await bridging(option, **settings)` starts a bridge; a sender to it once it takes deliveries."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def start(option: dict[str, Any] | None = None, **settings: Any) -> Sender:
            server = senders.server(kafka_bootstrap, topic, option, **settings)
            stack.push_async_callback(server.stop)
            await server.start()
            await eventually(lambda: server.is_open)
            return Sender(server.port, session, "https" if "tls" in settings else "http")

        yield start
