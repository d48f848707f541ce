"""The HTTP side of the bridge: one path for each system, raw bytes in, an answer without a body out.

A 2xx is sent when, and only when, Kafka has the delivery (all replicas that are in sync), or had it before.
What nobody has verified is bounded: connections (`doors`), requests of an address (`strangers`), memory (`rooms`).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import structlog
from aiohttp import web
from prometheus_client import Counter

from connectors.errors import RefusedError
from connectors.webhook import listening
from connectors.webhook.answers import ELSEWHERE, Answer
from connectors.webhook.bodies import BodyRefusedError, Reader
from connectors.webhook.deliveries import Deliveries
from connectors.webhook.desk import Desk, refused
from connectors.webhook.doors import Bounds, Caller, Door
from connectors.webhook.endpoints import Endpoint, Rate
from connectors.webhook.lanes import Lane
from connectors.webhook.origins import Origin, origin, parsed, within
from connectors.webhook.refusals import Refusals
from connectors.webhook.responses import Responses
from connectors.webhook.rooms import Room
from connectors.webhook.settings import short_secrets
from connectors.webhook.signatures import Headers, Request, SignatureRefusedError
from connectors.webhook.strangers import StrangerError, Strangers, household
from schemas.project.bridge import Bridge

log = structlog.get_logger(__name__)

STRANGERS = Counter("duplex_webhook_strangers", "Requests to no endpoint at all.")
KEEP_ALIVE_S = 75.0
LINGER_S = 2.0
DRAIN_S = 5.0
UNFINISHED_SHARE = 4


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
        largest_bytes = max((one.body_limit_bytes for one in endpoints), default=0)
        room = Room(settings.memory, max(settings.memory // UNFINISHED_SHARE, largest_bytes))
        self._reader = Reader(room, settings.read_timeout_s)
        self._refusals = Refusals(time.monotonic)
        self._strangers = Strangers(Rate(settings.strangers.requests, settings.strangers.window / 1e6))
        self._responses = Responses()
        self._runner: web.ServerRunner | None = None
        self._listener: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None
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
        context = listening.tls(self._settings)
        door = self._door()
        self._runner = web.ServerRunner(door, shutdown_timeout=DRAIN_S)
        await self._runner.setup()
        try:
            self._listener = await listening.listen(door, self._settings, context)
        except RefusedError:
            await self.stop()
            raise
        self.port = int(self._listener.sockets[0].getsockname()[1])
        self._watching = asyncio.create_task(door.watch())
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
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        tasks = [*self._lanes, *([self._watching] if self._watching else [])]
        self._lanes, self._watching = [], None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _door(self) -> Door:
        settings = self._settings
        bounds = Bounds(
            listening.possible(settings.connections), settings.connections_per_address, settings.head_timeout_s
        )
        return Door(
            self._handle,
            bounds,
            self._refusals,
            self._is_proxy,
            self._heard_nonsense,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
        )

    def _is_proxy(self, peer: str) -> bool:
        """Whether everybody may come from this address, and says in a header who it is."""
        address = parsed(peer) if self._settings.trusted_proxies else None
        return address is not None and within(address, self._settings.trusted_proxies)

    def _heard_nonsense(self, caller: Caller) -> None:
        """It is charged like any request of a stranger; a proxy of ours is not, for it speaks for others."""
        self._refusals.count("malformed", caller.address)
        if caller.is_proxy:
            return
        try:
            self._strangers.charge(caller.address, time.monotonic())
        except StrangerError:
            self._refusals.count("strangers", caller.address)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        caller = request.protocol
        assert isinstance(caller, Caller)
        caller.begins()
        try:
            return self._responses.of(await self._answer(request, caller), request)
        finally:
            caller.ends()

    async def _answer(self, request: web.BaseRequest, caller: Caller) -> Answer:
        headers = list(request.headers.items())
        address = self._charged(request, caller, headers)
        try:
            charged = self._strangers.charge(address, time.monotonic())
        except StrangerError as error:
            self._refusals.count("strangers", address)
            return Answer(429, "strangers", retry_after_s=int(error.wait_s) + 1)
        path, _, query = request.raw_path.partition("?")
        desk = self._desks.get(path)
        if desk is None:
            STRANGERS.inc()
            return ELSEWHERE
        answer = await self._of(desk, request, headers, query, charged)
        desk.note(answer)
        return answer

    async def _of(self, desk: Desk, request: web.BaseRequest, headers: Headers, query: str, charged: str) -> Answer:
        """The desk's answer. The charge is taken back as soon as the request is verified."""
        url = self._judged(request, desk, headers)
        if url is None:
            return ELSEWHERE
        parameters = dict(parse_qsl(query)) if query and desk.endpoint.challenge is not None else {}
        if request.method != "POST":
            return desk.challenged(parameters) if request.method == "GET" else ELSEWHERE
        try:
            body, lease = await self._reader.body(request, desk.endpoint.body_limit_bytes, charged)
        except BodyRefusedError as error:
            return error.answer
        try:
            public = desk.endpoint.url or f"{url}{request.raw_path}"
            asked = Request("POST", public, headers, body)
            verified = desk.verified(asked)
            self._strangers.take_back(charged)
            return await desk.answer(asked, verified, parameters, lease)
        except SignatureRefusedError as error:
            return refused(error)
        finally:
            if not lease.is_kept:
                lease.give_back()

    def _charged(self, request: web.BaseRequest, caller: Caller, headers: Headers) -> str:
        """Whose request it is: the address at the other end, or the one that a proxy of ours names."""
        if not caller.is_proxy:
            return caller.address
        address = self._origin(request, headers).address
        return caller.address if address is None else household(str(address))

    def _judged(self, request: web.BaseRequest, desk: Desk, headers: Headers) -> str | None:
        """Scheme and host of the address that was asked, None if it may not be asked from there. Both cost time that
        few endpoints need."""
        endpoint = desk.endpoint
        if not endpoint.allow_from and (endpoint.scheme is None or "{url}" not in endpoint.scheme.signed):
            return ""
        found = self._origin(request, headers)
        return found.root if desk.admits(found.address) else None

    def _origin(self, request: web.BaseRequest, headers: Headers) -> Origin:
        return origin(request.remote, request.scheme, headers, self._settings.trusted_proxies)


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
        answer_timeout_s=settings.answer_timeout_s,
        clock=clock,
    )
    return Desk(endpoint, lane, deliveries, clock)


def _warn(endpoint: Endpoint) -> None:
    if endpoint.scheme is None:
        log.warning("anybody who knows the address can send webhooks: nothing is verified", system=endpoint.system,
                    path=endpoint.path, setting="signature: none")  # fmt: skip
    if count := short_secrets(endpoint):
        log.warning("a webhook secret is so short that it can be guessed", system=endpoint.system, secrets=count)
