"""How the project file says who we are: the forms of `auth`. What is done with them is in `connectors.rest.auth`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from schemas.project.base import Part, refuse
from schemas.project.durations import Duration

Text = Annotated[str, Field(min_length=1)]
MINUTE_US = 60_000_000


class NoAuth(Part):
    """The application asks for nothing."""

    type: Literal["none"]


class ApiKey(Part):
    """A key in a header (default `Authorization`, after `prefix`) or a query parameter."""

    type: Literal["api_key"]
    key: SecretStr
    header: Text | None = None
    query: Text | None = None
    prefix: str = ""

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if (self.header is None) == (self.query is None):
            raise refuse("api_key has either header or query: where the key goes")
        return self


class Basic(Part):
    """User name and password, RFC 7617."""

    type: Literal["basic"]
    username: str
    password: SecretStr


class Bearer(Part):
    """A token that does not end, RFC 6750."""

    type: Literal["bearer"]
    token: SecretStr


class OAuth2(Part):
    """Access tokens from `token_url`, RFC 6749: for ourselves (client_credentials), or by a refresh token.

    `client_in`: how the client says who it is there. `parameters` are added to the token request. `early`: how long
    before its end a token is renewed.
    """

    type: Literal["oauth2"]
    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    token_url: Text
    client_id: Text
    client_secret: SecretStr | None = None
    client_in: Literal["header", "body"] = "header"
    refresh_token: SecretStr | None = None
    scope: str | None = None
    parameters: dict[str, str] = Field(default_factory=dict)
    early: Duration = MINUTE_US

    @model_validator(mode="after")
    def _has_what_the_grant_needs(self) -> Self:
        if (self.grant == "refresh_token") != (self.refresh_token is not None):
            raise refuse("refresh_token is for the grant of that name, which needs one")
        if self.grant == "client_credentials" and self.client_secret is None:
            raise refuse("the grant client_credentials needs client_secret")
        return self


class Jwt(Part):
    """A token that we sign ourselves, RFC 7519, HS256. `key` is `<key id>:<secret>` in one; else `key_id`, `secret`."""

    type: Literal["jwt"]
    key: SecretStr | None = None
    key_id: Text | None = None
    secret: SecretStr | None = None
    secret_encoding: Literal["text", "hex", "base64"] = "text"
    audience: Text | None = None
    issuer: Text | None = None
    subject: Text | None = None
    claims: dict[str, Any] = Field(default_factory=dict)
    lifetime: Duration = 5 * MINUTE_US
    header: Text = "Authorization"
    prefix: str = "Bearer"

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if (self.key is None) == (self.secret is None):
            raise refuse("jwt has either key (key id and secret in one, with a colon) or secret")
        if self.key is not None and (self.key_id is not None or ":" not in self.key.get_secret_value()):
            raise refuse("key must be <key id>:<secret>, and then there is no key_id beside it")
        return self


class LoginRequest(Part):
    """The request that opens a session; its templates know `username` and `password`."""

    method: Literal["POST", "GET", "PUT"] = "POST"
    path: Text
    headers: dict[str, Any] = Field(default_factory=dict)
    body: Any = None
    form: bool = False

    @field_validator("path")
    @classmethod
    def _begins_with_a_slash(cls, path: str) -> str:
        if not path.startswith("/") or path.startswith("//"):
            raise refuse("must begin with one slash: it is joined to the system's url")
        return path


class Login(Part):
    """A session: the answer to `request` gives what goes into `header` (a template of body, headers, username).

    `ok` (CEL) is when the answer is a session at all. It is opened anew after `lifetime`, and once on a 401.
    """

    type: Literal["login"]
    username: str = ""
    password: SecretStr
    request: LoginRequest
    ok: Text | None = None
    header: Text = "Authorization"
    value: Text
    lifetime: Duration = 60 * MINUTE_US


Auth = Annotated[NoAuth | ApiKey | Basic | Bearer | OAuth2 | Jwt | Login, Field(discriminator="type")]
