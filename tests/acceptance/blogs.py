"""An application with an HTTP API and webhooks, kept in step with a database by the real program."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from duplex.embedded.processes import free_port
from tests.acceptance.shops import Shop
from tests.acceptance.showings import kill, part
from tests.conftest import NewDatabase
from tests.waiting import eventually

SECRET = "whsec_" + base64.b64encode(b"between the two of us alone").decode()
PROJECT = (Path(__file__).parent / "blog.yaml").read_text()
PEOPLE = """
create table people (id bigint generated always as identity primary key, email text not null unique, name text, city text);
insert into people (email, name, city) values ('ada@example.org', 'Ada', 'London'), ('bo@example.org', 'Bo', 'Oslo');
"""  # noqa: E501


@dataclass
class Blog:
    """Members in memory. `away`: it answers 503; `silent`: the next writes have their effect, and no answer; `held`:
    writes have their effect, and are answered when that is set."""

    members: dict[int, dict[str, Any]] = field(default_factory=dict)
    numbers: int = 0
    away: bool = False
    silent: int = 0
    held: asyncio.Event | None = None
    hook: str | None = None
    writes: list[str] = field(default_factory=list)

    def add(self, **values: Any) -> int:
        """A member comes, whoever made it."""
        self.numbers += 1
        self.members[self.numbers] = {"id": self.numbers, "email": None, "name": None, "city": None, **values}
        return self._touched(self.numbers)

    def named(self, email: str) -> dict[str, Any] | None:
        """The only member with this address."""
        found = [one for one in self.members.values() if one["email"] == email]
        assert len(found) <= 1, f"there are two of {email}"
        return found[0] if found else None

    async def edited(self, email: str, **values: Any) -> None:
        """A user of the application edits, and the application says so."""
        member = self.named(email)
        assert member is not None
        member.update(values)
        await self.tell("edited", self._touched(member["id"]))

    async def tell(self, word: str, number: int) -> None:
        """A signed webhook."""
        body = json.dumps({"event": f"member.{word}", "member": {"id": number}}).encode()
        delivery, at = str(uuid.uuid4()), str(int(time.time()))
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        signature = hmac.new(key, b".".join((delivery.encode(), at.encode(), body)), hashlib.sha256).digest()
        headers = {
            "webhook-id": delivery,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        }
        assert self.hook is not None
        async with aiohttp.ClientSession() as client, client.post(self.hook, data=body, headers=headers) as answer:
            assert answer.status == 200

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of the API."""
        if self.away:
            return web.Response(status=503, headers={"Retry-After": "1"})
        number = int(request.match_info.get("id", 0))
        if request.method != "GET":
            return await self._written(request, number)
        if not number:
            return web.json_response(self._listed(request.query))
        return self._shown(number)

    def _listed(self, query: Any) -> dict[str, Any]:
        start, size = int(query["offset"]), int(query["limit"])
        found = [one for one in self.members.values() if one["updated_at"] >= int(query.get("since", 0))]
        found = [one for one in found if one["email"] == query.get("email", one["email"])]
        return {"data": found[start : start + size], "total": len(found)}

    async def _written(self, request: web.Request, number: int) -> web.StreamResponse:
        values = await request.json() if request.can_read_body else {}
        self.writes.append(f"{request.method} {values.get('email', number)}")
        if request.method == "POST":
            number = self.add(**values)
        elif number in self.members and request.method == "PATCH":
            self.members[number].update(values)
            self._touched(number)
        elif request.method == "DELETE":
            self.members.pop(number, None)
            return web.Response(status=204)
        if self.held is not None:
            await self.held.wait()
        if self.silent:
            self.silent -= 1
            assert request.transport is not None
            request.transport.abort()
        return self._shown(number)

    def _shown(self, number: int) -> web.Response:
        found = self.members.get(number)
        return web.json_response({"error": "no such member"}, status=404) if found is None else web.json_response(found)

    def _touched(self, number: int) -> int:
        self.members[number]["updated_at"] = time.time_ns() // 1_000_000
        return number


