"""Requests are believed when, and only when, an active secret signed exactly them, and lately."""

import base64
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from connectors.webhook.schemes import SCHEMES, verify
from connectors.webhook.signatures import Request, Scheme, SecretError, SignatureRefusedError, Verified
from tests.unit.webhook.signing import BODY, NOW_S, SIGNERS, URL, request, signed

ALL = pytest.mark.parametrize("name", SIGNERS)
TIMED = pytest.mark.parametrize("name", [name for name, signer in SIGNERS.items() if signer.timed])
HEADER_TIMED = pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if scheme.timestamp_header])
NAMED = pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if scheme.id_header])
ID_SIGNED = pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if "{id}" in scheme.signed])
DIGESTS = {"hex": re.compile(r"[0-9a-f]{64}"), "base64": re.compile(r"[A-Za-z0-9+/]{43}=")}


def judge(name: str, made: Request, now_s: float = NOW_S, *secrets: str) -> Verified:
    return verify(name, made, secrets or (SIGNERS[name].secret,), now_s)


def refused(name: str, made: Request, because: str, now_s: float = NOW_S) -> None:
    with pytest.raises(SignatureRefusedError, match=because):
        judge(name, made, now_s)


def altered(made: Request, header: str, value: str) -> Request:
    return replace(made, headers=[(name, value if name == header else old) for name, old in made.headers])


def signature(name: str, made: Request) -> str:
    return made.required(SIGNERS[name].header)


def test_every_scheme_is_tested() -> None:
    assert set(SIGNERS) == set(SCHEMES)


@ALL
def test_a_signed_request_is_believed(name: str) -> None:
    judge(name, signed(name))


@ALL
def test_an_empty_body_is_a_body(name: str) -> None:
    judge(name, signed(name, b""))


@ALL
def test_bytes_are_signed_not_text(name: str) -> None:
    judge(name, signed(name, b"\xff\xfe\x00 not utf-8"))


@ALL
def test_a_large_body_is_believed(name: str) -> None:
    judge(name, signed(name, b"x" * 5_000_000))


@ALL
def test_each_active_secret_will_do(name: str) -> None:
    signer = SIGNERS[name]
    judge(name, signed(name, secret=signer.other), NOW_S, signer.secret, signer.other)


@ALL
def test_a_retired_secret_will_not(name: str) -> None:
    refused(name, signed(name, secret=SIGNERS[name].other), "no active secret")


@ALL
def test_no_secret_believes_nothing(name: str) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(name, signed(name), (), NOW_S)


@ALL
def test_another_body_is_refused(name: str) -> None:
    refused(name, replace(signed(name), body=BODY + b" "), "no active secret")


@ALL
def test_a_body_cut_short_is_refused(name: str) -> None:
    refused(name, replace(signed(name), body=BODY[:-1]), "no active secret")


@ALL
def test_a_missing_signature_is_refused(name: str) -> None:
    made = signed(name)
    rest = [pair for pair in made.headers if pair[0] != SIGNERS[name].header]
    refused(name, replace(made, headers=rest), "is missing")


@ALL
def test_two_signature_headers_are_refused(name: str) -> None:
    made = signed(name)
    refused(name, replace(made, headers=[*made.headers, (SIGNERS[name].header, "x")]), "comes 2 times")


@ALL
def test_a_header_name_in_other_case_is_the_same_header(name: str) -> None:
    made = signed(name)
    judge(name, replace(made, headers=[(header.upper(), value) for header, value in made.headers]))


@ALL
@pytest.mark.parametrize("value", ["", "x", "sha256=zz", "v1,%%%", "v0=", "t=1", "\u00e9", "=" * 64])
def test_a_signature_in_no_encoding_is_refused(name: str, value: str) -> None:
    refused(name, altered(signed(name), SIGNERS[name].header, value), ".")


@ALL
def test_a_signature_cut_short_is_refused(name: str) -> None:
    made = signed(name)
    whole = signature(name, made)
    short = whole.replace(", t=", "x, t=").replace("=x", "x") if name == "ghost" else whole[:-4]
    refused(name, altered(made, SIGNERS[name].header, short), "holds no sha256 signature")


@ALL
def test_the_right_digest_in_the_other_encoding_is_refused(name: str) -> None:
    made, scheme = signed(name), SCHEMES[name]
    found = DIGESTS[scheme.encoding].search(signature(name, made))
    assert found is not None
    other = _in_base64(found[0]) if scheme.encoding == "hex" else base64.b64decode(found[0]).hex()
    written = signature(name, made).replace(found[0], other)
    refused(name, altered(made, scheme.header, written), f"holds no sha256 signature in {scheme.encoding}")


def _in_base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


@TIMED
def test_a_request_from_yesterday_is_refused(name: str) -> None:
    refused(name, signed(name, at_s=NOW_S - 86_400), "86400 s ago")


@TIMED
def test_a_request_from_tomorrow_is_refused(name: str) -> None:
    refused(name, signed(name, at_s=NOW_S + 86_400), "in the future")


@TIMED
def test_the_tolerance_is_five_minutes(name: str) -> None:
    assert judge(name, signed(name), NOW_S + 300).sent_s == NOW_S
    refused(name, signed(name), "301 s ago", NOW_S + 301)


@TIMED
def test_the_time_cannot_be_moved(name: str) -> None:
    old, new = signed(name, at_s=NOW_S - 1000), signed(name)
    moved = [(header, _retimed(header, value, new)) for header, value in old.headers]
    refused(name, replace(old, headers=moved), "no active secret")


def _retimed(header: str, value: str, new: Request) -> str:
    if "timestamp" in header.lower():
        return new.required(header)
    return value.replace(str(NOW_S - 1000), str(NOW_S))


