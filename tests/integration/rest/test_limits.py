"""Turns: shared budgets, bounded patience, and an application's limit that is never reached."""

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import UnreachableError
from connectors.http.budgets import Allowance
from connectors.rest.accounts import Account
from tests.integration.rest.serving import api, joined, serving, things

LIMIT, WINDOW_S = 10, 1


async def thing(request: web.Request) -> web.StreamResponse:
    return web.json_response({"id": int(request.path.rpartition("/")[2])})


async def test_an_application_that_tells_its_limit_never_has_to_refuse() -> None:
    began_s, counted, refused = time.time(), 0, 0

    async def limited(request: web.Request) -> web.StreamResponse:
        nonlocal began_s, counted, refused
        if time.time() - began_s >= WINDOW_S:
            began_s, counted = time.time(), 0
        counted += 1
        left, reset = max(0, LIMIT - counted), began_s + WINDOW_S - time.time()
        headers = {
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": f"{reset:.0f}",
        }
        refused += counted > LIMIT
        return web.json_response({"id": int(request.path.rpartition("/")[2])}, headers=headers)

    async with api(limited, things(), limits={"concurrency": 2}) as (rows, server):
        await asyncio.gather(*(rows.get(f"[{number}]") for number in range(14)))
        assert len(server.seen) == 14 and refused == 0


async def test_what_is_asked_after_too_many_requests_waits_as_long_as_told() -> None:
    at_s: list[float] = []

    async def busy_once(request: web.Request) -> web.StreamResponse:
        at_s.append(time.monotonic())
        if len(at_s) == 1:
            return web.json_response({}, status=429, headers={"Retry-After": "1"})
        return await thing(request)

    async with api(busy_once, things()) as (rows, _):
        await rows.get("[1]")
    assert at_s[1] - at_s[0] >= 0.95


async def test_requests_at_once_are_bounded() -> None:
    three, going_on = asyncio.Event(), asyncio.Event()
    now = most = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        if now == 3:
            three.set()
        await going_on.wait()
        now -= 1
        return await thing(request)

    async with api(handle, things(), limits={"concurrency": 3}) as (rows, _):
        asked = asyncio.gather(*(rows.get(f"[{number}]") for number in range(12)))
        await asyncio.wait_for(three.wait(), 10)
        going_on.set()
        await asked
    assert most == 3


async def test_a_turn_that_comes_too_late_is_not_waited_for() -> None:
    limits = {"requests": 2, "window": "1h", "reserve": 0, "patience": "1s"}
    async with api(thing, things(), limits=limits) as (rows, server):
        await rows.get("[1]")
        await rows.get("[1]")
        with pytest.raises(
            UnreachableError, match=r"limits allow the next request in .* s only.*systems\.shop\.limits"
        ):
            await rows.get("[1]")
        assert len(server.seen) == 2


async def test_systems_of_one_account_share_its_budget() -> None:
    limits = {"requests": 1, "window": "1h", "reserve": 0, "patience": "1s"}
    more: dict[str, Any] = {"limits": limits, "account": "shared"}
    async with (
        serving(thing) as server,
        joined(server, {"things": things()}, **more) as (one, _),
        joined(server, {"things": things()}, **more) as (other, _),
    ):
        await one["things"].get("[1]")
        with pytest.raises(UnreachableError):
            await other["things"].get("[1]")


def test_an_account_may_outlive_a_loop() -> None:
    account = Account("a", Allowance(1000), 1)

    async def crowd() -> None:
        async def one() -> None:
            async with account.turn(5):
                await asyncio.sleep(0)

        await asyncio.gather(*(one() for _ in range(4)))

    for _ in range(2):
        asyncio.run(crowd())
