"""Tokens: when they are renewed, and how ours are signed."""

import asyncio
import base64
from typing import Any

import pytest

from connectors.rest import auths
from connectors.rest.auth import Credentials, OAuth2, Renewing, jwt
from connectors.rest.faults import CredentialsRefusedError, TokenAnswer, TokenRequest


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Issuer:
    """Gives one token after another, each good for so many seconds."""

    def __init__(self, life_s: float = 100) -> None:
        self.issued, self.life_s = 0, life_s

    async def fetch(self) -> tuple[Credentials, float]:
        await asyncio.sleep(0)
        self.issued += 1
        return Credentials({"Authorization": f"t{self.issued}"}), self.life_s


async def test_a_token_is_fetched_once_by_many_and_again_after_its_end() -> None:
    clock, issuer = Clock(), Issuer()
    tokens = Renewing(issuer.fetch, clock)
    await asyncio.gather(*(tokens.credentials() for _ in range(5)))
    clock.now_s += 99
    assert (await tokens.credentials()).headers["Authorization"] == "t1" and issuer.issued == 1
    clock.now_s += 1
    assert (await tokens.credentials()).headers["Authorization"] == "t2"


async def test_a_stale_token_is_renewed_once_however_many_were_refused_with_it() -> None:
    issuer = Issuer()
    tokens = Renewing(issuer.fetch, Clock())
    stale = (await tokens.credentials()).stamp

    async def refused() -> None:
        assert await tokens.renew(stale)
        assert (await tokens.credentials()).stamp > stale

    await asyncio.gather(*(refused() for _ in range(5)))
    assert issuer.issued == 2


async def test_a_token_without_life_is_used_for_a_moment_and_not_fetched_for_each_request() -> None:
    issuer = Issuer(life_s=0)
    tokens = Renewing(issuer.fetch, Clock())
    await tokens.credentials()
    await tokens.credentials()
    assert issuer.issued == 1


SAID = auths.OAuth2.model_validate(
    {"type": "oauth2", "token_url": "https://a/t", "client_id": "me", "client_secret": "s", "early": "60s"}
)


async def fetched(status: int, body: Any) -> tuple[Credentials, float]:
    async def ask(request: TokenRequest) -> TokenAnswer:
        return TokenAnswer(status, {}, body)

    return await OAuth2(SAID, ask).fetch()


@pytest.mark.parametrize(
    ("expires_in", "used_s"),
    [(3600, 3540), ("3600", 3540), (60, 30), (10, 5), (None, 3540), ("soon", 3540), ([], 3540)],
)
async def test_a_token_is_used_until_shortly_before_its_end(expires_in: Any, used_s: float) -> None:
    credentials, life_s = await fetched(200, {"access_token": "a", "expires_in": expires_in})
    assert life_s == used_s and credentials.headers == {"Authorization": "Bearer a"}


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, {"error": "invalid_client"}), (200, {}), (200, None), (200, []), (200, {"access_token": 7}), (302, None)],
)
async def test_what_is_no_token_is_refused(status: int, body: Any) -> None:
    with pytest.raises(CredentialsRefusedError, match=f"gives no token: HTTP {status}"):
        await fetched(status, body)


def test_a_token_of_ours_says_who_signed_it_and_until_when() -> None:
    said = auths.Jwt.model_validate({"type": "jwt", "secret": "s", "issuer": "joe", "claims": {"root": True}})
    head, body, _ = (base64.urlsafe_b64decode(part + "==") for part in jwt(said, 1300819080).split("."))
    assert head == b'{"alg":"HS256","typ":"JWT"}'
    assert body == b'{"iat":1300819080,"exp":1300819380,"root":true,"iss":"joe"}'
    assert jwt(said, 1300819080) == jwt(said, 1300819080) != jwt(said, 1300819081)


@pytest.mark.parametrize(("encoding", "secret"), [("text", "ab"), ("hex", "6162"), ("base64", "YWI=")])
def test_one_secret_in_three_spellings(encoding: str, secret: str) -> None:
    said = auths.Jwt.model_validate({"type": "jwt", "key": f"k:{secret}", "secret_encoding": encoding})
    plain = auths.Jwt.model_validate({"type": "jwt", "key_id": "k", "secret": "ab"})
    assert jwt(said, 7) == jwt(plain, 7)
