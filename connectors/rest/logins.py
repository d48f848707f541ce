"""Sessions: opened by a declared request, used until their end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.rest import auths
from connectors.rest.auth import Ask, Credentials, CredentialsRefusedError, TokenAnswer, TokenRequest
from connectors.rest.errors import TemplateError
from connectors.rest.expressions import Expression
from connectors.rest.requests import Common, Prepared, prepared
from connectors.rest.templates import Template

_ASKED = frozenset({"username", "password"})
_ANSWERED = frozenset({"status", "body", "headers", "username", "password"})


@dataclass(frozen=True, slots=True)
class Login:
    """A compiled login. `ask` sends its request."""

    said: auths.Login
    request: Prepared
    ok: Expression | None
    value: Template
    ask: Ask

    async def fetch(self) -> tuple[Credentials, float]:
        """A new session, and how long to use it (s). Raises CredentialsRefusedError, UnreachableError."""
        who = {"username": self.said.username, "password": self.said.password.get_secret_value()}
        asked = self.request.asked(who, {})
        answer = await self.ask(TokenRequest(asked.method, asked.url, asked.headers, asked.body))
        given = {**who, "status": answer.status, "body": answer.body, "headers": dict(answer.headers)}
        if answer.status >= 300 or (self.ok is not None and not self.ok.holds(given)):
            raise CredentialsRefusedError(f"no session is opened: HTTP {answer.status}{_words(answer)}")
        return Credentials({self.said.header: self._value(given)}), self.said.lifetime / 1e6

    def _value(self, given: Mapping[str, Any]) -> str:
        try:
            return str(self.value(given))
        except TemplateError as error:
            raise CredentialsRefusedError(f"the answer holds no session: {error.reason}") from error


def compiled(said: auths.Login, url: str, ask: Ask) -> Login:
    """Raises ValueError, a sentence that names the setting."""
    bare = Common(url, lambda _: {}, lambda _: {})
    request = prepared(said.request, "auth.request", _ASKED, bare)
    try:
        ok = None if said.ok is None else Expression(said.ok, "auth.ok", _ANSWERED)
    except ValueError as error:
        raise ValueError(f"auth.ok: {error}") from error
    return Login(said, request, ok, Template(said.value, "auth.value", _ANSWERED), ask)


def _words(answer: TokenAnswer) -> str:
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return "" if error is None else f", {str(error)[:200]}"
