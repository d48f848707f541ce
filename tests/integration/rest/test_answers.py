"""What each kind of answer means, for a request that reads and for one that writes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import RefusedError, UnreachableError
from connectors.remote.api import AnswerLostError, Found, MovedError, RowRefusedError
from connectors.rest import client as clients
from tests.integration.rest.serving import Handler, api, joined, serving, things

BEFORE = Found("[1]", {"id": 1, "name": "Ada"}, tag="t1")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are made short."""
    monkeypatch.setattr(clients, "FIRST_PAUSE_S", 0.001)


def answering(status: int, body: Any = None, **more: Any) -> Handler:
    """The same answer to everything."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html", **more)
        return web.json_response(body, status=status, **more)

    return handle


def in_turn(answers: Sequence[web.Response | str]) -> Handler:
    """One answer after another; "drop" closes the connection without any."""
    left = list(answers)

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = left.pop(0)
        if isinstance(answer, web.Response):
            return answer
        assert request.transport is not None
        request.transport.abort()
        await asyncio.sleep(0)
        return web.Response()

    return handle


@pytest.mark.parametrize("status", [404, 410])
async def test_a_clear_no_such_row_is_none(status: int) -> None:
    async with api(answering(status, {"message": "no such thing"}), things()) as (rows, _):
        assert await rows.get("[1]") is None


async def test_a_web_page_with_404_is_not_taken_for_a_row_that_is_gone() -> None:
    async with api(answering(404, "<html>Not found</html>"), things()) as (rows, _):
        with pytest.raises(RefusedError, match=r"GET .*/things/1.*not JSON"):
            await rows.get("[1]")


async def test_a_listing_at_a_wrong_address_is_refused() -> None:
    async with api(answering(404, {"message": "no route"}), things()) as (rows, _):
        with pytest.raises(RefusedError, match=r"nothing at this address.*resources\.things\.list\.path"):
            await rows.page(None)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {"id": 1}}, {"data": [7]}, []])
async def test_a_listing_of_another_shape_is_an_error_and_not_empty(body: Any) -> None:
    async with api(answering(200, body), things()) as (rows, _):
        with pytest.raises(RefusedError, match=r"resources\.things"):
            await rows.page(None)


async def test_a_login_page_with_200_is_an_application_that_is_away() -> None:
    async with api(answering(200, "<html>Sign in</html>"), things()) as (rows, server):
        with pytest.raises(UnreachableError, match="text/html and not JSON"):
            await rows.page(None)
        assert server.count("GET") == 3


async def test_a_row_without_a_column_names_the_column_and_the_way_out() -> None:
    said = things(columns={"id": "bigint", "name": "text"})
    async with api(answering(200, {"data": [{"id": 1}]}), said) as (rows, _):
        with pytest.raises(RefusedError, match=r"columns\.name: a row came without it.*optional: true"):
            await rows.page(None)


async def test_another_row_than_asked_for_is_an_error() -> None:
    async with api(answering(200, {"id": 2}), things()) as (rows, _):
        with pytest.raises(RefusedError, match=r"row \[1\] was asked for, and \[2\] came"):
            await rows.get("[1]")


async def test_null_further_up_does_not_say_that_a_row_is_gone() -> None:
    said = things(get={"path": "/", "item": "data.thing"})
    async with api(answering(200, {"data": None, "errors": [{"message": "timeout"}]}), said) as (rows, _):
        with pytest.raises(RefusedError, match="holds nothing where the row belongs"):
            await rows.get("[1]")
    async with api(answering(200, {"data": {"thing": None}}), said) as (rows, _):
        assert await rows.get("[1]") is None


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_reading_is_tried_again_while_the_application_is_busy(status: int) -> None:
    good = web.json_response({"id": 1})
    async with api(in_turn([web.json_response({}, status=status), "drop", good]), things()) as (rows, server):
        assert await rows.get("[1]") is not None
        assert server.count("GET") == 3


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_a_write_that_may_have_had_an_effect_is_never_repeated(status: int) -> None:
    async with api(answering(status, {"message": "oops"}), things()) as (rows, server):
        for write in (rows.create({"name": "Ada"}, "k"), rows.update(BEFORE, {"name": "Bo"}), rows.delete(BEFORE)):
            with pytest.raises(AnswerLostError, match=f"HTTP {status}, oops"):
                await write
        assert [server.count(method) for method in ("POST", "PATCH", "DELETE")] == [1, 1, 1]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_a_kept_connection_that_is_closed_does_not_send_a_write_twice(method: str) -> None:
    said = things(delete={"method": method, "path": "/things/{{ id }}"})
    async with api(in_turn([web.json_response({"id": 1}), "drop", web.json_response({})]), said) as (rows, server):
        await rows.get("[1]")
        with pytest.raises(AnswerLostError):
            await rows.delete(BEFORE)
        assert server.count(method) == 1


async def test_too_many_requests_had_no_effect_so_a_write_is_sent_again() -> None:
    busy = web.json_response({}, status=429, headers={"Retry-After": "0"})
    made = web.json_response({"id": 1, "name": "Ada"}, status=201)
    async with api(in_turn([busy, made]), things()) as (rows, server):
        assert (await rows.create({"name": "Ada"}, "k")).local_id == "[1]"
        assert server.count("POST") == 2


async def test_tries_have_an_end() -> None:
    said = {"limits": {"attempts": 2}}
    busy = answering(429, {}, headers={"Retry-After": "0"})
    async with api(busy, things(), **said) as (rows, server):
        with pytest.raises(UnreachableError, match="HTTP 429"):
            await rows.create({"name": "Ada"}, "k")
        assert server.count("POST") == 2


async def test_a_closed_port_is_an_application_that_is_away() -> None:
    async with serving(answering(200)) as server:
        pass
    async with joined(server, {"things": things()}) as (apis, _):
        with pytest.raises(UnreachableError, match=r"no connection.*systems\.shop\.url"):
            await apis["things"].create({"name": "Ada"}, "k")


async def test_no_answer_in_time_is_lost_for_a_write() -> None:
    forever = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        await forever.wait()
        return web.json_response({})

    async with api(handle, things(), limits={"timeout": "1s"}) as (rows, _):
        with pytest.raises(AnswerLostError, match="no answer within 1 s"):
            await rows.update(BEFORE, {"name": "Bo"})
        forever.set()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error": {"message": "name is too long"}}, "name is too long"),
        (409, {"message": "duplicate"}, "duplicate"),
        (422, {"errors": [{"message": "no such country"}]}, "no such country"),
        (422, {"name": ["is reserved"]}, "is reserved"),
    ],
)
async def test_a_row_that_is_not_taken_keeps_the_applications_words(status: int, body: Any, words: str) -> None:
    async with api(answering(status, body), things()) as (rows, _):
        with pytest.raises(RowRefusedError, match=words):
            await rows.create({"name": "Ada"}, "k")


async def test_forbidden_names_the_credentials() -> None:
    async with api(answering(403, {"message": "insufficient scope"}), things()) as (rows, _):
        with pytest.raises(RefusedError, match=r"systems\.shop\.auth.*insufficient scope"):
            await rows.create({"name": "Ada"}, "k")


async def test_a_redirect_is_not_followed() -> None:
    moved = answering(302, {}, headers={"Location": "http://169.254.169.254/latest?token=1"})
    async with api(moved, things()) as (rows, server):
        with pytest.raises(RefusedError, match=r"a redirect to http://169\.254\.169\.254/latest\."):
            await rows.page(None)
        assert len(server.seen) == 1


@pytest.mark.parametrize("status", [409, 412])
async def test_a_condition_that_fails_says_that_the_row_has_moved(status: int) -> None:
    said = things(conditional={"tag": "etag", "header": "If-Match"})
    async with api(answering(status, {}), said) as (rows, _):
        with pytest.raises(MovedError):
            await rows.update(BEFORE, {"name": "Bo"})
        with pytest.raises(MovedError):
            await rows.delete(BEFORE)


async def test_a_row_that_is_gone_cannot_be_changed_but_is_removed_already() -> None:
    async with api(answering(404, {}), things()) as (rows, _):
        with pytest.raises(MovedError):
            await rows.update(BEFORE, {"name": "Bo"})
        await rows.delete(BEFORE)


async def test_rules_say_what_a_status_does_not() -> None:
    rules = [
        {"when": "has(body.error) && body.error == 'stale'", "means": "moved"},
        {"when": "has(body.error) && body.error == 'slow'", "means": "busy"},
        {"when": "has(body.error)", "means": "row", "reason": "it says {{ body.error }}"},
    ]
    said = things(answers=rules)
    async with api(answering(200, {"error": "stale"}), said) as (rows, _):
        with pytest.raises(MovedError):
            await rows.update(BEFORE, {"name": "Bo"})
    async with api(answering(200, {"error": "slow"}), said) as (rows, server):
        with pytest.raises(UnreachableError):
            await rows.update(BEFORE, {"name": "Bo"})
        assert server.count("PATCH") == 3
    async with api(answering(200, {"error": "bad"}), said) as (rows, _):
        with pytest.raises(RowRefusedError, match="it says bad"):
            await rows.update(BEFORE, {"name": "Bo"})


async def test_an_answer_past_the_limit_is_refused() -> None:
    async with api(answering(200, {"data": ["x" * 5000]}), things(), limits={"answer": 2048}) as (rows, _):
        with pytest.raises(RefusedError, match=r"larger than 2048 bytes.*limits\.answer"):
            await rows.page(None)


async def test_a_write_whose_row_cannot_be_read_again_is_an_answer_lost() -> None:
    async with api(in_turn([web.Response(status=204), web.json_response({}, status=404)]), things()) as (rows, _):
        with pytest.raises(AnswerLostError, match="written, but not read again"):
            await rows.update(BEFORE, {"name": "Bo"})


async def test_a_write_that_is_not_declared_is_refused_without_a_request() -> None:
    async with api(answering(200, {}), things(create=None)) as (rows, server):
        assert rows.abilities.writes == {"u", "d"}
        with pytest.raises(RowRefusedError, match="cannot be created"):
            await rows.create({"name": "Ada"}, "k")
        assert not server.seen


async def test_a_column_that_is_read_only_is_not_sent() -> None:
    async with api(answering(200, {}), things()) as (rows, server):
        with pytest.raises(RowRefusedError, match="column id is read only"):
            await rows.create({"id": 7}, "k")
        assert not server.seen


@pytest.mark.parametrize("key", ['[".."]', '[""]', '["."]'])
async def test_a_key_never_leads_to_another_address(key: str) -> None:
    said = things(columns={"id": "text", "name": "text"})
    async with api(answering(200, {}), said) as (rows, server):
        with pytest.raises(RefusedError, match="would lead to another address"):
            await rows.get(key)
        with pytest.raises(RowRefusedError, match="would lead to another address"):
            await rows.delete(Found(key, {}))
        assert not server.seen


async def test_a_key_is_percent_encoded_in_a_path() -> None:
    said = things(columns={"id": "text"})
    async with api(answering(200, {"id": "a/b?c=ü"}), said) as (rows, server):
        await rows.get('["a/b?c=ü"]')
        assert server.seen[0][1] == "/things/a%2Fb%3Fc%3D%C3%BC"
