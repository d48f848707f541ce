"""What an application's answers say about its rate limit, whatever dialect they say it in.

Understood are `Retry-After` (RFC 9110 §10.2.3: seconds or a date), `RateLimit` with `RateLimit-Policy` (IETF draft
ratelimit-headers, items `"name";r=50;t=30`), `RateLimit-Limit/-Remaining/-Reset` (its earlier versions), the many
`X-RateLimit-*` and `X-Rate-Limit-*`, and `X-Shopify-Shop-Api-Call-Limit: 32/40`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

NUMBER = re.compile(r"\s*([0-9]{1,15})(\.[0-9]+)?\s*(?:[,;].*)?")
PARAMETER = re.compile(r";\s*([a-z]+)\s*=\s*([0-9]{1,15})")
LEAST_EPOCH_S = 1_000_000_000
FAMILIES = ("ratelimit", "x-ratelimit", "x-rate-limit")


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands: requests left until `reset_s` (a clock's reading), of `limit` in all where it is told."""

    remaining: int
    reset_s: float
    limit: int | None = None


def standing(headers: Mapping[str, str], now_s: float, window_s: float) -> Standing | None:
    """What the rate-limit headers of an answer say; None where there are none that can be read.

    `headers` have lower-case names. `window_s` is assumed where the answer does not tell when the count begins anew.
    """
    for read in (_draft, _families, _bucket):
        if (found := read(headers, now_s, window_s)) is not None:
            return found
    return None


def retry_at_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """When the application wants to be asked again; None where it does not say."""
    text = headers.get("retry-after")
    if text is None:
        return None
    if (seconds := _number(text)) is not None:
        return now_s + seconds
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return max(now_s, (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def _draft(headers: Mapping[str, str], now_s: float, window_s: float) -> Standing | None:
    """The item that leaves least, where several policies hold at once."""
    found: list[Standing] = []
    policies = {_name(item): dict(PARAMETER.findall(item)) for item in _items(headers.get("ratelimit-policy", ""))}
    for item in _items(headers.get("ratelimit", "")):
        said = dict(PARAMETER.findall(item))
        policy = policies.get(_name(item), {})
        if "r" in said:
            limit = int(policy["q"]) if "q" in policy else None
            seconds = float(said.get("t") or policy.get("w") or window_s)
            found.append(Standing(int(said["r"]), now_s + seconds, limit))
    return min(found, key=lambda one: (one.remaining, -one.reset_s), default=None)


def _families(headers: Mapping[str, str], now_s: float, window_s: float) -> Standing | None:
    for family in FAMILIES:
        remaining = _number(headers.get(f"{family}-remaining", ""))
        if remaining is None:
            continue
        limit = _number(headers.get(f"{family}-limit", headers.get(family, "")))
        reset = _number(headers.get(f"{family}-reset", headers.get("ratelimit-reset", "")))
        reset_s = now_s + window_s if reset is None else _instant_s(reset, now_s)
        return Standing(int(remaining), reset_s, None if limit is None else int(limit))
    return None


def _bucket(headers: Mapping[str, str], now_s: float, window_s: float) -> Standing | None:
    used, slash, size = headers.get("x-shopify-shop-api-call-limit", "").partition("/")
    if not slash or (spent := _number(used)) is None or (limit := _number(size)) is None:
        return None
    return Standing(max(0, int(limit - spent)), now_s + window_s, int(limit))


def _instant_s(value: float, now_s: float) -> float:
    """Some say in how many seconds, some at which second, some at which millisecond."""
    if value < LEAST_EPOCH_S:
        return now_s + value
    return max(now_s, value / 1000 if value > LEAST_EPOCH_S * 1000 else value)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _name(item: str) -> str:
    return item.partition(";")[0].strip()


def _number(text: str) -> float | None:
    found = NUMBER.fullmatch(text)
    return None if found is None else float(found[1] + (found[2] or ""))
