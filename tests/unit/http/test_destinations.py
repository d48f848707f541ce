"""Requests go to hosts that the project names, at public addresses, whatever a URL is made to look like."""

import ipaddress
import socket
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.http.destinations import DestinationRefusedError, Destinations, VettingResolver, special

NAMED = Destinations(("api.example.com", "*.shop.example", "api.example.com:8443", "8.8.8.8", "[2001:4860:4860::8888]"))
OPEN = Destinations(("127.0.0.1:8080", "[::1]:8080", "10.1.2.3", "169.254.169.254", "localhost:2368"), insecure=True)
LOCAL = Destinations(OPEN.hosts, (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")), True)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1/members?page=2",
        "https://api.example.com:443/",
        "https://api.example.com:8443/x",
        "https://API.example.com/",
        "https://eu.shop.example/orders",
        "https://a.b.shop.example/orders",
        "https://8.8.8.8/dns-query",
        "https://[2001:4860:4860::8888]/dns-query",
        "https://api.example.com/a%20b/%2e%2e/c#part",
    ],
)
def test_what_the_project_names_is_requested(url: str) -> None:
    assert NAMED.vetted(url) == url


REFUSED = {
    "another scheme": ["file:///etc/passwd", "gopher://api.example.com/", "ftp://api.example.com/", "dict://x:11/",
                       "javascript:alert(1)", "//api.example.com/", "http://api.example.com/", "HTTPX://api.example.com"],
    "another host": ["https://evil.example/", "https://api.example.com.evil.example/", "https://xapi.example.com/",
                     "https://shop.example/", "https://evilshop.example/", "https://api.example.com:444/",
                     "https://8.8.4.4/", "https://example.com/", "https://api.example.com../"],
    "user information": ["https://api.example.com@evil.example/", "https://evil.example@api.example.com/",
                         "https://user:pass@api.example.com/", "https://@api.example.com/",
                         "https://api.example.com:443@127.0.0.1/"],
    "parsers that disagree": ["https://api.example.com\\@evil.example/", "https://evil.example\\.api.example.com/",
                              "https://api.example.com /", " https://api.example.com/", "https://api.example.com\t/",
                              "https://api.exam\nple.com/", "https://api.example.com\r\nHost: x/",
                              "https:/\\evil.example",
                              "https://evil.example#@api.example.com/", "https://evil.example?@api.example.com/",
                              "https://api.example.com%00.evil.example/", "https://api.example.com%2eevil.example/",
                              "https://\uff41pi.example.com/", "https://\u2460\u2461\u2466.0.0.1/", "https://[api.example.com]/"],
    "no host or port": ["https://", "https:///path", "https://:443/", "https://api.example.com:/",
                        "https://api.example.com:0/", "https://api.example.com:99999/", "https://api.example.com:4x3/",
                        "", "api.example.com", "https://[::1/"],
    "addresses in disguise": ["https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://127.1/",
                              "https://0177.0.0.1/", "https://127.0.0.1./", "https://[::ffff:127.0.0.1]/",
                              "https://[::127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://017700000001/"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "url"), [(kind, url) for kind, urls in REFUSED.items() for url in urls])
def test_anything_else_is_refused(kind: str, url: str) -> None:
    with pytest.raises(DestinationRefusedError):
        NAMED.vetted(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/", "http://[::1]:8080/", "http://10.1.2.3/", "http://169.254.169.254/latest"]
)
def test_naming_a_host_does_not_open_its_network(url: str) -> None:
    with pytest.raises(DestinationRefusedError, match="networks"):
        OPEN.vetted(url)


def test_a_network_that_the_project_names_is_open() -> None:
    assert LOCAL.vetted("http://127.0.0.1:8080/hook")
    assert LOCAL.vetted("http://[::1]:8080/hook")
    with pytest.raises(DestinationRefusedError, match="private network"):
        LOCAL.vetted("http://10.1.2.3/")


def test_an_error_tells_no_secrets() -> None:
    with pytest.raises(DestinationRefusedError) as caught:
        NAMED.vetted("https://user:hunter2@api.example.com/x?token=hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(DestinationRefusedError) as caught:
        NAMED.vetted("https://api.example.com/ ?token=hunter2")
    assert "hunter2" not in str(caught.value)


SPECIAL = """
127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 100.64.0.1
192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 fe80::1 fc00::1 fd12:3456::1 ff02::1 2001:db8::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 2002:7f00:1:: 2002:a00:1:: 2001:0:4136:e378:8000:63bf:80ff:fffe
100::1
"""


@pytest.mark.parametrize("text", SPECIAL.split())
def test_special_addresses_are_known(text: str) -> None:
    assert special(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111"])
def test_ordinary_addresses_are_not_special(text: str) -> None:
    assert special(ipaddress.ip_address(text)) == ""


class Answers(AbstractResolver):
    """Says what it was told to."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        common: dict[str, Any] = {"hostname": host, "port": port, "family": family, "proto": 0, "flags": 0}
        found: Any = [{**common, "host": address} for address in self._addresses]
        return list(found)

    async def close(self) -> None:
        self.closed = True


async def test_a_name_leads_only_to_addresses_that_were_judged() -> None:
    resolver = VettingResolver(NAMED, Answers("8.8.8.8", "2606:4700::1111"))
    assert [one["host"] for one in await resolver.resolve("api.example.com", 443)] == ["8.8.8.8", "2606:4700::1111"]


@pytest.mark.parametrize("bad", ["127.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"])
async def test_one_bad_address_spoils_the_name(bad: str) -> None:
    inner = Answers("8.8.8.8", bad)
    resolver = VettingResolver(NAMED, inner)
    with pytest.raises(DestinationRefusedError, match=r"api\.example\.com"):
        await resolver.resolve("api.example.com", 443)
    await resolver.close()
    assert inner.closed


async def test_a_named_network_is_open_to_names_too() -> None:
    found = await VettingResolver(LOCAL, Answers("127.0.0.1")).resolve("localhost", 2368)
    assert found[0]["host"] == "127.0.0.1"
