"""A user of Tryton, as its desktop and web clients are: JSON-RPC with a session."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import aiohttp

ADMINISTRATOR = "admin"
# Of a database that only this machine's loopback interface reaches, made anew for each test.
PASSWORD = "made-for-tests-only"
LIMIT_S = 120.0

Row = Mapping[str, Any]


@dataclass(eq=False)
class TrytonError(Exception):
    """Tryton's own answer to a call it does not carry out: the kind of error, and what the client would show."""

    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class User:
    """`async with User(server.url) as user`: signed in."""

    def __init__(self, url: str, name: str = ADMINISTRATOR, password: str = PASSWORD) -> None:
        self._url, self._name, self._password = f"{url}/rpc/", name, password
        self.session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S))
        try:
            number, token, *_ = await self._send("common.db.login", self._name, {"password": self._password})
        except BaseException:
            await self.session.close()
            raise
        shown = base64.b64encode(f"{self._name}:{number}:{token}".encode()).decode()
        self.session.headers["Authorization"] = f"Session {shown}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.session is not None:
            await self.session.close()

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
        assert self.session is not None, "sign in first: async with User(…)"
        body = {"id": 1, "method": method, "params": parameters}
        async with self.session.post(self._url, json=body) as answer:
            if answer.status != 200:
                raise TrytonError(f"status {answer.status}", await answer.text())
            found = await answer.json()
        if "error" in found:
            kind, message, *_ = found["error"]
            raise TrytonError(kind, message if isinstance(message, str) else message[0])
        return found["result"]


def number(value: str) -> Row:
    """A decimal as Tryton's clients send it."""
    return {"__class__": "Decimal", "decimal": str(Decimal(value))}
