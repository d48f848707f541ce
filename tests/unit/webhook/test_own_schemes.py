"""An HMAC that the project describes is judged as strictly as the known ones."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace

import pytest

from connectors.webhook.endpoints import Endpoint
from connectors.webhook.settings import read_endpoint
from connectors.webhook.signatures import Request, SignatureRefusedError, Verified
from tests.unit.webhook.signing import BODY, NOW_S, OTHER, SECRET, request

Change = Callable[[Request], Request]
FORM = {
    "scheme": "hmac", "secrets": [SECRET, OTHER], "header": "X-Sig", "signed": "{id}.{timestamp}.{body}",
    "algorithm": "sha512", "encoding": "base64", "prefix": "v1=", "timestamp_header": "X-At", "id_header": "X-Id",
    "tolerance": "1m",
}  # fmt: skip


def endpoint(**changes: object) -> Endpoint:
    return read_endpoint("erp", {"signature": FORM | changes}, "t")


def signed(body: bytes = BODY, at: str = str(NOW_S), secret: str = SECRET, delivery: str = "9") -> Request:
    """A request that is right, signed without the engine."""
    text = f"{delivery}.{at}.".encode() + body
    mac = base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha512).digest()).decode()
    return request(body, [("X-Id", delivery), ("X-At", at), ("X-Sig", f"v1={mac}")])


def judge(made: Request, found: Endpoint | None = None) -> Verified:
    given = found or endpoint()
    assert given.scheme is not None
    return given.scheme.verify(made, given.secrets, NOW_S)


def header(name: str, change: Callable[[str], str]) -> Change:
    return lambda made: replace(
        made, headers=[(given, change(value) if given == name else value) for given, value in made.headers]
    )


def without(name: str) -> Change:
    return lambda made: replace(made, headers=[pair for pair in made.headers if pair[0] != name])


@pytest.mark.parametrize(
    "made",
    [
        signed(),
        signed(b""),
        signed(b"\xff\x00 no text"),
        signed(b"x" * 3_000_000),
        signed("Zoë".encode()),
        signed(secret=OTHER),
        signed(at=str(NOW_S - 60)),
        signed(at=str(NOW_S + 60)),
        signed(delivery="Zoë"),
    ],
    ids=["plain", "empty", "bytes", "large", "utf-8", "rotated", "a minute old", "a minute ahead", "id in utf-8"],
)
def test_what_an_active_secret_signed_lately_is_believed(made: Request) -> None:
    assert judge(made).sent_s is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda made: replace(made, body=made.body + b" "),
        lambda made: replace(made, body=made.body[:-1]),
        lambda made: replace(made, headers=[*made.headers, ("x-sig", "v1=")]),
        lambda made: replace(made, headers=[*made.headers, ("x-at", str(NOW_S))]),
        header("X-Id", lambda value: value + "1"),
        header("X-At", lambda value: str(int(value) + 1)),
        header("X-At", lambda value: value + ".0"),
        header("X-Sig", lambda value: value.removeprefix("v1=")),
        header("X-Sig", lambda value: value[:-4]),
        header("X-Sig", lambda value: value + "\n"),
        header("X-Sig", lambda value: "v1=" + base64.b64decode(value[3:]).hex()),
        header("X-Sig", lambda value: value.replace("v1=", "v0=")),
        without("X-Sig"),
        without("X-At"),
        without("X-Id"),
    ],
    ids=["body longer", "body cut", "two signatures", "two times", "id", "time", "time's form", "no prefix",
         "signature cut", "line end", "hex for base64", "other version", "unsigned", "no time", "no id"],
)  # fmt: skip
def test_anything_else_is_refused(change: Change) -> None:
    with pytest.raises(SignatureRefusedError):
        judge(change(signed()))


@pytest.mark.parametrize("made", [signed(at=str(NOW_S - 61)), signed(at=str(NOW_S + 61)), signed(secret="retired one")])
def test_what_is_old_early_or_signed_by_a_retired_secret_is_refused(made: Request) -> None:
    with pytest.raises(SignatureRefusedError):
        judge(made)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_every_algorithm_signs_in_hex_with_blanks_refused(algorithm: str) -> None:
    found = read_endpoint(
        "erp", {"signature": {"scheme": "hmac", "secret": SECRET, "header": "X-Sig", "algorithm": algorithm}}, "t"
    )
    mac = hmac.new(SECRET.encode(), BODY, algorithm).hexdigest()
    assert judge(request(BODY, [("X-Sig", mac)]), found) == Verified(None, None)
    assert judge(request(BODY, [("X-Sig", mac.upper())]), found) == Verified(None, None)
    for wrong in (f"{mac[:2]} {mac[2:]}", f" {mac}", f"{mac} ", mac[:-2], mac + "00"):
        with pytest.raises(SignatureRefusedError):
            judge(request(BODY, [("X-Sig", wrong)]), found)


def test_pairs_may_hold_several_signatures() -> None:
    form = {"scheme": "hmac", "secret": SECRET, "header": "X-Sig", "signed": "{timestamp}{body}", "layout": "pairs"}
    found = read_endpoint("erp", {"signature": form | {"key": "s", "time_key": "at"}}, "t")
    mac = hmac.new(SECRET.encode(), f"{NOW_S}".encode() + BODY, "sha256").hexdigest()
    assert judge(request(BODY, [("X-Sig", f"at={NOW_S}, s={'0' * 64}, s={mac}")]), found).sent_s == NOW_S
