"""A webhook option is taken as it stands, or refused by the name of the key that is wrong."""

import base64
from typing import Any

import pytest

from connectors.errors import RefusedError
from connectors.webhook.endpoints import Challenge, Rate
from connectors.webhook.settings import PARTS, read_endpoint, read_endpoints, short_secrets
from connectors.webhook.signatures import Scheme

SECRET = "a secret of thirty-two letters.."
GITHUB = {"scheme": "github", "secret": SECRET}
OWN = {"scheme": "hmac", "secret": SECRET, "header": "X-Sig"}


def refusal(option: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        read_endpoint("crm", option, "t")
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_scheme_and_a_secret_are_enough() -> None:
    found = read_endpoint("crm", {"signature": GITHUB}, "p.hooks.crm")
    assert (found.system, found.topic, found.path, found.secrets) == ("crm", "p.hooks.crm", "/hooks/crm", (SECRET,))
    assert (found.body_limit_bytes, found.depth_limit, found.rate) == (1024**2, 64, None)
    assert found.id_header == "X-GitHub-Delivery"
    assert found.keep == {"content-type", "x-github-event"}


def test_everything_can_be_said() -> None:
    option = {
        "path": "/in/crm-1", "url": "https://hooks.example.com/in/crm-1",
        "signature": {"scheme": "stripe", "secrets": [SECRET, "another"], "tolerance": "1m"},
        "delivery_id": {"path": "data.0.id"}, "keep_headers": ["X-Tenant"], "body_limit": "64KiB", "depth_limit": 8,
        "rate": {"requests": 10, "window": "1s"}, "allow_from": ["10.0.0.0/8", "::1"],
        "remember": {"time": "1h", "deliveries": 1000}, "records": [{"resource": "members"}],
    }  # fmt: skip
    found = read_endpoint("crm", option, "t")
    assert found.scheme is not None and found.scheme.tolerance_s == 60
    assert (found.id_header, found.id_path) == (None, "data.0.id")
    assert "x-tenant" in found.keep and found.rate == Rate(10, 1.0)
    assert (found.body_limit_bytes, found.remembered.time_s, found.remembered.count) == (65536, 3600, 1000)
    assert [str(network) for network in found.allow_from] == ["10.0.0.0/8", "::1/128"]


def test_any_other_hmac_can_be_described() -> None:
    timed = {"signed": "{timestamp}|{body}", "timestamp_header": "X-At", "unit": "ms", "id_header": "X-Id"}
    found = read_endpoint("crm", {"signature": OWN | timed | {"algorithm": "sha512", "prefix": "v="}}, "t")
    wanted = Scheme("X-Sig", "{timestamp}|{body}", "sha512", prefix="v=", timestamp_header="X-At", unit="ms",
                    id_header="X-Id")  # fmt: skip
    assert found.scheme == wanted
    assert found.id_header == "X-Id"


def test_slack_asks_whether_we_are_there() -> None:
    found = read_endpoint("chat", {"signature": {"scheme": "slack", "secret": SECRET}}, "t")
    assert found.challenge == Challenge("POST", None, "challenge", {"type": "url_verification"})


@pytest.mark.parametrize("word", ["none", None])
def test_nothing_is_believed_unsigned_unless_it_is_said_twice(word: str | None) -> None:
    assert "allow_unsigned: true" in refusal({"signature": word})
    assert read_endpoint("crm", {"signature": word, "allow_unsigned": True}, "t").scheme is None


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({}, "webhook.signature: it is missing"),
        (7, "setting systems.crm.webhook"),
        ({"signature": "github"}, "webhook.signature"),
        ({"signature": GITHUB | {"scheme": "githob"}}, "webhook.signature.scheme"),
        ({"signature": {"scheme": "github"}}, "needs secret"),
        ({"signature": {"scheme": "github", "secret": ""}}, "needs secret"),
        ({"signature": {"scheme": "standard", "secret": "whsec_%%"}}, "webhook.signature.secret"),
        ({"signature": {"scheme": "standard", "secret": "whsec_"}}, "it is empty"),
        ({"signature": GITHUB | {"header": "X"}}, "header would be ignored"),
        ({"signature": GITHUB, "allow_unsigned": True}, "would be ignored beside a signature"),
        ({"signature": {"scheme": "hmac", "secret": SECRET}}, "needs header"),
        ({"signature": OWN | {"signed": "{timestamp}", "timestamp_header": "X-At"}}, "must hold {body}"),
        ({"signature": OWN | {"timestamp_header": "X-At"}}, "a time needs both"),
        ({"signature": OWN | {"signed": "{timestamp}{body}"}}, "a time needs both"),
        ({"signature": OWN | {"signed": "{id}{body}"}}, "id_header does not say"),
        ({"signature": OWN | {"layout": "pairs"}}, "layout pairs needs key"),
        ({"signature": OWN | {"key": "v1"}}, "layout pairs needs key"),
        ({"signature": GITHUB, "path": "hooks"}, "webhook.path"),
        ({"signature": GITHUB, "path": "/a b"}, "webhook.path"),
        ({"signature": GITHUB, "url": "hooks.example.com"}, "webhook.url"),
        ({"signature": GITHUB, "body_limit": "9MiB"}, "webhook.body_limit"),
        ({"signature": GITHUB, "body_limit": 1000}, "webhook.body_limit: must be a size"),
        ({"signature": GITHUB, "depth_limit": 0}, "webhook.depth_limit"),
        ({"signature": GITHUB, "delivery_id": {}}, "either header or path"),
        ({"signature": GITHUB, "delivery_id": {"header": "X", "path": "id"}}, "either header or path"),
        ({"signature": GITHUB, "allow_from": ["10.0.0.1/8"]}, "webhook.allow_from.0"),
        ({"signature": GITHUB, "challenge": {"body": "x"}}, "webhook.challenge"),
        ({"signature": GITHUB, "rate": {"requests": 0}}, "webhook.rate.requests"),
        ({"signature": GITHUB, "sginature": 1}, "webhook.sginature: there is no such key"),
        ({"sginature": GITHUB}, 'webhook.sginature: there is no such key. Did you mean "signature"?'),
        ({"signature": GITHUB | {"tolerence": 1}}, 'signature.tolerence: there is no such key. Did you mean "tol'),
        ({"signature": GITHUB, "remember": {"zzz": 1}}, "no such key. Known: deliveries, time."),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_name(option: Any, said: str) -> None:
    assert said in refusal(option)


def test_short_secrets_are_counted_as_they_sign() -> None:
    short = "whsec_" + base64.b64encode(b"fifteen bytes..").decode()
    option = {"signature": {"scheme": "standard", "secrets": [short, "whsec_" + base64.b64encode(b"x" * 16).decode()]}}
    assert short_secrets(read_endpoint("crm", option, "t")) == 1
    assert short_secrets(read_endpoint("crm", {"signature": "none", "allow_unsigned": True}, "t")) == 0


def test_two_systems_do_not_share_a_path() -> None:
    option = {"webhook": {"signature": GITHUB, "path": "/in"}}
    with pytest.raises(RefusedError, match=r"erp: .*webhook\.path: /in is already crm's"):
        read_endpoints({"crm": option, "erp": option}, {"crm": "a", "erp": "b"})
    assert [one.system for one in read_endpoints({"crm": option, "erp": {}}, {"crm": "a"})] == ["crm"]


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(read_endpoint("crm", {"signature": GITHUB}, "t"))


def test_every_part_of_the_option_knows_its_keys() -> None:
    for key, part in PARTS.items():
        option = {"signature": GITHUB, key: {"zzz": 1}} if key != "signature" else {key: GITHUB | {"zzz": 1}}
        assert all(name in refusal(option) for name in part.model_fields)
