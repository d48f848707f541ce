"""Who is not let in is told which key of the project file to change: the address, or what we say of ourselves."""

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import RefusedError, UnreachableError
from tests.integration.rest.serving import Handler, Server, api, joined, serving, things

LOGIN = {
    "type": "login",
    "username": "sync",
    "password": "s3cret",
    "request": {"path": "/login", "body": {"user": "{{ username }}", "word": "{{ password }}"}},
    "ok": "has(body.session)",
    "value": "Session {{ body.session }}",
}
PAGE = "<html>Welcome</html>"


def answering(status: int, body: Any = None, **headers: str) -> Handler:
    """An application that answers everything so: text as a web page, anything else as JSON."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html", headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return answer


async def refusal(handler: Handler, auth: Mapping[str, Any], **more: Any) -> RefusedError:
    async with api(handler, things(**more), auth=auth) as (rows, _):
        with pytest.raises(RefusedError) as caught:
            await rows.page(None)
    assert "s3cret" not in str(caught.value)
    return caught.value


Case = tuple[Handler, dict[str, Any], str, str]
LOGINS: dict[str, Case] = {
    "the password is wrong": (answering(401, {"error": "wrong password"}), {}, "auth.password", "auth.username"),
    "no session, with status 200": (answering(200, {"result": None}), {}, "auth.password", "auth.username"),
    "not for this user": (answering(403, PAGE), {}, "auth.password", "auth.username"),
    "a web page is at that address": (answering(200, PAGE), {}, "url", "auth.request.path"),
    "nothing is at that address": (answering(404, PAGE), {}, "url", "auth.request.path"),
    "it was moved": (answering(301, Location="https://elsewhere.example.com/"), {}, "url", "auth.request.path"),
    "no such user": (answering(404, {"error": "no user sync"}), {}, "auth.request", "auth.username"),
    "another method": (answering(405, {"error": "use PUT"}), {}, "auth.request.method", "auth.request.path"),
    "a field is missing": (answering(422, {"error": "no tenant"}), {}, "auth.request", "auth.password"),
    "the session is elsewhere": (answering(200, {"token": "t"}), {"ok": None}, "auth.value", "auth.ok"),
    "a web page and no condition": (answering(200, PAGE), {"ok": None}, "url", "auth.request.path"),
    "the request names what is not": (
        answering(200, {"session": "s"}),
        {"request": {"path": "/login", "body": {"n": "{{ int(username) }}"}}},
        "auth.request.body.n",
        "",
    ),
    "a line end in the session": (answering(200, {"session": "a\nb"}), {}, "auth", ""),
}


@pytest.mark.parametrize("case", LOGINS)
async def test_a_login_that_fails_names_the_key_to_change(case: str) -> None:
    handler, more, setting, other = LOGINS[case]
    error = await refusal(handler, {**LOGIN, **more})
    assert error.what == f"setting systems.shop.{setting}"
    assert other in error.remedy


OAUTH = {"type": "oauth2", "client_id": "me", "client_secret": "s3cret"}
TOKENS: dict[str, tuple[Handler, dict[str, Any], str]] = {
    "an unknown client": (answering(401, {"error": "invalid_client"}), {}, "auth.client_id"),
    "a scope that is not": (answering(400, {"error": "invalid_scope"}), {}, "auth.scope"),
    "a grant that is not for us": (answering(400, {"error": "unauthorized_client"}), {}, "auth.grant"),
    "a web page": (answering(200, PAGE), {}, "auth.token_url"),
    "nothing there": (answering(404, PAGE), {}, "auth.token_url"),
    "JSON of something else": (answering(200, {"data": []}), {}, "auth.token_url"),
    "a refresh token that ended": (
        answering(400, {"error": "invalid_grant"}),
        {"grant": "refresh_token", "refresh_token": "old"},
        "auth.refresh_token",
    ),
}


@pytest.mark.parametrize("case", TOKENS)
async def test_a_token_that_is_not_given_names_the_key_to_change(case: str) -> None:
    handler, more, setting = TOKENS[case]
    async with serving(handler) as server:
        auth = {**OAUTH, "token_url": f"{server.url}/token", **more}
        async with joined(server, {"things": things()}, auth=auth) as (apis, _):
            with pytest.raises(RefusedError) as caught:
                await apis["things"].page(None)
    assert caught.value.what == f"setting systems.shop.{setting}"
    assert "s3cret" not in str(caught.value)


async def away(server: Server, auth: Mapping[str, Any]) -> UnreachableError:
    async with joined(server, {"things": things()}, auth=auth) as (apis, _):
        with pytest.raises(UnreachableError) as caught:
            await apis["things"].page(None)
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "setting"),
    [(502, PAGE, "url"), (500, {"error": "?"}, "auth.request"), (503, None, "url"), (429, None, "limits")],
)
async def test_a_login_that_may_work_later_names_what_to_look_at(status: int, body: Any, setting: str) -> None:
    async with serving(answering(status, body)) as server:
        error = await away(server, LOGIN)
    assert (error.setting, error.address) == (f"systems.shop.{setting}", f"{server.url}/login")


async def test_nobody_at_the_address_of_tokens_is_not_said_of_the_application() -> None:
    async with serving(answering(200)) as gone:
        nobody = gone.url
    async with serving(answering(200, {"data": []})) as server:
        error = await away(server, {**OAUTH, "token_url": f"{nobody}/token"})
        assert (error.setting, error.address) == ("systems.shop.auth.token_url", f"{nobody}/token")
    assert (await away(server, LOGIN)).setting == "systems.shop.url"


BEARER = {"type": "bearer", "token": "s3cret"}
REQUESTS: dict[str, tuple[Handler, dict[str, Any], str]] = {
    "a token that is not known": (answering(401, {"message": "who?"}), BEARER, "auth"),
    "a token with a line end": (answering(200, {"data": []}), {"type": "bearer", "token": "s3cret\n"}, "auth"),
    "a page to log in": (answering(302, Location="/users/sign_in?next=%2Fthings"), BEARER, "auth"),
    "another server": (answering(301, Location="https://shop.example.com/things"), BEARER, "url"),
    "another path": (answering(301, Location="/things/"), BEARER, "resources.things.list.path"),
    "a web page": (answering(404, PAGE), BEARER, "resources.things.list"),
}


@pytest.mark.parametrize("case", REQUESTS)
async def test_a_request_that_is_not_answered_names_the_key_to_change(case: str) -> None:
    handler, auth, setting = REQUESTS[case]
    error = await refusal(handler, auth)
    assert error.what == f"setting systems.shop.{setting}"
    if setting != "auth":
        assert "systems.shop.url" in f"{error.what} {error.remedy}"