@dataclass
class Doors:
    """A server of the blog on one loopback port, that can be shut and opened."""

    blog: Blog
    port: int = field(default_factory=free_port)
    runner: web.AppRunner | None = None

    async def open(self) -> str:
        """Serve; the address."""
        application = web.Application()
        for path in ("/members", "/members/{id}"):
            application.router.add_route("*", path, self.blog.serve)
        self.runner = web.AppRunner(application, shutdown_timeout=1.0)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True).start()
        return f"http://127.0.0.1:{self.port}"

    async def shut(self) -> None:
        """Nobody is at the address. May be called twice."""
        runner, self.runner = self.runner, None
        if runner is not None:
            await runner.cleanup()


@dataclass
class Joined:
    """A database of people and a blog, kept in step."""

    shop: Shop
    blog: Blog
    doors: Doors

    @property
    def folder(self) -> Path:
        return self.shop.folder

    async def sql(self, statement: str) -> None:
        """Somebody works in the database."""
        await self.shop.execute(self.shop.crm, statement)

    async def person(self, email: str) -> dict[str, Any] | None:
        """What the database holds of a person."""
        found = await self.shop.value(self.shop.crm, f"select to_jsonb(p) - 'id' from people p where email = '{email}'")
        return None if found is None else json.loads(found)

    async def agree(self, email: str, **wanted: Any) -> None:
        """Wait until both have this person, and say these things of them."""

        async def same() -> bool:
            member, person = self.blog.named(email), await self.person(email)
            if member is None or person is None:
                return False
            return all(member[name] == person[name] == value for name, value in wanted.items())

        await eventually(same, timeout_s=60, message=f"{email} is not {wanted} in both")

    async def kill(self, *words: str) -> None:
        """`kill -9` a part of the running program."""
        assert self.shop.process is not None
        supervisor = self.shop.process.pid
        await kill(lambda: part({supervisor}, *words), *words)

    async def outages(self) -> list[dict[str, Any]]:
        """What `duplex status` says of applications that do not answer."""
        _, out, _ = await self.shop.call("status", "--json")
        found: list[dict[str, Any]] = json.loads(out)["outages"]
        return found

    async def gone(self, email: str) -> None:
        """Wait until neither has this person."""

        async def neither() -> bool:
            return self.blog.named(email) is None and await self.person(email) is None

        await eventually(neither, timeout_s=60, message=f"{email} is still somewhere")


@asynccontextmanager
async def joined(folder: Path, pipeline: str, bootstrap: str, new_database: NewDatabase) -> AsyncIterator[Joined]:
    """The program at work between a database and a blog that know each other's people."""
    blog, crm = Blog(), await new_database("crm")
    blog.add(email="bo@example.org", name="Bo", city="Oslo")
    blog.add(email="cy@example.org", name="Cy", city="Rome")
    shop = Shop(folder, bootstrap, crm, "")
    shop.environment["BLOG_SECRET"] = SECRET
    await shop.execute(crm, PEOPLE)
    port = free_port()
    blog.hook = f"http://127.0.0.1:{port}/hooks/blog"
    doors = Doors(blog)
    text = PROJECT
    for old, new in (("PIPELINE", pipeline), ("URL", await doors.open()), ("PORT", str(port))):
        text = text.replace(old, new)
    (folder / "duplex.yaml").write_text(text)
    try:
        await shop.json("apply")
        await shop.start()
        await shop.running()
        yield Joined(shop, blog, doors)
    finally:
        if shop.process is not None:
            await shop.stop()
        await doors.shut()


async def taken(url: str) -> bool:
    """Whether the bridge listens."""
    with suppress(aiohttp.ClientError, asyncio.TimeoutError):
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return answer.status > 0
    return False
