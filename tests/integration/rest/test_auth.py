"""Credentials of every kind, as a server gets them."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from connectors.errors import RefusedError, UnreachableError
from connectors.rest import client as clients
from tests.integration.rest.serving import Server, api, joined, serving, things


async def echo(request: web.Request) -> web.StreamResponse:
    """Nothing but an empty listing."""
    return web.json_response({"data": []})


async def asked_with(auth: Mapping[str, Any]) -> tuple[Mapping[str, str], str]:
    """The headers and the path of a request with these credentials."""
    headers: list[Mapping[str, str]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        headers.append(dict(request.headers))
        return await echo(request)

    async with api(note, things(), auth=auth) as (rows, server):
        await rows.page(None)
    return headers[0], server.seen[0][1]


async def test_a_key_goes_into_a_header_or_the_query() -> None:
    headers, _ = await asked_with({"type": "api_key", "key": "k1", "header": "X-Key", "prefix": "Token"})
    assert headers["X-Key"] == "Token k1"
    _, path = await asked_with({"type": "api_key", "key": "k 1&2", "query": "key"})
    assert path == "/things?key=k+1%262"


async def test_basic_and_bearer() -> None:
    headers, _ = await asked_with({"type": "basic", "username": "ada", "password": "ü:x"})
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == "ada:ü:x"
    headers, _ = await asked_with({"type": "bearer", "token": "t1"})
    assert headers["Authorization"] == "Bearer t1"


async def test_a_token_signed_by_ourselves_can_be_verified() -> None:
    secret = "ab" * 32
    auth = {"type": "jwt", "key": f"5f1e:{secret}", "secret_encoding": "hex", "audience": "/admin/", "prefix": "Ghost"}
    headers, _ = await asked_with(auth)
    word, _, token = headers["Authorization"].partition(" ")
    head, claims, signature = token.split(".")
    wanted = hmac.new(bytes.fromhex(secret), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert word == "Ghost" and _decoded(signature) == wanted
    assert json.loads(_decoded(head)) == {"alg": "HS256", "typ": "JWT", "kid": "5f1e"}
    said = json.loads(_decoded(claims))
    assert said["aud"] == "/admin/" and said["exp"] - said["iat"] == 300


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Provider:
    """A server of tokens and of things that takes only its last token."""

    def __init__(self, rotate: bool = False, expires_in: int = 3600) -> None:
        self.rotate, self.expires_in = rotate, expires_in
        self.issued = 0
        self.refresh = "r0"
        self.forms: list[dict[str, list[str]]] = []
        self.clients: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return await self._token(request)
        good = self.issued and request.headers.get("Authorization") == f"Bearer a{self.issued}"
        return web.json_response({"data": []} if good else {"message": "expired"}, status=200 if good else 401)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = parse_qs(await request.text())
        self.forms.append(form)
        self.clients.append(request.headers.get("Authorization", ""))
        if form["grant_type"] == ["refresh_token"] and form["refresh_token"] != [self.refresh]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        await asyncio.sleep(0)
        self.issued += 1
        answer: dict[str, Any] = {"access_token": f"a{self.issued}", "expires_in": self.expires_in}
        if self.rotate:
            self.refresh = answer["refresh_token"] = f"r{self.issued}"
        return web.json_response(answer)


def oauth(server: Server, **more: Any) -> dict[str, Any]:
    return {"type": "oauth2", "token_url": f"{server.url}/token", "client_id": "me", "client_secret": "s", **more}


async def test_one_token_serves_all_until_it_is_refused() -> None:
    provider = Provider()
    async with (
        serving(provider.handle) as server,
        joined(server, {"things": things()}, auth=oauth(server, scope="read")) as (apis, _),
    ):
        await asyncio.gather(*(apis["things"].page(None) for _ in range(5)))
        assert provider.issued == 1 and provider.forms[0]["scope"] == ["read"]
        assert base64.b64decode(provider.clients[0].removeprefix("Basic ")) == b"me:s"
        provider.issued += 1
        await asyncio.gather(*(apis["things"].page(None) for _ in range(5)))
        assert provider.issued == 3


async def test_a_token_that_is_refused_twice_is_the_settings_fault() -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return web.json_response({"access_token": "a"})
        return web.json_response({"message": "wrong audience"}, status=401)

    async with serving(never) as server, joined(server, {"things": things()}, auth=oauth(server)) as (apis, _):
        with pytest.raises(RefusedError, match=r"systems\.shop\.auth.*wrong audience"):
            await apis["things"].page(None)
        assert server.count("GET") == 2


class Notes:
    """A system's notes in memory."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.values.get(name)

    def names(self, prefix: str) -> list[str]:
        return [name for name in self.values if name.startswith(prefix)]

    async def put(self, values: Mapping[str, bytes | None]) -> None:
        self.values.update({name: value for name, value in values.items() if value is not None})


