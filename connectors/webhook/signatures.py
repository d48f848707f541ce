"""Whether a webhook really comes from the application that shares a secret with us.

Every scheme in use is an HMAC over some text made of the request's parts; they differ in the parts, in where the
signature and the time stand, and in how they are written. So there is one engine, and a table of schemes
(`schemes`). What is compared are digests, each of them against every active secret, in constant time.

An answer to a sender says nothing of why it was refused; `SignatureRefusedError.reason` is for our own log.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from connectors.errors import ConnectorsError

Headers = Sequence[tuple[str, str]]
Algorithm = Literal["sha1", "sha256", "sha512"]
SIZES_BYTES = {name: hashlib.new(name).digest_size for name in ("sha1", "sha256", "sha512")}
TOLERANCE_S = 300
PART = re.compile(r"\{(method|url|id|timestamp|body)\}")
DIGITS = re.compile(r"[0-9]{1,16}")
PLAIN = {f"%{ord(character):02X}": character for character in ":/?@!$'()*,;"}


@dataclass(eq=False)
class SignatureRefusedError(ConnectorsError):
    """A request that is not proven to come from the application. `reason` is one sentence without any secret."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: `url` is the public one, `headers` in order with repeats, `body` the raw bytes."""

    method: str
    url: str
    headers: Headers
    body: bytes
    _values: Mapping[str, Sequence[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values: dict[str, list[str]] = {}
        for name, value in self.headers:
            values.setdefault(name.lower(), []).append(value)
        object.__setattr__(self, "_values", values)

    def values(self, name: str) -> Sequence[str]:
        """All values of a header, its name in lower case."""
        return self._values.get(name, ())

    def header(self, name: str) -> str | None:
        """The value of a header, None where it is absent. Raises SignatureRefusedError where it comes twice."""
        found = self._values.get(name.lower())
        if found is None:
            return None
        if len(found) > 1:
            raise SignatureRefusedError(f"header {name} comes {len(found)} times")
        return found[0]

    def required(self, name: str) -> str:
        """The value of a header that must be there. Raises SignatureRefusedError."""
        found = self.header(name)
        if found is None:
            raise SignatureRefusedError(f"header {name} is missing")
        return found


@dataclass(frozen=True, slots=True)
class Verified:
    """A request whose signature holds: the sender's id of the delivery and when it was sent (s), where it says so."""

    delivery_id: str | None
    sent_s: float | None


@dataclass(frozen=True, slots=True)
class Scheme:
    """How an application signs.

    `signed`: the text that is signed, of `{method} {url} {id} {timestamp} {body}`. `layout` of the signature header:
    `plain` (`prefix` and the signature), `pairs` (`t=…,v1=…`: signatures under `key`, the time under `time_key`), or
    `list` (blanks between, each `prefix` and a signature). `timestamp_header` has the time where it is not in the
    pairs; `unit` is how it is written. A scheme without a time cannot tell a repeat from the first: the bridge's
    memory of delivery ids must. `secret` is how the shared secret is written. `plain_url`: some characters of the
    address are signed as they are, however the request line writes them.

    `id_header` names the delivery, or `id_path` does, a place in its JSON. `keep`: headers that say what a delivery is
    about.
    """

    header: str
    signed: str = "{body}"
    algorithm: Algorithm = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    layout: Literal["plain", "pairs", "list"] = "plain"
    prefix: str = ""
    key: str = ""
    time_key: str | None = None
    timestamp_header: str | None = None
    unit: Literal["s", "ms", "iso"] = "s"
    id_header: str | None = None
    secret: Literal["text", "whsec"] = "text"
    tolerance_s: float = TOLERANCE_S
    plain_url: bool = False
    id_path: str | None = None
    keep: tuple[str, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether requests say when they were sent."""
        return self.timestamp_header is not None or self.time_key is not None

    def verify(self, request: Request, secrets: Sequence[str], now_s: float) -> Verified:
        """The delivery, if one of the secrets signed it not longer ago than the tolerance, nor in the future.

        Raises SignatureRefusedError.
        """
        signatures, timestamp = self._presented(request)
        sent_s = None if timestamp is None else self._instant(timestamp, now_s)
        delivery_id = self._delivery_id(request)
        text = self._text(request, delivery_id or "", timestamp or "")
        expected = [hmac.digest(self.key_of(secret), text, self.algorithm) for secret in secrets]
        # No early exit: how long this takes says nothing of which secret, or which signature, was nearly right.
        hits = [hmac.compare_digest(one, other) for one in expected for other in signatures]
        if not any(hits):
            raise SignatureRefusedError("no active secret made this signature")
        return Verified(delivery_id, sent_s)

    def _presented(self, request: Request) -> tuple[list[bytes], str | None]:
        value = request.required(self.header)
        timestamp = None if self.timestamp_header is None else request.required(self.timestamp_header)
        if self.layout == "pairs":
            pairs = [_pair(part) for part in value.split(",")]
            texts = [text for name, text in pairs if name == self.key]
            times = [text for name, text in pairs if name == self.time_key]
            if self.time_key is not None:
                timestamp = _only(times, f"{self.time_key} in header {self.header}")
        elif self.layout == "list":
            texts = [part.removeprefix(self.prefix) for part in value.split(" ") if part.startswith(self.prefix)]
        else:
            texts = [value.removeprefix(self.prefix)] if value.startswith(self.prefix) else []
        signatures = [found for text in texts if (found := self._decoded(text)) is not None]
        if not signatures:
            raise SignatureRefusedError(f"header {self.header} holds no {self.algorithm} signature in {self.encoding}")
        return signatures, timestamp

    def _decoded(self, text: str) -> bytes | None:
        try:
            found = bytes.fromhex(text) if self.encoding == "hex" else base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            return None
        # fromhex reads over blanks.
        blanks = self.encoding == "hex" and len(text) != 2 * len(found)
        return None if blanks or len(found) != SIZES_BYTES[self.algorithm] else found

    def _instant(self, text: str, now_s: float) -> float:
        sent_s = _seconds(text, self.unit)
        if sent_s is None:
            raise SignatureRefusedError("the time of the request cannot be read")
        if abs(now_s - sent_s) > self.tolerance_s:
            side = "ago" if sent_s < now_s else "in the future"
            raise SignatureRefusedError(
                f"sent {abs(now_s - sent_s):.0f} s {side}; {self.tolerance_s:.0f} s are allowed"
            )
        return sent_s

    def _delivery_id(self, request: Request) -> str | None:
        if self.id_header is None:
            return None
        return request.required(self.id_header) if "{id}" in self.signed else request.header(self.id_header)

    def _text(self, request: Request, delivery_id: str, timestamp: str) -> bytes:
        if self.signed == "{body}":
            return request.body
        parts = {
            "method": request.method.encode(),
            "url": _raw(_plain(request.url) if self.plain_url else request.url),
            "id": _raw(delivery_id),
            "timestamp": _raw(timestamp),
            "body": request.body,
        }
        pieces = PART.split(self.signed)
        return b"".join(parts[piece] if place % 2 else piece.encode() for place, piece in enumerate(pieces))

    def key_of(self, secret: str) -> bytes:
        """The bytes that sign, of a shared secret as it is written. Raises SecretError."""
        if self.secret == "text":
            return secret.encode()
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise SecretError("a whsec_ secret is base64 behind its prefix, and this one is not") from error


@dataclass(eq=False)
class SecretError(ConnectorsError):
    """A shared secret that cannot be one of its scheme."""

    reason: str

    def __str__(self) -> str:
        return f"{self.reason}. Copy it again from the application's webhook settings."


def _raw(text: str) -> bytes:
    # Header bytes that are no UTF-8 arrive as lone surrogates.
    return text.encode("utf-8", "surrogateescape")


def _plain(url: str) -> str:
    for written, character in PLAIN.items():
        url = url.replace(written, character).replace(written.lower(), character)
    return url


def _pair(part: str) -> tuple[str, str]:
    name, _, text = part.strip(" ").partition("=")
    return name, text


def _only(found: Sequence[str], what: str) -> str:
    if len(found) != 1:
        raise SignatureRefusedError(f"{what} comes {len(found)} times, where once is right")
    return found[0]


def _seconds(text: str, unit: str) -> float | None:
    if unit != "iso":
        return int(text) / (1000 if unit == "ms" else 1) if DIGITS.fullmatch(text) else None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else found.timestamp()
