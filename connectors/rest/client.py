"""Requests to one application: a turn, credentials, one exchange, and what its answer means.

A request that had no effect is sent again, a few times, with growing pauses; one that may have had an effect never is:
`AnswerLostError` says so. aiohttp itself sends a PUT or DELETE anew when a kept connection turns out to be closed;
`_never_again` keeps it from that.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
from aiohttp import client_exceptions
from aiohttp.abc import AbstractResolver
from prometheus_client import Counter
from yarl import URL

from connectors.errors import RefusedError, UnreachableError
from connectors.http.destinations import DestinationRefusedError, Destinations, VettingResolver
from connectors.http.urgency import FIRST, urgent
from connectors.remote.api import AnswerLostError, MovedError, RowRefusedError
from connectors.rest import answers, faults
from connectors.rest.accounts import Account, PatienceError
from connectors.rest.answers import Answer, Judge
from connectors.rest.auth import Authority, Credentials
from connectors.rest.declaration import Limits
from connectors.rest.faults import CredentialsRefusedError, Fault, TokenAnswer, TokenRequest

REQUESTS = Counter("duplex_rest_requests_total", "Requests by what their answers meant.", ["system", "meaning"])
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 10.0
CONNECT_LIMIT_S = 10.0
# Less than the five seconds after which common servers close a connection that is idle.
KEEP_ALIVE_S = 4.0
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to be sent. `setting` is where it is declared; `reading`: it changes nothing; `conditional`: it
    names a tag, of the row `local_id`."""

    setting: str
    method: str
    url: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    reading: bool = True
    conditional: bool = False
    local_id: str = ""
    judge: Judge = field(default_factory=Judge)


@dataclass(frozen=True, slots=True)
class Manners:
    """How this application is talked to. `content_types` are JSON besides the usual; `tagged`: see `tagging`."""

    system: str
    url: str
    limits: Limits
    destinations: Destinations
    content_types: tuple[str, ...] = ()
    tagged: bool = False

    @property
    def origin(self) -> tuple[str, str]:
        """Where credentials go."""
        return _origin(self.url)


class _BusyError(Exception):
    """Nothing took effect: the request may be sent again."""


class _LoginError(Exception):
    """The credentials of a stamp were not good."""

    def __init__(self, stamp: int, reason: str) -> None:
        super().__init__(reason)
        self.stamp = stamp


class _CutError(Exception):
    """The request was sent, or a part of it, and no answer came."""


