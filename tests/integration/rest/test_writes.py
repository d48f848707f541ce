"""What is sent for a write, and what is read back of it."""

import json
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import RefusedError
from connectors.remote.api import Found, MovedError
from tests.integration.rest.serving import api, things

COLUMNS = {
    "id": "bigint",
    "name": {"type": "text", "path": "person.name"},
    "city": {"type": "text", "path": "person.address.city"},
    "price": "numeric(10,2)",
    "tags": {"type": "text[]", "path": "tags[*].label"},
    "due": {"type": "timestamptz", "format": "epoch_ms"},
    "extra": "jsonb",
}
ITEM = {
    "id": 1,
    "person": {"name": "Ada", "address": {"city": "London"}},
    "price": 12.50,
    "tags": [{"label": "a"}],
    "due": 1767323045600,
    "extra": {"n": 1},
}
VALUES = {
    "name": "Ada",
    "city": "London",
    "price": "12.5",
    "tags": ["a"],
    "due": "2026-01-02T03:04:05.6Z",
    "extra": {"n": 1},
}


class Things:
    """One thing with an ETag that counts its changes."""

    def __init__(self) -> None:
        self.item: dict[str, Any] = {"id": 1, "name": "Ada"}
        self.version = 1
        self.keys: dict[str, int] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return await self._create(request)
        if request.method != "GET":
            if request.headers.get("If-Match") != f'"{self.version}"':
                return web.Response(status=412)
            self.item.update(await request.json())
            self.version += 1
        return web.json_response(self.item, headers={"ETag": f'"{self.version}"'})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        key = self.keys.setdefault(request.headers["Idempotency-Key"], len(self.keys) + 10)
        return web.json_response({"id": key, **await request.json()}, status=201)


async def test_a_row_is_laid_out_by_the_paths_of_its_columns() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(ITEM)

    async with api(handle, things(columns=COLUMNS)) as (rows, server):
        made = await rows.create(VALUES, "k")
        assert json.loads(server.seen[0][2]) == {name: value for name, value in ITEM.items() if name != "id"}
        assert made.values == {"id": 1, **VALUES}


async def test_only_the_columns_that_are_set_are_sent() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(ITEM)

    async with api(handle, things(columns=COLUMNS)) as (rows, server):
        await rows.update(Found("[1]", {"id": 1, **VALUES}), {"city": "Paris"})
        assert json.loads(server.seen[0][2]) == {"person": {"address": {"city": "Paris"}}}


async def test_a_condition_by_etag() -> None:
    said = things(conditional={"tag": "etag", "header": "If-Match"})
    async with api(Things().handle, said) as (rows, _):
        before = await rows.get("[1]")
        assert before is not None and before.tag == '"1"'
        after = await rows.update(before, {"name": "Bo"})
        assert after.tag == '"2"' and after.values["name"] == "Bo"
        with pytest.raises(MovedError):
            await rows.update(before, {"name": "Cy"})


async def test_a_condition_without_a_tag_is_not_left_away() -> None:
    said = things(conditional={"tag": "etag", "header": "If-Match"})
    async with api(Things().handle, said) as (rows, server):
        with pytest.raises(RefusedError, match=r"row \[1\] came without the tag"):
            await rows.update(Found("[1]", {"id": 1}), {"name": "Bo"})
        assert not server.seen


async def test_a_time_as_the_condition_is_written_as_http_writes_it() -> None:
    seen: list[str | None] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("If-Unmodified-Since"))
        return web.json_response({"id": 1, "name": "Ada", "at": "2026-01-02T03:04:05Z"})

    conditional = {"tag": "{{ item.at }}", "header": "If-Unmodified-Since", "value": "{{ http_date(tag) }}"}
    async with api(handle, things(conditional=conditional)) as (rows, _):
        before = await rows.get("[1]")
        assert before is not None
        await rows.delete(before)
    assert seen == [None, "Fri, 02 Jan 2026 03:04:05 GMT"]


async def test_a_create_repeated_with_its_key_makes_no_second_row() -> None:
    async with api(Things().handle, things(idempotency={"header": "Idempotency-Key"})) as (rows, _):
        assert rows.abilities.idempotent
        made = [await rows.create({"name": "Ada"}, key) for key in ("k1", "k1", "k2")]
        assert [row.local_id for row in made] == ["[10]", "[10]", "[11]"]


async def test_an_answer_without_the_row_is_read_back() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response({"created": {"id": 7}}, status=201)
        return web.json_response({"id": 7, "name": "ADA"}) if request.method == "GET" else web.Response(status=204)

    said = things(create={"method": "POST", "path": "/things", "id": "created.id"})
    async with api(handle, said) as (rows, _):
        made = await rows.create({"name": "Ada"}, "k")
        assert made.values["name"] == "ADA"
        assert (await rows.update(made, {"name": "Bo"})).values["name"] == "ADA"


async def test_half_a_row_in_the_answer_is_read_back() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        whole = {"id": 7, "name": "Ada"}
        return web.json_response(whole if request.method == "GET" else {"id": 7})

    said = things(columns={"id": "bigint", "name": "text"})
    async with api(handle, said) as (rows, server):
        assert (await rows.create({"name": "Ada"}, "k")).values["name"] == "Ada"
        assert [seen[0] for seen in server.seen] == ["POST", "GET"]


async def test_a_form_in_place_of_json() -> None:
    create = {
        "method": "POST",
        "path": "/things",
        "form": True,
        "body": {"title": "{{ values.name }}", "tag": ["a", "b"]},
    }

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response({"id": 1, "name": "Ada"})

    async with api(handle, things(create=create)) as (rows, server):
        await rows.create({"name": "Ada & Bo"}, "k")
        assert server.seen[0][2] == "title=Ada+%26+Bo&tag=a&tag=b"


async def test_a_row_is_read_out_of_a_delivery() -> None:
    async with api(Things().handle, things(columns=COLUMNS)) as (rows, _):
        found = rows.found(ITEM)
        assert found.local_id == "[1]" and found.values == {"id": 1, **VALUES}
        unfit: list[Any] = [None, [], {"id": 1}, {**ITEM, "id": None}]
        for payload in unfit:
            with pytest.raises(ValueError, match=r"resources\.things"):
                rows.found(payload)
