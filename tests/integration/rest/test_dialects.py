"""The dialects of the documentation, word for word, against servers that speak them."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from ruamel.yaml import YAML

from connectors.errors import RefusedError
from connectors.remote.api import MovedError, RowRefusedError
from connectors.rest.api import RestApi
from tests.integration.rest.ledger import PASSWORD, Ledger
from tests.integration.rest.serving import joined, options, serving

PAGE = Path(__file__).parents[3] / "docs/connectors/rest.md"


def declared(number: int) -> dict[str, Any]:
    """One of the declarations under the heading of the dialects."""
    text = PAGE.read_text().partition("## Dialects")[2]
    found: dict[str, Any] = YAML(typ="safe").load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[number])
    return found


def local(server: Any, declaration: Mapping[str, Any]) -> dict[str, Any]:
    return {**declaration, **options(server, declaration["resources"])}


@pytest.fixture
async def ledger() -> AsyncIterator[tuple[Ledger, RestApi]]:
    application, said = Ledger(), declared(1)
    said["auth"]["password"] = PASSWORD
    said["resources"]["party"]["columns"]["credit"] = "numeric"
    async with serving(application.handle) as server, joined(server, **local(server, said)) as (apis, _):
        yield application, apis["party"]


async def test_a_row_is_made_and_read_anew_over_json_rpc(ledger: tuple[Ledger, RestApi]) -> None:
    application, api = ledger
    made = await api.create({"name": "Ada", "credit": "12.50"}, "k1")
    assert made.local_id == "[1]" and made.values["credit"] == "12.5"
    assert application.parties[1]["credit"] == {"__class__": "Decimal", "decimal": "12.50"}
    assert made.values["write_date"] is None and made.changed_us is not None


async def test_a_condition_in_the_body_protects_a_newer_edit(ledger: tuple[Ledger, RestApi]) -> None:
    application, api = ledger
    made = await api.create({"name": "Ada"}, "k1")
    changed = await api.update(made, {"name": "Ada L."})
    assert changed.values["name"] == "Ada L." and changed.tag != made.tag
    with pytest.raises(MovedError):
        await api.update(made, {"name": "Ada Q."})
    with pytest.raises(MovedError):
        await api.delete(made)
    assert application.parties[1]["name"] == "Ada L."


async def test_an_empty_result_says_that_there_is_no_such_row(ledger: tuple[Ledger, RestApi]) -> None:
    _, api = ledger
    assert await api.get("[7]") is None


async def test_an_error_with_status_200_is_an_error(ledger: tuple[Ledger, RestApi]) -> None:
    _, api = ledger
    with pytest.raises(RowRefusedError, match="A value is required for field Name"):
        await api.create({"name": ""}, "k1")


async def test_a_session_that_ended_is_opened_anew_once(ledger: tuple[Ledger, RestApi]) -> None:
    application, api = ledger
    await api.page(None)
    application.sessions.clear()
    await api.page(None)
    assert application.logins == 2


async def test_a_password_that_is_refused_is_the_settings_fault() -> None:
    said = declared(1)
    said["auth"]["password"] = "wrong"
    async with serving(Ledger().handle) as server, joined(server, **local(server, said)) as (apis, _):
        with pytest.raises(RefusedError, match=r"systems\.shop\.auth.*no session is opened: HTTP 401"):
            await apis["party"].page(None)


async def test_pages_follow_the_key_and_changes_are_asked_for_by_time(ledger: tuple[Ledger, RestApi]) -> None:
    _, api = ledger
    for number in range(5):
        await api.create({"name": f"party {number}"}, f"k{number}")
    first = await api.page(None)
    assert len(first.rows) == 5 and first.cursor is not None
    assert (await api.page(first.cursor)).cursor is None
    latest = max(row.changed_us or 0 for row in first.rows)
    assert len((await api.page(None, latest + 5_000_000)).rows) == 1


Handler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


class Blog:
    """Members in memory, as a publishing platform keeps them."""

    def __init__(self) -> None:
        self.members: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.filters: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization", ""))
        number = request.path.removeprefix("/members/").strip("/")
        answer: Handler = getattr(self, f"_{request.method.lower()}")
        return await answer(request, number)

    async def _get(self, request: web.Request, number: str) -> web.StreamResponse:
        if number:
            found = [one for one in self.members if one["id"] == number]
            return _envelope(found) if found else _error(404, "Member not found.")
        page, limit = int(request.query.get("page", "1")), int(request.query.get("limit", "15"))
        self.filters.append(request.query.get("filter", ""))
        wanted = self.filters[-1].removeprefix("email:").strip("'")
        found = [one for one in self.members if not wanted or one["email"] == wanted]
        return _envelope(found[(page - 1) * limit : page * limit], {"pagination": {"page": page, "total": len(found)}})

    async def _post(self, request: web.Request, number: str) -> web.StreamResponse:
        given = (await request.json())["members"][0]
        if any(one["email"] == given["email"] for one in self.members):
            return _error(422, "Validation error, cannot save member.")
        made = {"id": f"m{len(self.members)}", "name": None, "note": None, "labels": [], **given}
        self.members.append(made | {"updated_at": "2026-01-02T03:04:05.000Z"})
        return _envelope(self.members[-1:], status=201)

    async def _put(self, request: web.Request, number: str) -> web.StreamResponse:
        found = next(one for one in self.members if one["id"] == number)
        found.update((await request.json())["members"][0])
        return _envelope([found])

    async def _delete(self, request: web.Request, number: str) -> web.StreamResponse:
        self.members = [one for one in self.members if one["id"] != number]
        return web.Response(status=204)


def _envelope(members: list[Any], meta: Any = None, status: int = 200) -> web.Response:
    return web.json_response({"members": members, **({"meta": meta} if meta else {})}, status=status)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"errors": [{"message": message, "type": "ValidationError"}]}, status=status)


@pytest.fixture
async def blog() -> AsyncIterator[tuple[Blog, RestApi]]:
    application, said = Blog(), declared(0)
    said["auth"]["key"] = "5f1e:" + "ab" * 32
    async with serving(application.handle) as server, joined(server, **local(server, said)) as (apis, _):
        yield application, apis["members"]


async def test_a_member_is_made_changed_found_and_removed(blog: tuple[Blog, RestApi]) -> None:
    application, api = blog
    made = await api.create({"email": "ada@example.com", "labels": ["vip", "press"]}, "k")
    assert application.members[0]["labels"] == [{"name": "vip"}, {"name": "press"}]
    assert made.values["labels"] == ["vip", "press"] and made.values["updated_at"] == "2026-01-02T03:04:05Z"
    changed = await api.update(made, {"name": "Ada L."})
    assert changed.values["name"] == "Ada L." and changed.values["email"] == "ada@example.com"
    assert [row.local_id for row in await api.find({"email": "ada@example.com"})] == ['["m0"]']
    await api.delete(changed)
    assert await api.get('["m0"]') is None
    assert application.tokens[-1].startswith("Ghost ey")


async def test_the_applications_own_words_are_kept(blog: tuple[Blog, RestApi]) -> None:
    _, api = blog
    await api.create({"email": "ada@example.com"}, "k")
    with pytest.raises(RowRefusedError, match="Validation error, cannot save member"):
        await api.create({"email": "ada@example.com"}, "k2")


async def test_pages_are_counted_until_all_rows_came(blog: tuple[Blog, RestApi]) -> None:
    _, api = blog
    for number in range(250):
        await api.create({"email": f"reader{number}@example.com"}, f"k{number}")
    first = await api.page(None)
    second = await api.page(first.cursor)
    third = await api.page(second.cursor)
    assert [len(page.rows) for page in (first, second, third)] == [100, 100, 50] and third.cursor is None


async def test_a_filter_of_the_applications_own_language_is_made_of_the_time(blog: tuple[Blog, RestApi]) -> None:
    application, api = blog
    await api.page(None, 1_767_323_045_600_000)
    assert application.filters[-1] == "updated_at:>='2026-01-02 03:04:00'"


class Graph:
    """Customers behind one path. `trouble` is answered in place of data."""

    def __init__(self) -> None:
        self.customers = [
            {"id": f"gid://{number}", "email": f"c{number}@example.com", "displayName": "C"} for number in range(120)
        ]
        self.trouble: dict[str, Any] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if self.trouble:
            return web.json_response(self.trouble)
        given, query = asked["variables"], asked["query"]
        if "nodes" in query:
            return web.json_response({"data": {"customers": self._page(given)}})
        found = next((one for one in self.customers if one["id"] == given["id"]), None)
        if "mutation" not in query or found is None:
            return web.json_response({"data": {"customer": found}})
        found.update(given["row"])
        return web.json_response({"data": {"customerUpdate": {"customer": found, "userErrors": []}}})

    def _page(self, given: Mapping[str, Any]) -> dict[str, Any]:
        start = 0 if given["after"] is None else int(given["after"])
        nodes = self.customers[start : start + given["n"]]
        more = start + given["n"] < len(self.customers)
        return {"nodes": nodes, "pageInfo": {"endCursor": str(start + len(nodes)), "hasNextPage": more}}


@pytest.fixture
async def graph() -> AsyncIterator[tuple[Graph, RestApi]]:
    application = Graph()
    async with serving(application.handle) as server, joined(server, **local(server, declared(2))) as (apis, _):
        yield application, apis["customers"]


async def test_graphql_is_listed_read_and_written(graph: tuple[Graph, RestApi]) -> None:
    application, api = graph
    found, cursor = list[Any](), None
    while not found or cursor is not None:
        page = await api.page(cursor)
        found, cursor = [*found, *page.rows], page.cursor
    assert len(found) == 120
    changed = await api.update(found[7], {"name": "Ada"})
    assert changed.values["name"] == application.customers[7]["displayName"] == "Ada"
    assert await api.get('["gid://none"]') is None


async def test_graphql_errors_are_never_rows_that_are_gone(graph: tuple[Graph, RestApi]) -> None:
    application, api = graph
    before = await api.get('["gid://1"]')
    assert before is not None
    application.trouble = {"data": {"customer": None}, "errors": [{"message": "timeout", "extensions": {"code": "X"}}]}
    with pytest.raises(RefusedError, match="timeout"):
        await api.get('["gid://1"]')
    application.trouble = {"data": {"customerUpdate": {"customer": None, "userErrors": [{"message": "is taken"}]}}}
    with pytest.raises(RowRefusedError, match="is taken"):
        await api.update(before, {"email": "c2@example.com"})
