"""A REST system's part of the project file as values: what each key may be, and what it means when it is left out.

Templates and paths are plain text and plain YAML in here; `connectors.rest.resources` compiles them, `read` judges
shapes. `docs/connectors/rest.md` is the reference for people.
"""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from connectors.rest.auths import Auth, NoAuth
from schemas.project.base import Part, refuse
from schemas.project.durations import Duration

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Meaning = Literal["row", "settings", "missing", "moved", "busy", "login"]
Text = Annotated[str, Field(min_length=1)]
MEBIBYTE = 1 << 20


class Request(Part):
    """One request. `path` is joined to the system's `url`; every text in it may hold `{{ expressions }}`."""

    method: Method = "GET"
    path: Text
    query: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, Any] = Field(default_factory=dict)
    body: Any = None
    form: bool = False

    @field_validator("path")
    @classmethod
    def _begins_with_a_slash(cls, path: str) -> str:
        if not path.startswith("/") or path.startswith("//"):
            raise refuse("must begin with one slash: it is joined to the system's url")
        return path


class Since(Part):
    """What a listing of changes only says otherwise: `query` and `headers` are added, the others take the place."""

    path: Text | None = None
    query: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, Any] = Field(default_factory=dict)
    body: Any = None
    overlap: Duration | None = None


class Whole(Part):
    """The whole listing comes in one answer."""

    type: Literal["none"]


class Numbered(Part):
    """Pages by number (`page`) or by the count of rows before them (`offset`).

    Ends at an empty page; with `total` (path of the count of all rows) at that count, and an empty page before it is an
    error; with `stop: short` at the first page that is not full.
    """

    type: Literal["page", "offset"]
    parameter: Text | None = None
    size: int = Field(100, ge=1, le=10_000)
    size_parameter: Text | None = None
    first: int = Field(1, ge=0)
    total: Text | None = None
    stop: Literal["empty", "short"] = "empty"


class Keyed(Part):
    """Pages by key: each asks for the rows after the last key of the one before. Ends at an empty page."""

    type: Literal["key"]
    parameter: Text | None = None
    size: int = Field(100, ge=1, le=10_000)
    size_parameter: Text | None = None
    first: Any = None


class Pointed(Part):
    """The answer says how to go on: a cursor (or the next number) in the body, a URL in the body, or a Link header.

    Ends where that is null, empty or false, or `more` is false. A body without it is an error, unless `absent_ends`.
    """

    type: Literal["cursor", "next_url", "link"]
    cursor: Text | None = None
    url: Text | None = None
    parameter: Text | None = None
    more: Text | None = None
    absent_ends: bool = False
    size: int = Field(100, ge=1, le=10_000)
    size_parameter: Text | None = None

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        wanted = {"cursor": "cursor", "next_url": "url", "link": None}[self.type]
        for name in ("cursor", "url"):
            given = getattr(self, name) is not None
            if given != (name == wanted):
                raise refuse(f"pagination of type {self.type} {'has no' if given else 'needs'} {name}")
        return self


Pagination = Annotated[Whole | Numbered | Keyed | Pointed, Field(discriminator="type")]


class Listing(Request):
    """A request whose answer holds rows, at `items` (path; the whole answer without), part by part."""

    items: Text | None = None
    pagination: Pagination = Whole(type="none")
    page_limit: int = Field(100_000, ge=1)
    since: Since | None = None


class Single(Request):
    """A request for one row, at `item` (path; the whole answer without)."""

    item: Text | None = None


class Write(Request):
    """A request that changes one row. The row as kept is at `item`; with `read_back` it is asked for anew.

    `id` (path, or a list of paths in the order of the key) is where the answer of a create tells the new row's key.
    """

    item: Text | None = None
    id: Text | list[Text] | None = None
    read_back: bool = False


class Finding(Listing):
    """A listing of the rows that hold certain values; `by` are the columns it can be asked with."""

    by: list[Text] = Field(min_length=1)


class Removed(Listing):
    """A listing of removed rows since a time; `id` (path in each item, or a list of them) is the key."""

    id: Text | list[Text]


class ColumnRule(Part):
    """One column of a row. `path` (default: its name) is where it lies in the item.

    `optional`: absent reads as null. `read_only`: never written. `format` of a time: iso, epoch_s, epoch_ms or a
    strftime format; `zone` of one without zone. `as`: a decimal written as a number or as text. `read` and `write`
    are expressions (CEL) of `value`, in place of the usual conversion.
    """

    type: Text
    path: Text | None = None
    optional: bool = False
    read_only: bool | None = None
    required: bool = False
    format: Text | None = None
    zone: Text | None = None
    as_: Literal["number", "text"] = Field("number", alias="as")
    read: Text | None = None
    write: Text | None = None


