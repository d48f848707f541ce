"""The HTTP side of the bridge: one path for each system, raw bytes in, an answer without a body out.

A 2xx is sent when, and only when, Kafka has the delivery (all replicas that are in sync), or had it before.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import structlog
from aiohttp import web
from prometheus_client import Counter

from connectors.errors import RefusedError
from connectors.webhook.deliveries import Deliveries
from connectors.webhook.desk import ELSEWHERE, Answer, Desk
from connectors.webhook.endpoints import Endpoint
from connectors.webhook.lanes import Lane
from connectors.webhook.origins import origin
from connectors.webhook.settings import short_secrets
from connectors.webhook.signatures import Headers, Request
from schemas.project.bridge import Bridge

log = structlog.get_logger(__name__)

STRANGERS = Counter("duplex_webhook_strangers", "Requests to no endpoint at all.")
KEEP_ALIVE_S = 75.0
LINGER_S = 2.0
DRAIN_S = 5.0
EXPECTED = b"HTTP/1.1 100 Continue\r\n\r\n"
# The library would name itself, Python, and both versions.
NAMELESS = {"Server": "duplex"}
PLAIN_TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


@dataclass(eq=False)
class BodyRefusedError(Exception):
    """A body that is not read to its end."""

    answer: Answer


class Room:
    """Bytes of bodies in memory, counted as they are read and let go with their answers."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Raises BodyRefusedError where it would be too much."""
        if self._taken_bytes + size_bytes > self._limit_bytes:
            raise BodyRefusedError(Answer(503, "unavailable", retry_after_s=5, reason="bridge.memory is used up"))
        self._taken_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        self._taken_bytes -= size_bytes