async def test_a_refresh_token_that_was_replaced_is_kept_and_used_after_a_restart() -> None:
    provider, notes = Provider(rotate=True), Notes()
    async with serving(provider.handle) as server:
        auth = oauth(server, grant="refresh_token", refresh_token="r0")
        for restart in range(3):
            async with joined(server, {"things": things()}, auth=auth) as (apis, made):
                made.keeper.notes = notes
                await apis["things"].page(None)
                assert provider.forms[restart]["refresh_token"] == [f"r{restart}"]


async def test_a_new_refresh_token_in_the_project_file_wins_over_the_kept_one() -> None:
    provider, notes = Provider(rotate=True), Notes()
    async with serving(provider.handle) as server:
        for given in ("r0", "fresh"):
            provider.refresh = given
            auth = oauth(server, grant="refresh_token", refresh_token=given)
            async with joined(server, {"things": things()}, auth=auth) as (apis, made):
                made.keeper.notes = notes
                await apis["things"].page(None)
        assert [form["refresh_token"] for form in provider.forms] == [["r0"], ["fresh"]]


async def test_a_refresh_token_that_is_no_longer_good_says_so() -> None:
    provider = Provider()
    async with serving(provider.handle) as server:
        auth = oauth(server, grant="refresh_token", refresh_token="old", client_in="body")
        async with joined(server, {"things": things()}, auth=auth) as (apis, _):
            with pytest.raises(RefusedError, match="the token endpoint gives no token: HTTP 400, invalid_grant"):
                await apis["things"].page(None)
        assert provider.forms[0]["client_secret"] == ["s"] and provider.clients == [""]


async def test_a_token_endpoint_that_is_down_is_an_application_that_is_away() -> None:
    async def down(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502)

    async with serving(down) as server, joined(server, {"things": things()}, auth=oauth(server)) as (apis, _):
        with pytest.raises(UnreachableError, match=r"HTTP 502 to the request for a token.*systems\.shop\.auth"):
            await apis["things"].page(None)


async def test_credentials_go_to_the_systems_own_origin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "FIRST_PAUSE_S", 0.001)
    got: list[str | None] = []

    async def other(request: web.Request) -> web.StreamResponse:
        got.append(request.headers.get("Authorization"))
        return await echo(request)

    async with serving(other) as elsewhere:

        async def first(request: web.Request) -> web.StreamResponse:
            return web.json_response({"data": [], "next": f"{elsewhere.url}/things"})

        listing = {
            "path": "/things",
            "items": "data",
            "pagination": {"type": "next_url", "url": "next", "absent_ends": True},
        }
        said = things(list=listing)
        host = elsewhere.url.removeprefix("http://")
        async with api(first, said, auth={"type": "bearer", "token": "t"}, hosts=[host]) as (rows, _):
            page = await rows.page(None)
            assert (await rows.page(page.cursor)).cursor is None
    assert got == [None]
