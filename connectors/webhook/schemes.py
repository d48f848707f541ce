"""The signature schemes of the applications that people connect, by the name that a project file uses.

Each is what the application's own documentation says today. Where it signs no time (GitHub, Shopify), a captured
request can be sent again: the memory of delivery ids is what stops it, for as long as it lasts.
"""

from collections.abc import Mapping

from connectors.webhook.signatures import Request, Scheme, Verified

SCHEMES: Mapping[str, Scheme] = {
    # The Standard Webhooks specification 1.0; Svix and many others sign so.
    "standard": Scheme(
        header="webhook-signature",
        signed="{id}.{timestamp}.{body}",
        encoding="base64",
        layout="list",
        prefix="v1,",
        timestamp_header="webhook-timestamp",
        id_header="webhook-id",
        secret="whsec",
    ),
    "stripe": Scheme(
        header="Stripe-Signature",
        signed="{timestamp}.{body}",
        layout="pairs",
        key="v1",
        time_key="t",
        id_path="id",
    ),
    "github": Scheme(
        header="X-Hub-Signature-256", prefix="sha256=", id_header="X-GitHub-Delivery", keep=("x-github-event",)
    ),
    "shopify": Scheme(
        header="X-Shopify-Hmac-Sha256",
        encoding="base64",
        id_header="X-Shopify-Webhook-Id",
        keep=("x-shopify-topic", "x-shopify-shop-domain", "x-shopify-triggered-at"),
    ),
    "zendesk": Scheme(
        header="X-Zendesk-Webhook-Signature",
        signed="{timestamp}{body}",
        encoding="base64",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
        unit="iso",
        id_header="X-Zendesk-Webhook-Invocation-Id",
    ),
    "hubspot": Scheme(
        header="X-HubSpot-Signature-v3",
        signed="{method}{url}{body}{timestamp}",
        encoding="base64",
        timestamp_header="X-HubSpot-Request-Timestamp",
        unit="ms",
        plain_url=True,
    ),
    "slack": Scheme(
        header="X-Slack-Signature",
        signed="v0:{timestamp}:{body}",
        prefix="v0=",
        timestamp_header="X-Slack-Request-Timestamp",
        id_path="event_id",
    ),
    # Since 5.87 the time is signed too, behind the body.
    "ghost": Scheme(
        header="X-Ghost-Signature", signed="{body}{timestamp}", layout="pairs", key="sha256", time_key="t", unit="ms"
    ),
}


def verify(name: str, request: Request, secrets: tuple[str, ...], now_s: float) -> Verified:
    """Judge a request by a scheme's name. Raises SignatureRefusedError, SecretError, KeyError."""
    return SCHEMES[name].verify(request, secrets, now_s)
