"""A system's `webhook` option, judged and typed: where its deliveries arrive, and when they are believed."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr, Tag, ValidationError, model_validator

from connectors.errors import RefusedError
from connectors.webhook.endpoints import Challenge, Endpoint, Rate, Remembered
from connectors.webhook.schemes import SCHEMES
from connectors.webhook.signatures import PART, Scheme, SecretError
from schemas.project.base import Part, refuse, word_or
from schemas.project.durations import Duration
from schemas.project.findings import listing, nearest
from schemas.project.sizes import Size

SHORTEST_SECRET_BYTES = 16
LARGEST_BODY_BYTES = 8 * 1024**2
OWN = ("header", "signed", "algorithm", "encoding", "layout", "prefix", "key", "time_key", "timestamp_header", "unit", "id_header")  # fmt: skip  # noqa: E501
SchemeName = Literal["standard", "stripe", "github", "shopify", "zendesk", "hubspot", "slack", "ghost", "hmac"]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=80)]


class Signature(Part):
    """How the application signs. All keys after `tolerance` describe the scheme `hmac`, and belong to it alone."""

    scheme: SchemeName
    secret: SecretStr | None = None
    secrets: list[SecretStr] = Field(default_factory=list)
    tolerance: Duration | None = None
    header: HeaderName | None = None
    signed: str = "{body}"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    layout: Literal["plain", "pairs", "list"] = "plain"
    prefix: str = ""
    key: str = ""
    time_key: str | None = None
    timestamp_header: HeaderName | None = None
    unit: Literal["s", "ms", "iso"] = "s"
    id_header: HeaderName | None = None

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Self:
        if not any(self.texts()):
            raise refuse("needs secret, or secrets while one is exchanged for another")
        if self.scheme != "hmac" and (unused := [name for name in OWN if name in self.model_fields_set]):
            raise refuse(f"{', '.join(unused)} would be ignored: scheme {self.scheme} is known as it is")
        if self.scheme == "hmac":
            self._judge_own()
        return self

    def _judge_own(self) -> None:
        parts = set(PART.findall(self.signed))
        timed = self.timestamp_header is not None or self.time_key is not None
        if self.header is None:
            raise refuse("scheme hmac needs header, the one that holds the signature")
        if "body" not in parts:
            raise refuse("signed must hold {body}: otherwise anything could be sent with somebody's signature")
        if timed != ("timestamp" in parts):
            raise refuse("a time needs both its place (timestamp_header or time_key) and {timestamp} in signed")
        if (self.id_header is None) and "id" in parts:
            raise refuse("signed holds {id}, and id_header does not say where it stands")
        if (self.layout == "pairs") != bool(self.key) or (self.time_key is not None and self.layout != "pairs"):
            raise refuse("layout pairs needs key, and key and time_key need layout pairs")

    def texts(self) -> tuple[str, ...]:
        """Every active secret."""
        given = [*([self.secret] if self.secret else []), *self.secrets]
        return tuple(one.get_secret_value() for one in given)

    def rule(self) -> Scheme:
        """The scheme, with this application's tolerance."""
        if self.scheme != "hmac":
            found = SCHEMES[self.scheme]
        else:
            found = Scheme(**{name: getattr(self, name) for name in OWN if getattr(self, name) is not None})
        return found if self.tolerance is None else dataclasses.replace(found, tolerance_s=self.tolerance / 1e6)


class DeliveryId(Part):
    """Where the sender's id of a delivery stands: a header, or a place in its JSON (`event.id`, `0.eventId`)."""

    header: HeaderName | None = None
    path: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.path is None):
            raise refuse("needs either header or path")
        return self


class RateOption(Part):
    """Deliveries that are taken within a window; a sender is told to come again beyond them."""

    requests: int = Field(ge=1)
    window: Duration = 60_000_000


class Remember(Part):
    """For how long, and how many of, the ids of deliveries are remembered."""

    time: Duration = 86_400_000_000
    deliveries: int = Field(200_000, ge=100, le=5_000_000)


class ChallengeOption(Part):
    """A request by which the application makes sure of the address: the text at `query` or at `body` (a place in its
    JSON) is the answer, if what `require` names, parameters or places in the body, is as it says.
    """

    method: Literal["GET", "POST"] = "GET"
    query: str | None = Field(None, min_length=1)
    body: str | None = Field(None, min_length=1)
    require: dict[str, SecretStr] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.query is None) == (self.body is None) or (self.method == "GET" and self.body):
            raise refuse("needs either query, or body with method POST")
        return self


def _no(value: Any) -> Any:
    # A YAML reader may take the bare word for a value of its own.
    return "none" if value is None else value


