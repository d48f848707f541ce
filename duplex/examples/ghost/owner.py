"""The owner of a Ghost site, who works in its admin pages: every call is one that those pages make."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from duplex.examples.errors import ApplicationError

EMAIL = "owner@example.com"
# Of a site that only this machine's loopback interface reaches, and made anew each time.
PASSWORD = "made-for-tests-only"
EVENTS = ("member.added", "member.edited", "member.deleted")
LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Integration:
    """A custom integration: `admin_key` is what its settings page shows (`id:secret`)."""

    id: str
    admin_key: str


class Owner:
    """Signed in, with a session cookie as a browser has it: `async with Owner.at(site.url) as owner`."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator[Self]:
        """Signed in for the time of the block."""
        # Ghost takes session cookies only with the origin of its own pages.
        headers, cookies = {"Origin": url}, aiohttp.CookieJar(unsafe=True)
        limit = aiohttp.ClientTimeout(total=LIMIT_S)
        async with aiohttp.ClientSession(headers=headers, cookie_jar=cookies, timeout=limit) as session:
            owner = cls(url, session)
            await owner._call("POST", "session", {"username": EMAIL, "password": PASSWORD})
            yield owner

    async def integrate(self, name: str) -> Integration:
        """Make a custom integration."""
        [made] = (await self._call("POST", "integrations/?include=api_keys", {"integrations": [{"name": name}]}))[
            "integrations"
        ]
        [key] = [key["secret"] for key in made["api_keys"] if key["type"] == "admin"]
        return Integration(made["id"], key)

    async def notify(self, integration: Integration, target: str, secret: str) -> None:
        """Have Ghost post every event of members to a URL, signed with the secret."""
        for event in EVENTS:
            hook = {"event": event, "target_url": target, "secret": secret, "integration_id": integration.id}
            await self._call("POST", "webhooks", {"webhooks": [hook]})

    async def members(self) -> Sequence[Mapping[str, Any]]:
        """All members, as the admin pages show them."""
        found = (await self._call("GET", "members/?limit=all&include=labels,newsletters"))["members"]
        assert isinstance(found, list)
        return found

    async def member(self, identifier: str) -> Mapping[str, Any]:
        return _first(await self._call("GET", f"members/{identifier}"))

    async def add(self, **values: Any) -> Mapping[str, Any]:
        """Add a member: email, name, note, labels ([{"name": …}]), newsletters ([{"id": …}])."""
        return _first(await self._call("POST", "members", {"members": [values]}))

    async def edit(self, identifier: str, **values: Any) -> Mapping[str, Any]:
        """Change these values of a member."""
        return _first(await self._call("PUT", f"members/{identifier}", {"members": [values]}))

    async def remove(self, identifier: str) -> None:
        await self._call("DELETE", f"members/{identifier}")

    async def newsletter(self, name: str) -> str:
        """Make a newsletter; its id."""
        made = await self._call("POST", "newsletters", {"newsletters": [{"name": name}]})
        return str(made["newsletters"][0]["id"])

    async def _call(self, method: str, path: str, body: object = None) -> Mapping[str, Any]:
        place = path if "?" in path else f"{path}/"
        async with self._session.request(method, f"{self._url}/ghost/api/admin/{place}", json=body) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise ApplicationError(
                    f"Ghost refuses {method} {path}", self._url, f"it answers {answer.status}: {text}", "Mend the call."
                )
            found = await answer.json() if answer.content_type == "application/json" else {}
            assert isinstance(found, dict)
            return found


def _first(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    found = answer["members"][0]
    assert isinstance(found, dict)
    return found
