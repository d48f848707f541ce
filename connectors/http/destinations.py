"""Where an HTTP request of ours may go: to hosts that the project names, at public addresses.

A configuration, and worse a payload ("the next page is at …", "fetch the record from …"), must not make us talk to
the machine's own services, its network, or a cloud's metadata (server-side request forgery, OWASP A10:2021). So

- a URL's host must be one that the project names;
- a name is resolved once, every address it has is judged, and the connection goes to an address that was judged:
  an answer that changes between looking and connecting (DNS rebinding) changes nothing;
- loopback, private, link-local and all other special addresses (IANA's registries, and IPv4 addresses wrapped into
  IPv6) are refused unless they lie in a network that the project names;
- redirects are not followed by whoever uses this, but judged anew like any other URL.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.errors import ConnectorsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PORTS = {"http": 80, "https": 443}
# Visible ASCII without what some parsers take for a separator and others do not.
PLAIN = re.compile(r"[!-~]+")
TRICKY = re.compile(r"[\\<>\"^`{|}]")
HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
# Not for the public, though some versions of Python's tables say otherwise.
PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24")
NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


@dataclass(eq=False)
class DestinationRefusedError(ConnectorsError):
    """A URL that is not requested. `url` is shown without user information and query, which may hold secrets."""

    url: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.url} is not requested: {self.reason}." + (f" {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Destinations:
    """What the project names. `hosts`: `api.example.com`, `*.example.com`, `127.0.0.1:8080`, `[::1]:8080`; without a
    port, the scheme's own. `networks`: special addresses that are allowed all the same. `insecure`: http as well.
    """

    hosts: tuple[str, ...]
    networks: tuple[Network, ...] = ()
    insecure: bool = False

    def vetted(self, url: str) -> str:
        """The same URL, if it may be requested as far as it can be told without resolving its name.

        Raises DestinationRefusedError.
        """
        parts = self._parsed(url)
        host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
        literal = _literal(host)
        if literal is None and not HOST_NAME.fullmatch(host):
            raise _refused(parts, "its host is neither a name nor an address in its usual form")
        if not any(_matches(named, host, port, PORTS[parts.scheme]) for named in self.hosts):
            named = f"Named are {', '.join(self.hosts) or 'none'}."
            raise _refused(parts, f"the project does not name {host}:{port} as a host to talk to", named)
        if literal is not None and (objection := self.objection(literal)):
            raise _refused(parts, objection, f'Add "{literal}" to the system\'s networks if that is meant.')
        return url

    def objection(self, address: Address) -> str:
        """Why a connection to this address is not made; empty if it may be."""
        if any(address.version == network.version and address in network for network in self.networks):
            return ""
        kind = special(address)
        return f"{address} is {kind}" if kind else ""

    def _parsed(self, url: str) -> SplitResult:
        if not PLAIN.fullmatch(url) or TRICKY.search(url):
            raise DestinationRefusedError(_shown(url), "it holds characters that a URL may not have unescaped")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise DestinationRefusedError(_shown(url), f"it is no URL ({error})") from error
        if parts.scheme not in (PORTS if self.insecure else {"https": 443}):
            wanted = "http or https" if self.insecure else "https"
            raise _refused(parts, f"its scheme is not {wanted}")
        if "@" in parts.netloc:
            raise _refused(parts, "it holds user information", "Put credentials under auth.")
        if not parts.hostname or port == 0 or parts.netloc.endswith(":") or "%" in parts.netloc:
            raise _refused(parts, "its host or port is missing or malformed")
        return parts


class VettingResolver(AbstractResolver):
    """Resolves names for aiohttp, and gives it only addresses that were judged; any bad one spoils the name.

    aiohttp resolves and connects in one step with these addresses, and asks no resolver for literal addresses: those
    are judged by `Destinations.vetted`.
    """

    def __init__(self, destinations: Destinations, inner: AbstractResolver) -> None:
        self._destinations = destinations
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises DestinationRefusedError, OSError."""
        found = await self._inner.resolve(host, port, family)
        for one in found:
            if objection := self._destinations.objection(ipaddress.ip_address(one["host"].partition("%")[0])):
                raise DestinationRefusedError(f"{host}:{port}", f"the name leads to an address where {objection}")
        return found

    async def close(self) -> None:
        """Let go of the inner resolver."""
        await self._inner.close()


def special(address: Address) -> str:
    """What kind of address this is, if it is no ordinary public one; else empty."""
    for inner in _wrapped(address):
        if kind := special(inner):
            return f"an IPv6 form of {inner}, {kind}"
    kinds = (
        ("an address of this machine", address.is_loopback or address.is_unspecified),
        ("link-local, where clouds keep their metadata", address.is_link_local),
        ("multicast", address.is_multicast),
        ("in a private network", address.is_private),
        ("reserved", address.is_reserved or not address.is_global or address in PROTOCOLS),
    )
    return next((kind for kind, holds in kinds if holds), "")


def _wrapped(address: Address) -> Iterable[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in NAT64):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if int(address) >> 32 == 0 and int(address) > 0xFFFF:
        found.append(ipaddress.IPv4Address(int(address)))
    return [inner for inner in found if inner is not None]


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _matches(named: str, host: str, port: int, usual: int) -> bool:
    split = urlsplit(f"//{named}")
    name, wanted = split.hostname or "", split.port or usual
    if wanted != port:
        return False
    return host.endswith(name[1:]) and host != name[2:] if name.startswith("*.") else host == name


def _refused(parts: SplitResult, reason: str, remedy: str = "") -> DestinationRefusedError:
    place = parts.netloc.rpartition("@")[2]
    return DestinationRefusedError(f"{parts.scheme}://{place}{parts.path}", reason, remedy)


def _shown(url: str) -> str:
    return ascii(url.partition("?")[0][:200])[1:-1]
