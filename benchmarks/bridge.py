"""Signed webhooks over HTTP: our bridge, which keeps them in Kafka, beside a bare aiohttp handler that only verifies.

The load is a process of its own: plain sockets, kept open, one request at a time on each, signed beforehand.
"""

import asyncio
import hashlib
import hmac
import json
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from benchmarks.accounting import metered
from benchmarks.child import Run, child
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, in_turns
from benchmarks.waiting import until
from connectors.webhook.desk import DELIVERIES
from connectors.webhook.server import WebhookServer
from connectors.webhook.settings import read_endpoint
from schemas.project.bridge import Bridge

TITLE = "bridge: webhooks signed by HMAC-SHA256, answered when they are in Kafka (one process)"
BASELINE = "verifies only"
JOBS = {BASELINE: "benchmarks.bridge:bare", "our bridge": "benchmarks.bridge:ours"}
SIZES = (16, 128)
SECRET = "a secret of thirty-two letters.."
PATH = "/hooks/shop"
OPTION = {"signature": {"scheme": "github", "secret": SECRET}}
PADDING = "x" * 400
Work = Callable[[], Awaitable[Run]]


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Each in turn, with few and with many senders at once."""
    return [
        await _measured(stage, scale, variant, senders, number)
        for senders in SIZES
        for number, variant in in_turns(scale.rounds, tuple(JOBS))
    ]


async def _measured(stage: Stage, scale: Scale, variant: str, senders: int, number: int) -> Sample:
    count, port, topic = scale.of(20_000, 500), _free_port(), f"hooks-{uuid.uuid4().hex[:8]}"
    await stage.topics(topic, partitions=1, message_timestamp_type="LogAppendTime")
    served = child(JOBS[variant], port=port, bootstrap=stage.bootstrap, topic=topic, count=count)
    loading = child("benchmarks.bridge:load", port=port, senders=senders, count=count)
    async with served as server, loading as sender:
        with metered(lambda: stage.pids("kafka")) as used:
            work = asyncio.create_task(server.go())
            sent, done = await sender.go(), await work
    assert await stage.ends(topic, 1) == (0 if variant == BASELINE else count), "the topic lacks deliveries"
    cpu = {"process": done.cpu_s * 1e6 / count} | used.us_per(count)
    more = {"per second of CPU": count / done.cpu_s}
    case = f"{senders} senders at once"
    return Sample(case=case, variant=variant, round=number, events=count, wall_s=sent.wall_s, cpu_us=cpu, more=more)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def ours(port: int, bootstrap: str, topic: str, count: int) -> AsyncIterator[Work]:
    """The bridge as `duplex run` starts it."""
    # A loaded machine must not end the benchmark with a 503.
    settings = Bridge(port=port, answer_timeout="30s")
    server = WebhookServer(settings, [read_endpoint("shop", OPTION, topic)], {"bootstrap_servers": bootstrap})
    await server.start()
    await until(lambda: server.is_open)
    accepted = DELIVERIES.labels("shop", "accepted")._value
    yield _counted(accepted.get, count)
    await server.stop()


@asynccontextmanager
async def bare(port: int, bootstrap: str, topic: str, count: int) -> AsyncIterator[Work]:
    """The least that can be done: read, verify, answer. No routes, no limits, nothing kept."""
    taken = 0

    async def handle(request: web.BaseRequest) -> web.Response:
        nonlocal taken
        mac = hmac.digest(SECRET.encode(), await request.read(), "sha256").hex()
        if not hmac.compare_digest(f"sha256={mac}", request.headers["X-Hub-Signature-256"]):
            return web.Response(status=401)
        taken += 1
        return web.Response()

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield _counted(lambda: taken, count)
    await runner.cleanup()


def _counted(taken: Callable[[], float], count: int) -> Work:
    async def work() -> Run:
        wall, cpu = time.perf_counter(), time.process_time()
        await until(lambda: taken() >= count)
        return Run(count, time.perf_counter() - wall, time.process_time() - cpu)

    return work


@asynccontextmanager
async def load(port: int, senders: int, count: int) -> AsyncIterator[Work]:
    """So many senders, each with a connection of its own, until all deliveries are answered with 200."""
    requests = [_request(number) for number in range(count)]
    ends = [await _connected(port) for _ in range(senders)]

    async def work() -> Run:
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(end.send(requests[place::senders]) for place, end in enumerate(ends)))
        return Run(count, time.perf_counter() - wall, time.process_time() - cpu)

    yield work
    for end in ends:
        end.close()


async def _connected(port: int) -> "End":
    _, end = await asyncio.get_running_loop().create_connection(End, "127.0.0.1", port)
    return end


def _request(number: int) -> bytes:
    member = {"id": number, "name": f"Person {number}", "email": f"p{number}@example.com", "note": PADDING}
    body = json.dumps({"action": "edited", "member": member}).encode()
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Host": "hooks.example.com", "User-Agent": "Sender/1.0", "Accept": "*/*", "Content-Type": "application/json",
        "X-GitHub-Event": "member", "X-GitHub-Hook-ID": "7", "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={mac}", "Content-Length": str(len(body)),
    }  # fmt: skip
    lines = "\r\n".join(f"{name}: {value}" for name, value in headers.items())
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n\r\n".encode() + body


class End(asyncio.Protocol):
    """A sender's connection: the next request goes when the answer to the last has come."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def send(self, requests: Sequence[bytes]) -> None:
        """Send these one after the other. Raises ConnectionError where one is not answered with 200."""
        self._waiting = list(reversed(requests))
        self._next()
        await self._done

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._answer += data
        # Answers have no body: their head is all.
        if self._answer.endswith(b"\r\n\r\n"):
            if not self._answer.startswith(b"HTTP/1.1 200 "):
                self._fail(self._answer[:100].decode())
                return
            self._answer = b""
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was closed")

    def _next(self) -> None:
        assert self._transport is not None
        if self._waiting:
            self._transport.write(self._waiting.pop())
        elif not self._done.done():
            self._done.set_result(None)

    def _fail(self, reason: str) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError(reason))
