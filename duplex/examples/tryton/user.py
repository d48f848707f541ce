"""A user of Tryton, as its desktop and web clients are: JSON-RPC with a session."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any, Self

import aiohttp

from duplex.examples.errors import ApplicationError

ADMINISTRATOR = "admin"
# Of a database that only this machine's loopback interface reaches, and made anew each time.
PASSWORD = "made-for-tests-only"
LIMIT_S = 120.0

Row = Mapping[str, Any]


class TrytonError(ApplicationError):
    """Tryton's own answer to a call it does not carry out: the kind of error, and what the client would show."""

    def __init__(self, url: str, kind: str, message: str) -> None:
        self.kind, self.message = kind, message
        super().__init__("Tryton does not carry out a call", url, f"{kind}: {message}", "Mend the call.")


class User:
    """Signed in: `async with User.at(server.url) as user`."""

    def __init__(self, url: str, name: str, session: aiohttp.ClientSession) -> None:
        self._url, self.name, self.session = f"{url}/rpc/", name, session

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, name: str = ADMINISTRATOR, password: str = PASSWORD) -> AsyncIterator[Self]:
        """Signed in for the time of the block."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as session:
            user = cls(url, name, session)
            number, token, *_ = await user._send("common.db.login", name, {"password": password})
            shown = base64.b64encode(f"{name}:{number}:{token}".encode()).decode()
            session.headers["Authorization"] = f"Session {shown}"
            yield user

    async def call(self, method: str, *values: Any, context: Row | None = None) -> Any:
        """Call a method of a model (`model.party.party.read`). Raises TrytonError."""
        return await self._send(method, *values, dict(context or {}))

    async def add(self, model: str, **values: Any) -> int:
        """Make a record; its id."""
        [made] = await self.call(f"model.{model}.create", [values])
        return int(made)

    async def edit(self, model: str, number: int, **values: Any) -> None:
        await self.call(f"model.{model}.write", [number], values)

    async def remove(self, model: str, number: int) -> None:
        await self.call(f"model.{model}.delete", [number])

    async def read(self, model: str, number: int, *fields: str) -> Row:
        [found] = await self.call(f"model.{model}.read", [number], list(fields))
        assert isinstance(found, dict)
        return found

    async def search(self, model: str, domain: Sequence[Any], *fields: str) -> Sequence[Row]:
        """The records of a domain in the order of their ids."""
        found = await self.call(f"model.{model}.search_read", domain, 0, None, [["id", "ASC"]], list(fields))
        assert isinstance(found, list)
        return found

    async def _send(self, method: str, *parameters: Any) -> Any:
        body = {"id": 1, "method": method, "params": parameters}
        async with self.session.post(self._url, json=body) as answer:
            if answer.status != 200:
                raise TrytonError(self._url, f"status {answer.status}", await answer.text())
            found = await answer.json()
        if "error" in found:
            kind, message, *_ = found["error"]
            raise TrytonError(self._url, kind, message if isinstance(message, str) else message[0])
        return found["result"]


def number(value: str) -> Row:
    """A decimal as Tryton's clients send it."""
    return {"__class__": "Decimal", "decimal": str(Decimal(value))}


def day(value: date) -> Row:
    """A day as Tryton's clients send it."""
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
