"""Real servers of the tests' own, and Apis that talk to them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.rest.api import RestApi
from connectors.rest.assembly import Assembled, assembled

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """An application under test: every request it got, in order, with its body."""

    handler: Handler
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    url: str = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Note the request, and leave the answer to the handler."""
        self.seen.append((request.method, request.path_qs, await request.text()))
        return await self.handler(request)

    def count(self, method: str) -> int:
        """How many requests of a method came."""
        return sum(1 for seen in self.seen if seen[0] == method)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Server]:
    """A server on a loopback port that answers every request by this handler."""
    server = Server(handler)
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", server.serve)
    async with TestServer(application) as running:
        server.url = str(running.make_url("")).rstrip("/")
        yield server


def options(server: Server, resources: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A system's options that lead to a server."""
    limits = {"requests": 10_000, "timeout": "5s", **more.pop("limits", {})}
    path = more.pop("path", "")
    # An account lives as long as anybody has it, perhaps from one test into the next.
    more.setdefault("account", server.url)
    local = {"url": server.url + path, "insecure": True, "networks": ["127.0.0.0/8"], "limits": limits}
    return {**local, "resources": resources, **more}


@asynccontextmanager
async def joined(
    server: Server, resources: Mapping[str, Any], **more: Any
) -> AsyncIterator[tuple[Mapping[str, RestApi], Assembled]]:
    """The Apis of a declaration, closed at the end."""
    made = assembled("shop", options(server, resources, **more))
    try:
        yield made.apis, made
    finally:
        await made.client.close()


@asynccontextmanager
async def api(handler: Handler, resource: Mapping[str, Any], **more: Any) -> AsyncIterator[tuple[RestApi, Server]]:
    """One resource of an application, and the application."""
    async with serving(handler) as server, joined(server, {"things": resource}, **more) as (apis, _):
        yield apis["things"], server


def things(**more: Any) -> dict[str, Any]:
    """A plain resource, with what a test wants otherwise."""
    return {
        "key": ["id"],
        "columns": {"id": "bigint", "name": {"type": "text", "optional": True}},
        "list": {"path": "/things", "items": "data"},
        "get": {"path": "/things/{{ id }}"},
        "create": {"method": "POST", "path": "/things"},
        "update": {"method": "PATCH", "path": "/things/{{ id }}"},
        "delete": {"method": "DELETE", "path": "/things/{{ id }}"},
        **more,
    }
