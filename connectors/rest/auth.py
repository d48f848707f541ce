"""Who we are, request by request: credentials that stand still, and tokens that are fetched, kept and renewed."""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import msgspec

from connectors.rest import auths, faults
from connectors.rest.faults import CredentialsRefusedError, TokenAnswer, TokenRequest

Ask = Callable[[TokenRequest], Awaitable[TokenAnswer]]
SHORTEST_LIFE_S = 5.0
UNKNOWN_LIFE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries. `stamp` tells one set from the next, so that a stale one is renewed only once."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    stamp: int = 0


class Keeper(Protocol):
    """Keeps the refresh token that a provider gave in place of ours."""

    def kept(self) -> bytes | None:
        """What was kept last."""
        ...

    async def keep(self, value: bytes) -> None:
        """Returns when it is safe."""
        ...


class Authority(Protocol):
    """One way of saying who we are."""

    async def credentials(self) -> Credentials:
        """Of the next request. Raises CredentialsRefusedError."""
        ...

    async def renew(self, stamp: int) -> bool:
        """Those of this stamp were refused; whether there may be better ones now."""
        ...


@dataclass(slots=True)
class Standing:
    """Credentials that stand in the project file."""

    given: Credentials

    async def credentials(self) -> Credentials:
        return self.given

    async def renew(self, stamp: int) -> bool:
        return False


class Renewing:
    """Credentials with an end: fetched by the first who needs them, kept until near it, one renewal at a time.

    `fetch` gives the next ones and the seconds they live. `clock_s` may have any origin.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[tuple[Credentials, float]]], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock_s = clock_s
        self._renewal = asyncio.Lock()
        self._held = Credentials()
        self._good_until_s = float("-inf")

    async def credentials(self) -> Credentials:
        if self._clock_s() < self._good_until_s:
            return self._held
        async with self._renewal:
            if self._clock_s() >= self._good_until_s:
                await self._fetch_now()
            return self._held

    async def renew(self, stamp: int) -> bool:
        async with self._renewal:
            if self._held.stamp == stamp:
                self._good_until_s = float("-inf")
        return True

    async def _fetch_now(self) -> None:
        found, life_s = await self._fetch()
        self._held = Credentials(found.headers, found.query, self._held.stamp + 1)
        self._good_until_s = self._clock_s() + max(life_s, SHORTEST_LIFE_S)


@dataclass(slots=True)
class OAuth2:
    """Fetches access tokens (RFC 6749 §4.4, §6)."""

    said: auths.OAuth2
    ask: Ask
    keeper: Keeper | None = None

    async def fetch(self) -> tuple[Credentials, float]:
        """A new token, and how long to use it (s). Raises CredentialsRefusedError."""
        answer = await self.ask(self._request())
        token = answer.body.get("access_token") if isinstance(answer.body, dict) else None
        if answer.status != 200 or not isinstance(token, str):
            raise CredentialsRefusedError(faults.of_token(answer, self.said.grant))
        await self._keep(answer.body.get("refresh_token"))
        try:
            life_s = float(answer.body.get("expires_in", UNKNOWN_LIFE_S))
        except (TypeError, ValueError):
            life_s = UNKNOWN_LIFE_S
        early_s = min(self.said.early / 1e6, life_s / 2)
        return Credentials({"Authorization": f"Bearer {token}"}), life_s - early_s

    def _request(self) -> TokenRequest:
        said, secret = self.said, self.said.client_secret
        form = {"grant_type": said.grant, **said.parameters}
        if said.scope:
            form["scope"] = said.scope
        if said.grant == "refresh_token":
            form["refresh_token"] = self._refresh_token()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if said.client_in == "header" and secret is not None:
            headers["Authorization"] = _basic(quote(said.client_id, ""), quote(secret.get_secret_value(), ""))
        else:
            form |= {"client_id": said.client_id} | ({"client_secret": secret.get_secret_value()} if secret else {})
        where = "auth.token_url"
        return TokenRequest("POST", said.token_url, headers, urlencode(form).encode(), where, where)

    def _given(self) -> str:
        return self.said.refresh_token.get_secret_value() if self.said.refresh_token else ""

    def _refresh_token(self) -> str:
        """The kept one, unless the project file's is another than when it was kept."""
        kept = self.keeper.kept() if self.keeper else None
        if kept is None:
            return self._given()
        told: dict[str, str] = msgspec.json.decode(kept, type=dict[str, str])
        return told["token"] if told.get("instead_of") == _digest(self._given()) else self._given()

    async def _keep(self, token: Any) -> None:
        if not isinstance(token, str) or self.keeper is None or self.said.grant != "refresh_token":
            return
        if token != self._refresh_token():
            await self.keeper.keep(msgspec.json.encode({"token": token, "instead_of": _digest(self._given())}))


def jwt(said: auths.Jwt, now_s: int) -> str:
    """A token signed with HS256 (RFC 7519, 7515), good from now on. Raises ValueError for a secret ill encoded."""
    key_id, secret = (said.key_id, said.secret)
    text = secret.get_secret_value() if secret else ""
    if said.key is not None:
        key_id, _, text = said.key.get_secret_value().partition(":")
    claims: dict[str, Any] = {"iat": now_s, "exp": now_s + said.lifetime // 1_000_000, **said.claims}
    named = {"aud": said.audience, "iss": said.issuer, "sub": said.subject}
    claims |= {name: value for name, value in named.items() if value is not None}
    header = {"alg": "HS256", "typ": "JWT"} | ({"kid": key_id} if key_id else {})
    signed = b".".join(_url64(msgspec.json.encode(part)) for part in (header, claims))
    signature = hmac.new(_secret_bytes(text, said.secret_encoding), signed, hashlib.sha256).digest()
    return b".".join((signed, _url64(signature))).decode()


def standing(said: auths.ApiKey | auths.Basic | auths.Bearer | auths.NoAuth) -> Standing:
    """Credentials that need no request."""
    if isinstance(said, auths.Basic):
        return Standing(Credentials({"Authorization": _basic(said.username, said.password.get_secret_value())}))
    if isinstance(said, auths.Bearer):
        return Standing(Credentials({"Authorization": f"Bearer {said.token.get_secret_value()}"}))
    if isinstance(said, auths.NoAuth):
        return Standing(Credentials())
    key = f"{said.prefix} {said.key.get_secret_value()}".strip()
    return Standing(Credentials({said.header: key} if said.header else {}, {said.query: key} if said.query else {}))


def signing(said: auths.Jwt, clock_s: Callable[[], float] = time.time) -> Renewing:
    """Tokens of our own, each used for half of its life: clocks differ."""

    async def fetch() -> tuple[Credentials, float]:
        header = f"{said.prefix} {jwt(said, int(clock_s()))}".strip()
        return Credentials({said.header: header}), said.lifetime / 2e6

    return Renewing(fetch, clock_s)


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _url64(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _secret_bytes(text: str, encoding: str) -> bytes:
    if encoding == "hex":
        return bytes.fromhex(text)
    return base64.b64decode(text, validate=True) if encoding == "base64" else text.encode()
