"""What proxies say is believed of those that are trusted, and of nobody else."""

from ipaddress import ip_network

import pytest

from connectors.webhook.origins import Origin, origin, parsed, within

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
HOST = ("Host", "inside:8470")


def found(peer: str | None, *headers: tuple[str, str]) -> tuple[str, str]:
    made = origin(peer, "http", [HOST, *headers], TRUSTED)
    return str(made.address), made.root


def test_without_a_proxy_the_connection_counts() -> None:
    assert found("203.0.113.7") == ("203.0.113.7", "http://inside:8470")


def test_a_stranger_cannot_pretend() -> None:
    lies = [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example")]
    assert found("203.0.113.7", *lies) == ("203.0.113.7", "http://inside:8470")


def test_a_trusted_proxy_is_believed() -> None:
    said = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example")]
    assert found("10.1.2.3", *said) == ("203.0.113.7", "https://a.example")
    assert found("fd00::1", *said)[0] == "203.0.113.7"


def test_only_the_nearest_proxys_words_count() -> None:
    said = [("X-Forwarded-For", "127.0.0.1, 203.0.113.7, 10.9.9.9"), ("X-Forwarded-Proto", "ftp, https")]
    assert found("10.1.2.3", *said) == ("203.0.113.7", "https://inside:8470")
    again = [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", "203.0.113.8")]
    assert found("10.1.2.3", *again)[0] == "203.0.113.8"


@pytest.mark.parametrize("value", ["", "unknown", "10.0.0.9", "203.0.113.7, _hidden"])
def test_where_the_sender_is_not_told_nobody_is(value: str) -> None:
    assert found("10.1.2.3", ("X-Forwarded-For", value))[0] == "None"


def test_no_peer_is_nobody() -> None:
    assert origin(None, "https", [], TRUSTED) == Origin(None, "https://")


def test_an_ipv4_address_in_ipv6_is_what_it_is() -> None:
    address = parsed("::ffff:10.1.2.3")
    assert address is not None and within(address, TRUSTED)
    assert parsed("fe80::1%eth0") is not None
