"""Every way in which listings go on, over real HTTP; and those that would never end, or end too soon."""

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import RefusedError
from connectors.rest import paging
from connectors.rest.api import RestApi
from tests.integration.rest.serving import Handler, api, things

ROWS = [{"id": number, "name": f"row {number}"} for number in range(1, 8)]


def listing(pagination: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return things(list={"path": "/things", "items": "data", "pagination": {"size": 3, **pagination}, **more})


async def everything(rows: RestApi) -> list[Any]:
    found, cursor = list[Any](), None
    while True:
        page = await rows.page(cursor)
        found += [row.values["id"] for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return found


def at(offset: int, size: int = 3, **more: Any) -> web.Response:
    headers = more.pop("headers", None)
    return web.json_response({"data": ROWS[offset : offset + size], "total": len(ROWS), **more}, headers=headers)


async def by_page(request: web.Request) -> web.StreamResponse:
    return at((int(request.query["page"]) - 1) * 3)


async def by_offset(request: web.Request) -> web.StreamResponse:
    return at(int(request.query["offset"]), int(request.query["limit"]))


async def by_cursor(request: web.Request) -> web.StreamResponse:
    offset = int(request.query.get("cursor", "c0")[1:])
    more = offset + 3 < len(ROWS)
    return at(offset, next=f"c{offset + 3}" if more else None, has_more=more)


async def by_url(request: web.Request) -> web.StreamResponse:
    offset = int(request.query.get("from", "0"))
    onward = f"{request.path}?from={offset + 3}" if offset + 3 < len(ROWS) else ""
    links = {"Link": f'<{request.path}>; rel="first", <{onward}>; rel="next"'} if onward else None
    return at(offset, links={"next": onward}, headers=links)


async def by_key(request: web.Request) -> web.StreamResponse:
    after = int(request.query["after"])
    return web.json_response({"data": [row for row in ROWS if int(str(row["id"])) > after][:3]})


WAYS: dict[str, tuple[Handler, dict[str, Any]]] = {
    "page": (by_page, {"type": "page", "parameter": "page"}),
    "page with total": (by_page, {"type": "page", "parameter": "page", "total": "total"}),
    "page until short": (by_page, {"type": "page", "parameter": "page", "stop": "short"}),
    "offset": (by_offset, {"type": "offset", "parameter": "offset", "size_parameter": "limit"}),
    "cursor": (by_cursor, {"type": "cursor", "cursor": "next", "parameter": "cursor"}),
    "cursor with more": (by_cursor, {"type": "cursor", "cursor": "next", "parameter": "cursor", "more": "has_more"}),
    "next url": (by_url, {"type": "next_url", "url": "links.next"}),
    "link": (by_url, {"type": "link"}),
    "key": (by_key, {"type": "key", "parameter": "after", "first": 0}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_row_comes_once(way: str) -> None:
    handler, pagination = WAYS[way]
    async with api(handler, listing(pagination)) as (rows, _):
        assert await everything(rows) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("way", ["page", "offset", "cursor", "key"])
async def test_templates_can_say_where_to_go_on(way: str) -> None:
    handler, pagination = WAYS[way]
    names = {"page": "number", "offset": "offset", "cursor": "cursor", "key": "after"}
    parameter = pagination["parameter"]
    bare = {name: value for name, value in pagination.items() if name not in ("parameter", "size_parameter")}
    query = {parameter: f"{{{{ page.{names[way]} }}}}", "limit": "{{ page.size }}"}
    async with api(handler, listing(bare, query=query)) as (rows, _):
        assert await everything(rows) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("way", ["page", "offset", "cursor", "key", "next url"])
async def test_a_server_that_always_gives_the_same_page_is_noticed(way: str) -> None:
    async def same(request: web.Request) -> web.StreamResponse:
        return at(0, next="c3", links={"next": "/things"})

    async with api(same, listing(WAYS[way][1])) as (rows, server):
        with pytest.raises(RefusedError, match="goes in a circle"):
            await everything(rows)
        assert len(server.seen) < 4


async def test_a_circle_of_cursors_is_noticed() -> None:
    async def round_and_round(request: web.Request) -> web.StreamResponse:
        number = int(request.query.get("cursor", "0"))
        return at(0, next=str((number + 1) % 5 + 1))

    async with api(round_and_round, listing(WAYS["cursor"][1])) as (rows, server):
        with pytest.raises(RefusedError, match="goes in a circle"):
            await everything(rows)
        assert len(server.seen) < 20


async def test_empty_pages_without_end_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "EMPTY_LIMIT", 5)

    async def empty(request: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [], "next": int(request.query.get("cursor", "0")) + 1})

    async with api(empty, listing(WAYS["cursor"][1])) as (rows, _):
        with pytest.raises(RefusedError, match="5 empty pages came in a row"):
            await everything(rows)


async def test_more_pages_than_allowed_are_an_error() -> None:
    async with api(by_page, listing(WAYS["page"][1], page_limit=2)) as (rows, _):
        with pytest.raises(RefusedError, match=r"page_limit: the listing has more than 2 pages"):
            await everything(rows)


async def test_an_empty_page_before_the_total_is_a_listing_cut_short() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        return at(0) if request.query["page"] == "1" else at(100)

    async with api(cut, listing(WAYS["page with total"][1])) as (rows, _):
        with pytest.raises(RefusedError, match="breaks off: 3 rows came of 7"):
            await everything(rows)


async def test_a_cursor_that_is_absent_is_no_end_unless_it_is_declared_so() -> None:
    async def absent(request: web.Request) -> web.StreamResponse:
        return at(0, 7)

    async with api(absent, listing(WAYS["cursor"][1])) as (rows, _):
        with pytest.raises(RefusedError, match=r"does not say how to go on.*absent_ends"):
            await everything(rows)
    async with api(absent, listing({**WAYS["cursor"][1], "absent_ends": True})) as (rows, _):
        assert len(await everything(rows)) == 7


@pytest.mark.parametrize("target", ["http://127.0.0.2:1/things", "http://localhost/things", "file:///etc/passwd"])
async def test_a_next_page_on_another_host_is_not_asked_for(target: str) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return at(0, links={"next": target})

    async with api(elsewhere, listing(WAYS["next url"][1])) as (rows, server):
        with pytest.raises(RefusedError, match="is not requested"):
            await everything(rows)
        assert len(server.seen) == 1


async def test_a_next_page_whose_url_cannot_be_read_is_an_error() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return at(0, links={"next": "http://["})

    async with api(broken, listing(WAYS["next url"][1])) as (rows, _):
        with pytest.raises(RefusedError, match="no URL that can be read"):
            await everything(rows)


async def test_a_listing_is_resumed_by_its_cursor_alone() -> None:
    async with api(by_offset, listing(WAYS["offset"][1])) as (rows, _):
        cursor = (await rows.page(None)).cursor
    async with api(by_offset, listing(WAYS["offset"][1])) as (rows, _):
        assert [row.values["id"] for row in (await rows.page(cursor)).rows] == [4, 5, 6]


async def test_changes_are_asked_for_with_the_overlap() -> None:
    since = {"query": {"since": "{{ since }}", "ms": "{{ since_ms }}"}, "overlap": "5s"}
    said = listing(WAYS["page until short"][1], query={"sort": "id"}, since=since)
    async with api(by_page, said) as (rows, server):
        assert rows.abilities.since
        await rows.page(None, 1_767_323_045_600_000)
        assert "sort=id&since=2026-01-02T03%3A04%3A00.6Z&ms=1767323040600&page=1" in server.seen[0][1]
        await rows.page(None)
        assert "since" not in server.seen[1][1]


async def test_removed_rows_are_listed_by_their_keys() -> None:
    async def removed(request: web.Request) -> web.StreamResponse:
        return web.json_response({"deleted": [{"object": {"id": "5"}}, {"object": {"id": 6}}]})

    listed = {"path": "/removed", "query": {"after": "{{ since_s }}"}, "items": "deleted", "id": "object.id"}
    async with api(removed, things(removed=listed)) as (rows, server):
        assert await rows.removed(7_000_000) == ["[5]", "[6]"]
        assert server.seen[0][1] == "/removed?after=7"


async def test_find_takes_only_what_is_exactly_equal() -> None:
    async def like(request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"data": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "ada"}, {"id": 3, "name": "Adam"}]}
        )

    found = {"by": ["name"], "path": "/things", "query": {"q": "{{ columns.name }}"}, "items": "data"}
    async with api(like, things(find=found)) as (rows, _):
        assert [row.local_id for row in await rows.find({"name": "Ada"})] == ["[1]"]
        with pytest.raises(NotImplementedError):
            await rows.find({"id": 1})