@pytest.mark.parametrize("name", ["standard", "slack", "hubspot"])
@pytest.mark.parametrize("text", ["", "soon", "-1", "1e9", " 1790000000", "\u0661", "9" * 40])
def test_a_time_that_is_none_is_refused(name: str, text: str) -> None:
    header = SCHEMES[name].timestamp_header or ""
    refused(name, altered(signed(name), header, text), "cannot be read|ago|future")


def test_a_zendesk_time_needs_a_zone() -> None:
    made = altered(signed("zendesk"), "X-Zendesk-Webhook-Signature-Timestamp", "2026-09-21T13:33:20")
    refused("zendesk", made, "cannot be read")


@HEADER_TIMED
@pytest.mark.parametrize("write", [str.upper, str.lower], ids=["upper", "lower"])
@pytest.mark.parametrize("second", ["same", "1", ""])
def test_two_time_headers_are_refused(name: str, write: Callable[[str], str], second: str) -> None:
    """Whatever the second says and wherever it stands: a proxy may have judged the other one."""
    made, header = signed(name), str(SCHEMES[name].timestamp_header)
    more = (write(header), made.required(header) if second == "same" else second)
    for headers in ([*made.headers, more], [more, *made.headers]):
        refused(name, replace(made, headers=headers), f"{header} comes 2 times")


@HEADER_TIMED
def test_a_missing_time_is_refused(name: str) -> None:
    made, header = signed(name), SCHEMES[name].timestamp_header
    refused(name, replace(made, headers=[pair for pair in made.headers if pair[0] != header]), f"{header} is missing")


@pytest.mark.parametrize("name", ["stripe", "ghost"])
def test_two_times_in_one_header_are_refused(name: str) -> None:
    made = signed(name)
    refused(name, altered(made, SIGNERS[name].header, f"t=1,{signature(name, made)}"), "comes 2 times")


def test_several_signatures_may_stand_in_one_header() -> None:
    """While an application changes its secret it signs with both."""
    made = signed("stripe")
    judge("stripe", altered(made, "Stripe-Signature", f"v1={'0' * 64},{signature('stripe', made)},v0=old"))
    made = signed("standard")
    both = f"v1a,AAAA v1,{base64.b64encode(bytes(32)).decode()} {signature('standard', made)}"
    judge("standard", altered(made, "webhook-signature", both))


@ID_SIGNED
@pytest.mark.parametrize(
    "change", [lambda text: text + "2", lambda text: text[:-1], str.upper, lambda text: f"{text} ", lambda _: ""]
)
def test_a_signed_id_cannot_be_exchanged(name: str, change: Callable[[str], str]) -> None:
    made, header = signed(name), str(SCHEMES[name].id_header)
    refused(name, altered(made, header, change(made.required(header))), "no active secret")


@ID_SIGNED
def test_a_signed_id_cannot_be_left_out(name: str) -> None:
    made, header = signed(name), SCHEMES[name].id_header
    refused(name, replace(made, headers=[pair for pair in made.headers if pair[0] != header]), f"{header} is missing")


@NAMED
def test_two_ids_are_refused(name: str) -> None:
    """Signed or not: the memory of deliveries must not be told another id than the application gave."""
    made, header = signed(name), str(SCHEMES[name].id_header)
    rest = [pair for pair in made.headers if pair[0] != header]
    twice = [(header, "d-1"), (header.lower(), "d-2")]
    refused(name, replace(made, headers=[*rest, *twice]), f"{header} comes 2 times")


def test_only_the_standard_scheme_signs_its_id() -> None:
    assert [name for name, scheme in SCHEMES.items() if "{id}" in scheme.signed] == ["standard"]


def test_header_bytes_that_are_no_text_are_refused_and_not_stumbled_over() -> None:
    refused("standard", altered(signed("standard"), "webhook-id", "\udcff"), "no active secret")
    refused("slack", altered(signed("slack"), "X-Slack-Signature", "v0=\udcff"), "holds no sha256")


def test_hubspot_signs_the_address_as_a_person_reads_it() -> None:
    made = replace(signed("hubspot"), url=URL.replace(":", "%3A").replace("/", "%2f"))
    judge("hubspot", made)
    refused("hubspot", replace(made, url=URL + "?x=1"), "no active secret")


def test_a_standard_secret_that_is_no_base64_is_named() -> None:
    with pytest.raises(SecretError, match="base64"):
        verify("standard", signed("standard"), ("whsec_%%%",), NOW_S)


@pytest.mark.parametrize("algorithm", ["sha1", "sha512"])
def test_any_other_hmac_can_be_described(algorithm: str) -> None:
    import hmac

    scheme = Scheme("X-Sig", signed="{id}|{body}", algorithm=algorithm, id_header="X-Id")  # type: ignore[arg-type]
    mac = hmac.new(b"k", b"9|hello", algorithm).hexdigest()
    made = request(b"hello", [("X-Id", "9"), ("X-Sig", mac)])
    assert scheme.verify(made, ["k"], NOW_S) == Verified("9", None)


def test_what_the_applications_publish_as_examples_holds() -> None:
    """The worked examples in the documentation of GitHub, Slack, and the Standard Webhooks libraries."""
    hub = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    made = request(b"Hello, World!", [("X-Hub-Signature-256", hub)])
    verify("github", made, ("It's a Secret to Everybody",), NOW_S)
    made = request(
        b'{"test": 2432232314}',
        [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ],
    )
    verify("standard", made, ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",), 1614265330)
    made = request(
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        [
            ("X-Slack-Request-Timestamp", "1531420618"),
            ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ],
    )
    verify("slack", made, ("8f742231b10e8888abcd99yyyzzz85a5",), 1531420618)
