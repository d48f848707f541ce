"""Sessions: opened by a declared request, used until their end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.rest import auths, faults
from connectors.rest.auth import Ask, Credentials
from connectors.rest.errors import TemplateError
from connectors.rest.expressions import Expression
from connectors.rest.faults import CredentialsRefusedError, Fault, TokenAnswer, TokenRequest
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
        answer = await self.ask(self._asked(who))
        given = {**who, "status": answer.status, "body": answer.body, "headers": dict(answer.headers)}
        if answer.status >= 300 or (self.ok is not None and not self.ok.holds(given)):
            raise CredentialsRefusedError(faults.of_login(answer))
        try:
            return Credentials({self.said.header: str(self.value(given))}), self.said.lifetime / 1e6
        except TemplateError as error:
            raise CredentialsRefusedError(self._valueless(answer, error)) from error

    def _asked(self, who: Mapping[str, Any]) -> TokenRequest:
        try:
            asked = self.request.asked(who, {})
        except TemplateError as error:
            raise CredentialsRefusedError(Fault(error.where, f"the request to log in: {error.reason}")) from error
        return TokenRequest(asked.method, asked.url, asked.headers, asked.body, declared="auth.request")

    def _valueless(self, answer: TokenAnswer, error: TemplateError) -> Fault:
        if answer.is_elsewhere:
            return faults.of_login(answer)
        return Fault("auth.value", f"the answer holds no session: {error.reason}", ("auth.ok",))


def compiled(said: auths.Login, url: str, ask: Ask) -> Login:
    """Raises ValueError, a sentence that names the setting."""
    bare = Common(url, lambda _: {}, lambda _: {})
    request = prepared(said.request, "auth.request", _ASKED, bare)
    try:
        ok = None if said.ok is None else Expression(said.ok, "auth.ok", _ANSWERED)
    except ValueError as error:
        raise ValueError(f"auth.ok: {error}") from error
    return Login(said, request, ok, Template(said.value, "auth.value", _ANSWERED), ask)