class Conditional(Part):
    """Writes take effect only while the row is as it was read. `tag`: `etag` (that header) or a template of `item`;
    it is sent in `header` (as `value` says), or where the templates of update and delete name `tag`.
    """

    tag: Text = "etag"
    header: Text | None = None
    value: Text = "{{ tag }}"


class Idempotency(Part):
    """A create repeated with the same key makes no second row; the key goes in `header`, or where the template of
    create names `idempotency_key`."""

    header: Text | None = None


class Answer(Part):
    """What an answer means, whatever its status: the first rule whose `when` (CEL: status, body, headers) holds.

    row: this row is not taken · settings: ours are at fault · missing: no such row · moved: somebody changed the row
    in between · busy: come again later · login: the credentials are no longer good. `reason` is a template.
    """

    when: Text
    means: Meaning
    reason: Text | None = None


class Resource(Part):
    """One kind of row."""

    key: list[Text] = Field(min_length=1)
    columns: dict[str, ColumnRule] = Field(min_length=1)
    list_: Listing = Field(alias="list")
    get: Single
    create: Write | None = None
    update: Write | None = None
    delete: Request | None = None
    find: list[Finding] = Field(default_factory=list)
    removed: Removed | None = None
    version: Text | None = None
    changed: Text | None = None
    conditional: Conditional | None = None
    idempotency: Idempotency | None = None
    marker: Text | None = None
    answers: list[Answer] = Field(default_factory=list)

    @field_validator("columns", mode="before")
    @classmethod
    def _plain_types(cls, columns: Any) -> Any:
        if not isinstance(columns, Mapping):
            return columns
        return {name: {"type": rule} if isinstance(rule, str) else rule for name, rule in columns.items()}

    @field_validator("find", mode="before")
    @classmethod
    def _one_or_many(cls, find: Any) -> Any:
        return [find] if isinstance(find, Mapping) else find

    @model_validator(mode="after")
    def _names_are_columns(self) -> Self:
        for place, names in (("key", self.key), *((f"find[{i}].by", one.by) for i, one in enumerate(self.find))):
            for name in names:
                if name not in self.columns:
                    raise refuse(f"{place} names {name}, which is no column of the resource")
        if self.marker is not None and self.marker not in self.columns:
            raise refuse(f"marker names {self.marker}, which is no column of the resource")
        return self


class Limits(Part):
    """What may be asked of the account. `requests` in any `window`, less the share `reserve`; `concurrency` at once.

    `timeout` bounds one request, `patience` the wait for its turn, `attempts` how often one is sent that had no
    effect, `answer` the bytes of an answer.
    """

    requests: int = Field(600, ge=1)
    window: Duration = 60_000_000
    reserve: float = Field(0.1, ge=0, lt=1)
    concurrency: int = Field(8, ge=1, le=256)
    timeout: Duration = 30_000_000
    patience: Duration = 300_000_000
    attempts: int = Field(3, ge=1, le=10)
    answer: int = Field(32 * MEBIBYTE, ge=1024, le=1024 * MEBIBYTE)


class Declaration(Part):
    """The whole of a system's settings that this connector knows; what is common to applications is judged elsewhere.

    `encoding: tagged` is JSON whose times, dates and decimals are objects with a `__class__`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)

    url: Text
    hosts: list[Text] = Field(default_factory=list)
    networks: list[Text] = Field(default_factory=list)
    insecure: bool = False
    headers: dict[str, Any] = Field(default_factory=dict)
    query: dict[str, Any] = Field(default_factory=dict)
    auth: Auth = NoAuth(type="none")
    account: Text | None = None
    limits: Limits = Limits()
    encoding: Literal["plain", "tagged"] = "plain"
    content_types: list[Text] = Field(default_factory=list)
    error: Text | None = None
    answers: list[Answer] = Field(default_factory=list)
    resources: dict[str, Resource] = Field(min_length=1)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise refuse("must be an address that begins with https:// (or http://, with insecure: true)")
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise refuse("must be a bare address: credentials go under auth, parameters under query")
        return url.rstrip("/")

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, networks: list[str]) -> list[str]:
        for one in networks:
            try:
                ipaddress.ip_network(one)
            except ValueError as error:
                raise refuse(f"{one} is no network: {error}") from None
        return networks

    @model_validator(mode="after")
    def _is_secure(self) -> Self:
        if self.url.startswith("http://") and not self.insecure:
            raise refuse("url begins with http://, which anybody on the way can read: use https, or set insecure: true")
        return self