class Client:
    """See the module's text. `chance` gives numbers from 0 to 1; `resolver` resolves the names of hosts."""

    def __init__(
        self,
        manners: Manners,
        account: Account,
        resolver: Callable[[], AbstractResolver] = aiohttp.DefaultResolver,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.manners = manners
        self.authority: Authority | None = None
        self._account = account
        self._resolver = resolver
        self._chance = chance
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, asked: Asked) -> Answer:
        """The answer of a request that was done, or that there is no such row (`Answer.missing`).

        Raises UnreachableError, RefusedError, RowRefusedError, MovedError, AnswerLostError.
        """
        tries, renewed = 0, False
        while True:
            tries += 1
            try:
                return await self._once(asked)
            except _LoginError as error:
                if renewed or self.authority is None or not await self.authority.renew(error.stamp):
                    raise self._no_credentials(str(error)) from error
                renewed, tries = True, tries - 1
            except _BusyError as error:
                if tries >= self.manners.limits.attempts:
                    raise self._away(str(error)) from error
                await asyncio.sleep(pause_s(tries, self._chance()))

    async def ask_token(self, request: TokenRequest) -> TokenAnswer:
        """The answer to a request for a token, which carries no other credentials. Raises UnreachableError."""
        url = request.url if "://" in request.url else self.manners.url + request.url
        asked = Asked(request.declared, request.method, url, headers=request.headers, body=request.body)
        try:
            # Whoever asks for it, all wait for it.
            with urgent(FIRST):
                found = await self._exchange(asked, Credentials())
        except (_BusyError, _CutError) as error:
            raise self._away(str(error), request.address, _bare(url)) from error
        self._account.observe(found.status, found.headers)
        if found.status >= 500 or found.status in (408, 429):
            setting = faults.away(found.status, found.fault, request)
            raise self._away(f"HTTP {found.status} to the request for a token", setting, _bare(url))
        return TokenAnswer(found.status, found.headers, found.body, found.fault)

    async def close(self) -> None:
        """Let go of the connections; may be called twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _once(self, asked: Asked) -> Answer:
        credentials = await self._credentials(asked.url)
        try:
            answer = await self._exchange(asked, credentials)
        except _CutError as error:
            self._count("lost")
            raise self._unsure(asked, str(error)) from error
        self._account.observe(answer.status, answer.headers)
        meaning, reason = asked.judge.meaning(answer, asked.conditional)
        self._count(meaning)
        if meaning == "done" and not answer.fault:
            return answer
        if meaning == "missing":
            return replace(answer, missing=True)
        raise self._complaint(asked, answer, "unsure" if meaning == "done" else meaning, reason, credentials)

    def _complaint(
        self, asked: Asked, answer: Answer, meaning: str, reason: str, credentials: Credentials
    ) -> Exception:
        if meaning == "unsure":
            return self._unsure(asked, reason)
        if meaning == "busy":
            return _BusyError(reason)
        if meaning == "login":
            return _LoginError(credentials.stamp, reason)
        if meaning == "moved":
            return MovedError(self.manners.system, asked.local_id)
        if meaning == "row":
            return RowRefusedError(self.manners.system, reason)
        if answer.status == 403:
            return self._no_credentials(reason)
        if 300 <= answer.status < 400:
            return self._redirected(asked, answer.headers.get("location", ""), reason)
        return self._faulty(Fault(asked.setting, f"{asked.method} {_bare(asked.url)}: {reason}", ("url",)))

    def _redirected(self, asked: Asked, location: str, reason: str) -> Exception:
        why = f"{asked.method} {_bare(asked.url)}: {reason}, a redirect to {location.partition('?')[0] or 'nowhere'}"
        return self._faulty(faults.of_redirect(asked.setting, why, location, _stays(asked.url, location)))

    def _unsure(self, asked: Asked, reason: str) -> Exception:
        if asked.reading:
            return _BusyError(reason)
        return AnswerLostError(self.manners.system, f"{asked.method} {_bare(asked.url)}: {reason}")

    async def _credentials(self, url: str) -> Credentials:
        if self.authority is None or _origin(url) != self.manners.origin:
            return Credentials()
        try:
            found = await self.authority.credentials()
        except CredentialsRefusedError as error:
            raise self._faulty(error.fault) from error
        if (fault := faults.of_headers(found.headers)) is not None:
            raise self._faulty(fault)
        return found

    async def _exchange(self, asked: Asked, credentials: Credentials) -> Answer:
        """One request and its answer. Raises _BusyError where nothing was sent, _CutError where that is unsure."""
        limits = self.manners.limits
        try:
            url = _full(self.manners.destinations.vetted(asked.url), [*asked.query, *credentials.query.items()])
            async with self._account.turn(limits.patience / 1e6):
                return await self._sent(asked, url, {**asked.headers, **credentials.headers})
        except PatienceError as error:
            raise self._away(str(error), "limits") from error
        except DestinationRefusedError as error:
            remedy = f"Look at {self._setting('hosts')}, and at {self._setting('networks')}."
            raise self._refused(asked, str(error).rstrip("."), remedy) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _BusyError(f"no connection: {error}") from error
        except (aiohttp.InvalidURL, ValueError) as error:
            raise self._refused(asked, f"the request cannot be sent: {error}", "Correct it.") from error
        except TimeoutError as error:
            raise _CutError(f"no answer within {limits.timeout / 1e6:g} s") from error
        except aiohttp.ClientError as error:
            raise _CutError(f"the connection broke: {error or type(error).__name__}") from error

    async def _sent(self, asked: Asked, url: URL, headers: Mapping[str, str]) -> Answer:
        session = self._open()
        async with session.request(
            asked.method, url, headers=headers, data=asked.body, allow_redirects=False, middlewares=(_never_again,)
        ) as response:
            content = await self._content(asked, response)
            lower = {name.lower(): value for name, value in response.headers.items()}
            manners = self.manners
            place = f"{asked.method} {_bare(asked.url)}"
            return answers.read(response.status, lower, place, content, manners.tagged, manners.content_types)

    async def _content(self, asked: Asked, response: aiohttp.ClientResponse) -> bytes:
        limit, found = self.manners.limits.answer, bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            found += chunk
            if len(found) > limit:
                response.close()
                why = f"the answer is larger than {limit} bytes"
                if not asked.reading:
                    raise _CutError(why)
                raise self._refused(asked, why, "Ask for less (pagination.size), or raise limits.answer.")
        return bytes(found)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = self.manners.limits
            total_s = limits.timeout / 1e6
            resolver = VettingResolver(self.manners.destinations, self._resolver())
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit=0, keepalive_timeout=KEEP_ALIVE_S),
                timeout=aiohttp.ClientTimeout(total=total_s, connect=min(CONNECT_LIMIT_S, total_s)),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "User-Agent": "duplex"},
            )
        return self._session

    def _count(self, meaning: str) -> None:
        REQUESTS.labels(self.manners.system, meaning).inc()

    def _setting(self, name: str) -> str:
        return f"systems.{self.manners.system}.{name}"

    def _away(self, reason: str, setting: str = "url", address: str = "") -> UnreachableError:
        return UnreachableError(self.manners.system, address or self.manners.url, self._setting(setting), reason)

    def _no_credentials(self, reason: str) -> RefusedError:
        return self._faulty(Fault("auth", f"the credentials are refused: {reason}"))

    def _faulty(self, fault: Fault) -> RefusedError:
        others = "".join(f", or {self._setting(other)}" for other in fault.others)
        what = f"setting {self._setting(fault.setting)}"
        return RefusedError(self.manners.system, what, fault.reason, f"Correct it{others}.")

    def _refused(self, asked: Asked, why: str, remedy: str) -> RefusedError:
        return RefusedError(self.manners.system, f"{asked.method} {_bare(asked.url)}", why, remedy)


def pause_s(tries: int, chance: float) -> float:
    """How long to wait before the next try: twice as long each time, anywhere in the upper half of that."""
    whole: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1))
    return whole * (0.5 + chance / 2)


async def _never_again(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    try:
        response: aiohttp.ClientResponse = await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (client_exceptions.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _CutError(f"the connection broke: {error or type(error).__name__}") from error
    return response


def _full(url: str, query: Sequence[tuple[str, str]]) -> URL:
    joint = "&" if "?" in url else "?"
    return URL(f"{url}{joint}{urlencode(query)}" if query else url, encoded=True)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, f"{parts.hostname}:{port}"


def _stays(url: str, location: str) -> bool:
    """Whether a redirect leads to the same server."""
    try:
        return _origin(urljoin(url, location)) == _origin(url)
    except ValueError:
        return False


def _bare(url: str) -> str:
    """Without its query, which may hold a key."""
    return url.partition("?")[0]