class WebhookServer:
    """All endpoints of a pipeline. `clock`: seconds since the epoch; `kafka`: keyword arguments for aiokafka clients.

    Raises RefusedError out of `start` where it cannot listen. `stop` ends what is under way properly, within a limit.
    """

    def __init__(
        self,
        settings: Bridge,
        endpoints: Sequence[Endpoint],
        kafka: Mapping[str, Any],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._desks = {one.path: _desk(one, settings, kafka, clock) for one in endpoints}
        self._room = Room(settings.memory)
        self._runner: web.ServerRunner | None = None
        self._lanes: list[asyncio.Task[None]] = []
        self.port = 0

    @property
    def is_open(self) -> bool:
        """Whether every system's deliveries are taken."""
        return all(desk.lane.is_open for desk in self._desks.values())

    async def start(self) -> None:
        """Listen, and begin to connect to Kafka; until it answers, senders are told to come again."""
        if self._runner is not None:
            return
        context = _tls(self._settings)
        server = web.Server(
            self._handle,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=DRAIN_S)
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self._settings.host, self._settings.port, ssl_context=context)
            await site.start()
        except OSError as error:
            await self.stop()
            where = f"{self._settings.host}:{self._settings.port}"
            raise RefusedError(
                "bridge", f"listening at {where}", str(error), "Look at bridge.host and port."
            ) from error
        self.port = int(self._runner.addresses[0][1])
        self._lanes = [asyncio.create_task(desk.lane.run()) for desk in self._desks.values()]
        log.info("webhooks are awaited", host=self._settings.host, port=self.port, paths=sorted(self._desks))
        for desk in self._desks.values():
            _warn(desk.endpoint)

    async def wait(self) -> None:
        """Return never; raises what broke a lane, which is a fault of ours."""
        if not self._lanes:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._lanes, return_when=asyncio.FIRST_COMPLETED)
        for lane in done:
            lane.result()

    async def stop(self) -> None:
        """No new requests; finish those under way, then let go of Kafka. May be called twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        desk = self._desks.get(path)
        if desk is None:
            STRANGERS.inc()
            return web.Response(status=404, headers=NAMELESS)
        answer = await self._answer(request, desk, query)
        desk.note(answer)
        return _response(answer)

    async def _answer(self, request: web.BaseRequest, desk: Desk, query: str) -> Answer:
        headers = list(request.headers.items())
        url = self._judged(request, desk, headers)
        if url is None:
            return ELSEWHERE
        parameters = dict(parse_qsl(query)) if query and desk.endpoint.challenge is not None else {}
        if request.method != "POST":
            return desk.challenged(parameters) if request.method == "GET" else ELSEWHERE
        body, taken = b"", 0
        try:
            body = await self._body(request, desk.endpoint.body_limit_bytes)
            taken = len(body)
            public = desk.endpoint.url or f"{url}{request.raw_path}"
            return await desk.answer(Request("POST", public, headers, body), parameters)
        except BodyRefusedError as error:
            return error.answer
        finally:
            self._room.give_back(taken)

    def _judged(self, request: web.BaseRequest, desk: Desk, headers: Headers) -> str | None:
        """Scheme and host of the address that was asked, None if it may not be asked from there. Both cost time that
        few endpoints need."""
        endpoint = desk.endpoint
        if not endpoint.allow_from and (endpoint.scheme is None or "{url}" not in endpoint.scheme.signed):
            return ""
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        found = origin(peer[0] if peer else None, request.scheme, headers, self._settings.trusted_proxies)
        return found.root if desk.admits(found.address) else None

    async def _body(self, request: web.BaseRequest, limit_bytes: int) -> bytes:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise BodyRefusedError(Answer(400, "malformed", reason="the body is compressed"))
        if (request.content_length or 0) > limit_bytes:
            raise _too_large(limit_bytes)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(EXPECTED)
            request.writer.output_size = 0
        if request.content.is_eof() and request.content.exception() is None:
            return self._whole(request, limit_bytes)
        try:
            async with asyncio.timeout(self._settings.read_timeout_s):
                return await self._chunks(request, limit_bytes)
        except TimeoutError:
            raise BodyRefusedError(Answer(408, "too_slow", reason="the body did not come in time")) from None

    def _whole(self, request: web.BaseRequest, limit_bytes: int) -> bytes:
        """A body that came with its head, as most do."""
        body = request.content.read_nowait()
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
        self._room.take(len(body))
        return body

    async def _chunks(self, request: web.BaseRequest, limit_bytes: int) -> bytes:
        chunks, size = list[bytes](), 0
        try:
            while chunk := await request.content.readany():
                if size + len(chunk) > limit_bytes:
                    raise _too_large(limit_bytes)
                self._room.take(len(chunk))
                size += len(chunk)
                chunks.append(chunk)
        except (web.RequestPayloadError, ConnectionError) as error:
            self._room.give_back(size)
            raise BodyRefusedError(Answer(400, "malformed", reason="the body broke off")) from error
        except BaseException:
            self._room.give_back(size)
            raise
        return b"".join(chunks)


async def run_bridge(
    settings: Bridge,
    endpoints: Sequence[Endpoint],
    kafka: Mapping[str, Any],
    started: Callable[[int], None] | None = None,
) -> None:
    """Take webhooks until cancelled; `started` is told the port. Raises RefusedError where it cannot listen."""
    server = WebhookServer(settings, endpoints, kafka)
    try:
        await server.start()
        if started is not None:
            started(server.port)
        await server.wait()
    finally:
        await server.stop()


def _desk(endpoint: Endpoint, settings: Bridge, kafka: Mapping[str, Any], clock: Callable[[], float]) -> Desk:
    deliveries = Deliveries(endpoint.remembered)
    lane = Lane(
        endpoint.system,
        endpoint.topic,
        kafka,
        deliveries,
        limit=settings.queue,
        # A delivery may come when a batch has just gone, and waits for that one and its own.
        batch_timeout_s=settings.answer_timeout_s / 2,
        clock=clock,
    )
    return Desk(endpoint, lane, deliveries, clock)


def _response(answer: Answer) -> web.Response:
    if answer.text:
        return web.Response(status=answer.status, text=answer.text, headers=NAMELESS | PLAIN_TEXT)
    if answer.retry_after_s is not None:
        return web.Response(status=answer.status, headers=NAMELESS | {"Retry-After": str(answer.retry_after_s)})
    response = web.Response(status=answer.status, headers=NAMELESS)
    if answer.status in (400, 408, 413):
        # What is left of the body is not worth reading.
        response.force_close()
    return response


def _too_large(limit_bytes: int) -> BodyRefusedError:
    return BodyRefusedError(Answer(413, "too_large", reason=f"the body is larger than {limit_bytes} bytes"))


def _tls(settings: Bridge) -> ssl.SSLContext | None:
    if settings.tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # A callable, so that a key with a password is an error here and not a prompt on the terminal.
        context.load_cert_chain(settings.tls.certificate, settings.tls.key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        files = f"{settings.tls.certificate} and {settings.tls.key}"
        remedy = "Give the PEM files of a certificate with its chain, and of its key without a password."
        raise RefusedError("bridge", "setting bridge.tls", f"{files} cannot be used: {error}", remedy) from error
    return context


def _warn(endpoint: Endpoint) -> None:
    if endpoint.scheme is None:
        log.warning("anybody who knows the address can send webhooks: nothing is verified", system=endpoint.system,
                    path=endpoint.path, setting="signature: none")  # fmt: skip
    if count := short_secrets(endpoint):
        log.warning("a webhook secret is so short that it can be guessed", system=endpoint.system, secrets=count)
