"""An application that sends webhooks: signed requests over plain HTTP, and what the topic then holds."""

import asyncio
import hashlib
import hmac
import io
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.webhook.server import WebhookServer
from connectors.webhook.settings import read_endpoint
from schemas.project.bridge import Bridge
from tests.waiting import POLL_S

SECRET = "a secret of thirty-two letters.."
GITHUB = {"signature": {"scheme": "github", "secret": SECRET}}


def signed(body: bytes, delivery: str | None = None) -> dict[str, str]:
    """GitHub's headers for a body."""
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Delivery": delivery or uuid.uuid4().hex}


@dataclass
class Told:
    """An answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass
class Sender:
    """Posts to a bridge."""

    port: int
    session: aiohttp.ClientSession
    scheme: str = "http"
    path: str = "/hooks/shop"

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None, path: str | None = None) -> int:
        """The status of the answer."""
        return (await self.answered(body, headers, path)).status

    async def answered(self, body: bytes, headers: Mapping[str, str] | None = None, path: str | None = None) -> Told:
        """The answer."""
        given = signed(body) if headers is None else headers
        url = f"{self.scheme}://127.0.0.1:{self.port}{path or self.path}"
        async with self.session.post(url, data=io.BytesIO(body), headers=given, ssl=False) as response:
            return Told(response.status, await response.read(), response.headers)


@dataclass
class Kept:
    """A record of the topic."""

    key: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


async def kept(bootstrap: str, topic: str) -> list[Kept]:
    """Everything in the topic now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        await consumer.seek_to_beginning(place)
        records: list[Any] = []
        while await consumer.position(place) < end:
            records += (await consumer.getmany(place, timeout_ms=500)).get(place, [])
    finally:
        await consumer.stop()
    return [_kept(record) for record in records]


def _kept(record: Any) -> Kept:
    return Kept(record.key.decode(), record.value, {name: value.decode() for name, value in record.headers})


def server(bootstrap: str, topic: str, option: Mapping[str, Any] | None = None, **settings: Any) -> WebhookServer:
    """A bridge of one system at a free port; patient with a busy machine, unless settings say otherwise."""
    endpoints = [read_endpoint("shop", dict(option or GITHUB), topic)]
    bridge = Bridge(port=0, **{"answer_timeout": "30s", **settings})
    return WebhookServer(bridge, endpoints, {"bootstrap_servers": bootstrap})


async def taken(sender: Sender, bodies: Sequence[bytes], delivery: str | None = None) -> None:
    """Post these, each until it is taken."""
    deadline_s = time.monotonic() + 60
    for body in bodies:
        headers = signed(body, delivery)
        while await sender.post(body, headers) != 200:
            assert time.monotonic() < deadline_s, "the bridge takes nothing"
            await asyncio.sleep(POLL_S)
