"""Signs requests as the applications do, written out one by one: a second opinion on the one engine we have."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.webhook.signatures import Request

NOW_S = 1_790_000_000
BODY = b'{"member": {"id": 7, "name": "Zo\xc3\xab"}}'
URL = "https://hooks.example.com/in/crm"
SECRET = "a secret of forty-two letters, or nearly so"
OTHER = "the secret before that one"
Sign = Callable[[bytes, str, int], list[tuple[str, str]]]


def _mac(secret: bytes, text: bytes) -> bytes:
    return hmac.new(secret, text, hashlib.sha256).digest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def standard(body: bytes, secret: str, at_s: int) -> list[tuple[str, str]]:
    mac = _mac(base64.b64decode(secret.removeprefix("whsec_")), f"msg_1.{at_s}.".encode() + body)
    return [("webhook-id", "msg_1"), ("webhook-timestamp", str(at_s)), ("webhook-signature", f"v1,{_b64(mac)}")]


def stripe(body: bytes, secret: str, at_s: int) -> list[tuple[str, str]]:
    return [("Stripe-Signature", f"t={at_s},v1={_mac(secret.encode(), f'{at_s}.'.encode() + body).hex()}")]


def github(body: bytes, secret: str, at_s: int) -> list[tuple[str, str]]:
    return [("X-GitHub-Delivery", "d-1"), ("X-Hub-Signature-256", f"sha256={_mac(secret.encode(), body).hex()}")]


def shopify(body: bytes, secret: str, at_s: int) -> list[tuple[str, str]]:
    return [("X-Shopify-Webhook-Id", "w-1"), ("X-Shopify-Hmac-Sha256", _b64(_mac(secret.encode(), body)))]


def zendesk(body: bytes, secret: str, at_s: int) -> list[tuple[str, str]]:
    at = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    mac = _b64(_mac(secret.encode(), at.encode() + body))
    return [("X-Zendesk-Webhook-Signature-Timestamp", at), ("X-Zendesk-Webhook-Signature", mac)]


def hubspot(body: bytes, secret: str, at_s: int) -> list[tuple[str, str]]:
    text = b"POST" + URL.encode() + body + f"{at_s}000".encode()
    mac = _b64(_mac(secret.encode(), text))
    return [("X-HubSpot-Request-Timestamp", f"{at_s}000"), ("X-HubSpot-Signature-v3", mac)]


def slack(body: bytes, secret: str, at_s: int) -> list[tuple[str, str]]:
    mac = _mac(secret.encode(), f"v0:{at_s}:".encode() + body).hex()
    return [("X-Slack-Request-Timestamp", str(at_s)), ("X-Slack-Signature", f"v0={mac}")]


def ghost(body: bytes, secret: str, at_s: int) -> list[tuple[str, str]]:
    mac = _mac(secret.encode(), body + f"{at_s}000".encode()).hex()
    return [("X-Ghost-Signature", f"sha256={mac}, t={at_s}000")]


@dataclass(frozen=True)
class Signer:
    """A scheme's own way to sign, the header that holds the signature, and whether the time is signed."""

    sign: Sign
    header: str
    timed: bool = True
    secret: str = SECRET
    other: str = OTHER


KEY = "whsec_" + base64.b64encode(SECRET.encode()).decode()
SIGNERS = {
    "standard": Signer(standard, "webhook-signature", True, KEY, "whsec_" + base64.b64encode(OTHER.encode()).decode()),
    "stripe": Signer(stripe, "Stripe-Signature"),
    "github": Signer(github, "X-Hub-Signature-256", timed=False),
    "shopify": Signer(shopify, "X-Shopify-Hmac-Sha256", timed=False),
    "zendesk": Signer(zendesk, "X-Zendesk-Webhook-Signature"),
    "hubspot": Signer(hubspot, "X-HubSpot-Signature-v3"),
    "slack": Signer(slack, "X-Slack-Signature"),
    "ghost": Signer(ghost, "X-Ghost-Signature"),
}


def request(body: bytes, headers: list[tuple[str, str]], url: str = URL) -> Request:
    """A POST as it comes over the wire."""
    return Request("POST", url, headers, body)


def signed(name: str, body: bytes = BODY, at_s: int = NOW_S, secret: str | None = None) -> Request:
    """A request signed as the application would."""
    signer = SIGNERS[name]
    return request(body, signer.sign(body, secret or signer.secret, at_s))
