"""A repeat is told by the sender's id; where there is none, no delivery is ever taken for a repeat of another."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.webhook.deliveries import LONGEST_ID_BYTES, Deliveries, delivery_id
from connectors.webhook.endpoints import Endpoint, Rate, Remembered
from connectors.webhook.rates import Bucket
from connectors.webhook.schemes import SCHEMES
from connectors.webhook.settings import read_endpoint
from connectors.webhook.signatures import SignatureRefusedError, Verified
from tests.unit.webhook.signing import BODY, NOW_S, SECRET, SIGNERS, request, signed

UNSIGNED = Endpoint("crm", "t", "/hooks/crm", None)


def known(name: str) -> Endpoint:
    return read_endpoint("crm", {"signature": {"scheme": name, "secret": SIGNERS[name].secret}}, "t")


def id_of(name: str, body: bytes = BODY, at_s: int = NOW_S) -> bytes:
    made, endpoint = signed(name, body, at_s), known(name)
    return delivery_id(endpoint, made, SCHEMES[name].verify(made, endpoint.secrets, at_s), b"ours")


@pytest.mark.parametrize(("name", "found"), [("standard", b"msg_1"), ("github", b"d-1"), ("shopify", b"w-1")])
def test_the_senders_header_is_the_id(name: str, found: bytes) -> None:
    assert id_of(name) == found


@pytest.mark.parametrize(("name", "body"), [("stripe", b'{"id": "evt_1"}'), ("slack", b'{"event_id": "evt_1"}')])
def test_the_senders_document_holds_the_id(name: str, body: bytes) -> None:
    assert id_of(name, body) == b"evt_1"
    assert id_of(name, b"no document") == b"ours"


@pytest.mark.parametrize("name", ["ghost", "hubspot"])
def test_a_signed_millisecond_and_the_body_are_an_id(name: str) -> None:
    assert id_of(name) == id_of(name) != id_of(name, at_s=NOW_S + 1)
    assert id_of(name) != id_of(name, BODY + b" ")


def test_a_signed_second_is_too_coarse() -> None:
    assert id_of("slack") == b"ours"


def test_the_project_can_say_where_the_id_stands() -> None:
    by_header = replace(UNSIGNED, id_header="X-Id")
    assert delivery_id(by_header, request(b"", [("x-id", "9")]), Verified(None, None), b"ours") == b"9"
    assert delivery_id(by_header, request(b"", []), Verified(None, None), b"ours") == b"ours"
    by_path = replace(UNSIGNED, id_path="0.eventId")
    assert delivery_id(by_path, request(b'[{"eventId": 5}]', []), Verified(None, None), b"ours") == b"5"


def test_two_ids_are_none() -> None:
    twice = request(b"", [("X-Id", "1"), ("X-Id", "2")])
    with pytest.raises(SignatureRefusedError):
        delivery_id(replace(UNSIGNED, id_header="X-Id"), twice, Verified(None, None), b"ours")


@given(st.text(min_size=1))
def test_any_id_is_a_short_key(text: str) -> None:
    made = request(b"", [("X-Id", text + "\udcff")])
    found = delivery_id(replace(UNSIGNED, id_header="X-Id"), made, Verified(None, None), b"ours")
    assert 0 < len(found) <= LONGEST_ID_BYTES


def test_ids_are_remembered_for_a_time() -> None:
    found = Deliveries(Remembered(60.0, 1000))
    found.add(b"a", 100.0)
    assert found.knows(b"a", 160.0) and not found.knows(b"b", 160.0)
    assert not found.knows(b"a", 160.1)
    found.add(b"b", 200.0)
    assert len(found) == 1


def test_no_more_ids_than_may_be_are_remembered() -> None:
    found = Deliveries(Remembered(60.0, 100))
    for number in range(1000):
        found.add(b"%d" % number, 100.0)
    assert len(found) == 100
    assert found.knows(b"999", 100.0) and found.knows(b"900", 100.0) and not found.knows(b"899", 100.0)


def test_a_windows_worth_is_taken_at_once_then_as_fast_as_allowed() -> None:
    bucket = Bucket(Rate(4, 2.0))
    assert [bucket.wait_s(10.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert bucket.wait_s(10.25) == 0.25
    assert bucket.wait_s(10.5) == 0.0
    assert bucket.wait_s(9.0) > 0, "a clock that goes back gives nothing"
    assert [bucket.wait_s(99.0) for _ in range(5)].count(0.0) == 4


def test_an_unknown_secret_never_reaches_the_id() -> None:
    made, endpoint = signed("github"), known("github")
    with pytest.raises(SignatureRefusedError):
        SCHEMES["github"].verify(made, (SECRET + "x",), NOW_S)
    assert endpoint.secrets == (SECRET,)