class Webhook(Part):
    """The whole option. `records` says which rows a delivery concerns: it is the source's, and judged there."""

    path: str | None = Field(None, pattern=r"^(/[A-Za-z0-9._~-]+)+$", max_length=200)
    url: str | None = Field(None, pattern=r"^https?://[!-~]+$")
    signature: Annotated[
        Annotated[Literal["none"], Tag("<word>")] | Annotated[Signature, Tag("<scheme>")],
        word_or("scheme"),
        BeforeValidator(_no),
    ]
    allow_unsigned: bool = False
    delivery_id: DeliveryId | None = None
    keep_headers: list[HeaderName] = Field(default_factory=list, max_length=50)
    body_limit: Size = Field(1024**2, le=LARGEST_BODY_BYTES)
    depth_limit: int = Field(64, ge=1, le=500)
    rate: RateOption | None = None
    allow_from: list[IPvAnyNetwork] = Field(default_factory=list)
    remember: Remember = Remember()
    challenge: ChallengeOption | None = None
    records: Any = None

    @model_validator(mode="after")
    def _unsigned_is_said_twice(self) -> Self:
        if self.signature == "none" and not self.allow_unsigned:
            raise refuse("signature: none takes anybody's word for it; add allow_unsigned: true if that is meant")
        if self.signature != "none" and self.allow_unsigned:
            raise refuse("allow_unsigned would be ignored beside a signature; take it away")
        return self


PARTS: dict[str, type[Part]] = {
    "signature": Signature,
    "delivery_id": DeliveryId,
    "rate": RateOption,
    "remember": Remember,
    "challenge": ChallengeOption,
}


def read_endpoint(system: str, option: Any, topic: str) -> Endpoint:
    """The endpoint that a system's `webhook` option describes, its deliveries bound for `topic`.

    Raises RefusedError naming the key that is unknown, missing or unfit; no secret is repeated.
    """
    try:
        found = Webhook.model_validate(option)
    except ValidationError as error:
        raise _refused(system, error) from None
    _judge_secrets(system, found)
    return _endpoint(system, found, topic)


def _refused(system: str, error: ValidationError) -> RefusedError:
    found = error.errors(include_input=False, include_url=False)
    # A key that is mistyped is missing as well: what is written comes before what is not.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    steps = [str(step) for step in first["loc"] if not str(step).startswith("<")]
    key = ".".join(["webhook", *steps])
    if first["type"] == "extra_forbidden":
        return _refusal(system, key, "there is no such key", _remedy(steps))
    why = "it is missing" if first["type"] == "missing" else first["msg"]
    return _refusal(system, key, why[:1].lower() + why[1:])


def _remedy(steps: list[str]) -> str:
    """The key that was meant, if one is like it; otherwise those that there are at its place."""
    part = PARTS[steps[0]] if len(steps) > 1 else Webhook
    words = nearest(steps[-1], part.model_fields) or f"{listing(part.model_fields, len(part.model_fields))}."
    return words[:1].upper() + words[1:]


def _refusal(
    system: str, key: str, why: str, remedy: str = "docs/connectors/webhooks.md lists the keys."
) -> RefusedError:
    return RefusedError(system, f"setting systems.{system}.{key}", why, remedy)


def _judge_secrets(system: str, found: Webhook) -> None:
    if found.signature == "none":
        return
    rule = found.signature.rule()
    for text in found.signature.texts():
        try:
            empty = not rule.key_of(text)
        except SecretError as error:
            raise _refusal(system, "webhook.signature.secret", str(error)) from None
        if empty:
            raise _refusal(system, "webhook.signature.secret", "it is empty, and anybody knows that one")


def _endpoint(system: str, found: Webhook, topic: str) -> Endpoint:
    signature = None if found.signature == "none" else found.signature
    rule = signature.rule() if signature else None
    given = found.delivery_id or DeliveryId.model_construct(header=None, path=None)
    return Endpoint(
        system=system,
        topic=topic,
        path=found.path or f"/hooks/{system}",
        url=found.url,
        scheme=rule,
        secrets=signature.texts() if signature else (),
        id_header=given.header or (rule.id_header if rule and not given.path else None),
        id_path=given.path or (rule.id_path if rule and not given.header else None),
        keep=frozenset({"content-type", *(rule.keep if rule else ()), *(name.lower() for name in found.keep_headers)}),
        body_limit_bytes=found.body_limit,
        depth_limit=found.depth_limit,
        rate=Rate(found.rate.requests, found.rate.window / 1e6) if found.rate else None,
        allow_from=tuple(found.allow_from),
        remembered=Remembered(found.remember.time / 1e6, found.remember.deliveries),
        challenge=_challenge(found),
    )


def _challenge(found: Webhook) -> Challenge | None:
    option = found.challenge
    if option is not None:
        required = {name: text.get_secret_value() for name, text in option.require.items()}
        return Challenge(option.method, option.query, option.body, required)
    slack = found.signature != "none" and found.signature.scheme == "slack"
    return Challenge("POST", None, "challenge", {"type": "url_verification"}) if slack else None


def short_secrets(endpoint: Endpoint) -> int:
    """How many of an endpoint's secrets are so short that they could be guessed."""
    if endpoint.scheme is None:
        return 0
    return sum(len(endpoint.scheme.key_of(text)) < SHORTEST_SECRET_BYTES for text in endpoint.secrets)


def read_endpoints(options: Mapping[str, Mapping[str, Any]], topics: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints of all systems whose options hold `webhook`; `topics` by system. Raises RefusedError, also where
    two systems have one path."""
    found = [
        read_endpoint(name, given["webhook"], topics[name]) for name, given in options.items() if "webhook" in given
    ]
    taken: dict[str, str] = {}
    for endpoint in found:
        if (other := taken.setdefault(endpoint.path, endpoint.system)) != endpoint.system:
            raise _refusal(endpoint.system, "webhook.path", f"{endpoint.path} is already {other}'s")
    return found
