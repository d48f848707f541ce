"""What must never happen, whatever an application answers: another destination, another error, a wrong end."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import ConnectorsError, RefusedError
from connectors.remote.api import Found
from connectors.rest import client as clients
from connectors.rest.api import RestApi
from connectors.rest.assembly import assembled
from tests.integration.rest.serving import api, serving, things

BEFORE = Found("[1]", {"id": 1, "name": "Ada"}, tag="t")
WORDS = ["data", "next", "id", "name", "person", "a", "", "http://[", "//x", "/things?p=2", "é", "\x00", "1e999"]


async def nothing(request: web.Request) -> web.StreamResponse:
    """An empty listing."""
    return web.json_response({"data": []})


def garbage(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON, much of it with the names that are looked for."""
    kind = chance.randrange(8 if depth < 4 else 6)
    plain: list[Any] = [None, chance.random() < 0.5, chance.randrange(-5, 2**65), chance.random() * 1e300, "", 0]
    if kind < 6:
        return chance.choice([*plain, *WORDS])
    inner = [garbage(chance, depth + 1) for _ in range(chance.randrange(4))]
    return inner if kind == 6 else dict(zip(chance.sample(WORDS, len(inner)), inner, strict=True))


PAGINATIONS: list[dict[str, Any]] = [
    {"type": "cursor", "cursor": "next", "parameter": "c"},
    {"type": "next_url", "url": "next"},
    {"type": "page", "parameter": "p", "total": "next"},
    {"type": "key", "parameter": "after", "first": 0},
]


@pytest.mark.parametrize("pagination", PAGINATIONS, ids=lambda one: str(one["type"]))
async def test_any_json_gives_rows_or_an_error_of_ours(
    pagination: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "FIRST_PAUSE_S", 0.0)
    chance = random.Random(str(pagination))

    async def handle(request: web.Request) -> web.StreamResponse:
        body = {"data": [garbage(chance) for _ in range(2)], "next": garbage(chance)}
        status = chance.choice([200, 200, 200, 200, 404, 409, 422])
        return web.json_response(body if chance.random() < 0.7 else garbage(chance), status=status)

    columns = {
        "id": "bigint",
        "name": {"type": "text", "optional": True},
        "at": {"type": "timestamptz", "optional": True},
    }
    said = things(
        columns=columns,
        list={"path": "/things", "items": "data", "pagination": pagination},
        conditional={"tag": "{{ item.name }}", "header": "If-Match", "value": "{{ tag }}"},
        changed="at",
    )
    async with api(handle, said) as (rows, _):
        for _ in range(150):
            for ask in asks(rows):
                await judged(ask)


def asks(rows: RestApi) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: rows.page(None),
        lambda: rows.get("[1]"),
        lambda: rows.create({"name": "Ada"}, "k"),
        lambda: rows.update(BEFORE, {"name": "Bo"}),
        lambda: rows.delete(BEFORE),
    ]


async def judged(ask: Callable[[], Awaitable[object]]) -> None:
    """Rows, none, or an error of ours with a sentence."""
    try:
        await ask()
    except ConnectorsError as error:
        assert str(error)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_this_machine_is_refused_unless_its_network_is_named(host: str) -> None:
    async with serving(nothing) as server:
        url = server.url.replace("127.0.0.1", host)
        made = assembled("shop", {"url": url, "insecure": True, "resources": {"things": things()}})
        why = (
            r"127\.0\.0\.1 is an address of this machine.*Look at systems\.shop\.hosts, and at systems\.shop\.networks"
        )
        with pytest.raises(RefusedError, match=why):
            await made.apis["things"].page(None)
        await made.client.close()
        await made.client.close()
        assert not server.seen


async def test_a_cursor_of_another_declaration_begins_anew() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": 1}], "next": None})

    said = things(list={"path": "/things", "items": "data", "pagination": PAGINATIONS[0]})
    async with api(handle, said) as (rows, server):
        for cursor in ("", "{}", '[3,30,"x","",0,"page"]', "[null]"):
            assert len((await rows.page(cursor)).rows) == 1
        assert {path for _, path, _ in server.seen} == {"/things"}
