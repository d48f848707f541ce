"""Which key of the project file is to be changed when an application does not let us in, or answers from elsewhere.

Whoever answers in JSON is the application: then it is what we say of ourselves that is wrong, `auth`. Whoever answers
with a web page, a redirect or not at all is somebody else, or nobody: then it is the address, `url` or `token_url`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PAGE_TO_LOG_IN = re.compile(r"(log|sign)[-_]?(in|on)|sso|sessions?", re.IGNORECASE)
_NOT_HERE = frozenset({404, 405, 410})
_NOT_YOU = frozenset({401, 403})
_OAUTH_ERRORS = {
    "invalid_client": "auth.client_id",
    "unauthorized_client": "auth.grant",
    "unsupported_grant_type": "auth.grant",
    "invalid_scope": "auth.scope",
    "invalid_request": "auth.parameters",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, as one sentence without its stop. `setting` is the key to change, below the system's; `others`
    are those that it may be as well."""

    setting: str
    reason: str
    others: tuple[str, ...] = ()


class CredentialsRefusedError(Exception):
    """Nobody lets us in with what the project file says."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token or session to be had: what the answer holds. `fault`: why its body could not be read."""

    status: int
    headers: Mapping[str, str]
    body: Any
    fault: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """Whether somebody else answered than an application that gives tokens."""
        return 300 <= self.status < 400 or (bool(self.fault) and self.status not in _NOT_YOU)

    def told(self) -> str:
        """Status and words, for a sentence."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        where = self.headers.get("location", "").partition("?")[0] if 300 <= self.status < 400 else ""
        words = [where and f"a redirect to {where}", self.fault, "" if error is None else str(error)[:200]]
        return ", ".join([f"HTTP {self.status}", *(one for one in words if one)])


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request of ours for a token or a session. `url` is absolute, or a path of the system's; `address` is the
    setting that says where it goes, `declared` the one that says what is asked."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    address: str = "url"
    declared: str = "auth"


def of_token(answer: TokenAnswer, grant: str) -> Fault:
    """Of an answer of `auth.token_url` that holds no token. The errors are those of RFC 6749 §5.2."""
    reason = f"the token endpoint gives no token: {answer.told()}"
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    if answer.is_elsewhere or (error is None and (answer.status in _NOT_HERE or answer.status < 300)):
        return Fault("auth.token_url", reason)
    if error == "invalid_grant" and grant == "refresh_token":
        return Fault("auth.refresh_token", reason)
    if error in _OAUTH_ERRORS and error != "invalid_client":
        return Fault(_OAUTH_ERRORS[error], reason)
    return Fault("auth.client_id", reason, ("auth.client_secret", "auth.client_in"))


def of_login(answer: TokenAnswer) -> Fault:
    """Of an answer to `auth.request` that is no session."""
    reason = f"no session is opened: {answer.told()}"
    if answer.is_elsewhere:
        return Fault("url", f"{reason}; that is not the application's own answer", ("auth.request.path",))
    if answer.status in _NOT_YOU or answer.status < 300:
        return Fault("auth.password", f"the credentials are refused: {reason}", ("auth.username",))
    if answer.status == 405:
        return Fault("auth.request.method", reason, ("auth.request.path",))
    return Fault("auth.request", reason, ("auth.username", "auth.password"))


def away(status: int, fault: str, request: TokenRequest) -> str:
    """The setting to look at when a request for a token is not answered as one, and may be later."""
    if status == 429:
        return "limits"
    return request.declared if status == 500 and not fault else request.address


def of_redirect(setting: str, reason: str, location: str, same_origin: bool) -> Fault:
    """Of a request that is sent elsewhere: to a page to log in, to another server, or to another path of this one."""
    last = location.partition("?")[0].rstrip("/").rpartition("/")[2]
    if _PAGE_TO_LOG_IN.search(last):
        return Fault("auth", f"{reason}, where people log in", ("url",))
    return Fault(f"{setting}.path" if same_origin else "url", reason, ("url",) if same_origin else (f"{setting}.path",))


def of_headers(headers: Mapping[str, str]) -> Fault | None:
    """Of credentials that cannot stand in a header; None if they can."""
    for name, value in headers.items():
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            return Fault("auth", f"what is to stand in the header {name} holds a control character, such as a line end")
    return None
