"""Where a request came from and what address it was sent to, behind proxies too: only of those that are trusted."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.webhook.endpoints import Network
from connectors.webhook.signatures import Headers

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Origin:
    """`address`: the nearest one that is no trusted proxy; None where it cannot be told. `root`: scheme and host of the
    address that the sender used."""

    address: Address | None
    root: str


def origin(peer: str | None, scheme: str, headers: Headers, trusted: Sequence[Network]) -> Origin:
    """What the connection's other end and the headers say. Of several values in one header, the last is the nearest
    proxy's, and the only one that a sender cannot have made up."""
    address, host = parsed(peer), _last(headers, "host") or ""
    if address is None or not within(address, trusted):
        return Origin(address, f"{scheme}://{host}")
    scheme = _last(headers, "x-forwarded-proto") or scheme
    host = _last(headers, "x-forwarded-host") or host
    return Origin(_forwarded(headers, trusted), f"{scheme}://{host}")


def parsed(text: str | None) -> Address | None:
    """The address, an IPv4 one in IPv6's clothes as what it is; None where it is none."""
    try:
        found = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address.version == network.version and address in network for network in networks)


def _forwarded(headers: Headers, trusted: Sequence[Network]) -> Address | None:
    chain = [part.strip() for part in ",".join(_all(headers, "x-forwarded-for")).split(",")]
    for text in reversed(chain):
        address = parsed(text)
        if address is None or not within(address, trusted):
            return address
    return None


def _last(headers: Headers, name: str) -> str | None:
    values = _all(headers, name)
    return values[-1].rpartition(",")[2].strip() if values else None


def _all(headers: Headers, name: str) -> list[str]:
    return [value for given, value in headers if given.lower() == name]
