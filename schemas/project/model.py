"""The project file as values: what each key may be, and what it means when it is left out.

Shapes and types are judged here; names that must agree with each other or with a system's columns are judged by
`schemas.project.rules` and `schemas.project.columns`, which know the positions of every key.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, SecretStr, Tag, model_validator

from schemas.project.base import Kind, refuse, word_or
from schemas.project.base import Name as Name
from schemas.project.base import Part as Part
from schemas.project.base import Scalar as Scalar
from schemas.project.bridge import Bridge as Bridge
from schemas.project.deletes import Archive as Archive
from schemas.project.deletes import ArchiveMode as ArchiveMode
from schemas.project.deletes import Brake as Brake
from schemas.project.deletes import ExistencePolicy as ExistencePolicy
from schemas.project.deletes import Inactive as Inactive
from schemas.project.deletes import InactiveMode as InactiveMode
from schemas.project.deletes import Mode as Mode
from schemas.project.deletes import OnDelete as OnDelete
from schemas.project.policies import Deadline as Deadline
from schemas.project.policies import Function as Function
from schemas.project.policies import Guard as Guard
from schemas.project.policies import ManualUntil as ManualUntil
from schemas.project.policies import OnConflict as OnConflict
from schemas.project.policies import Priority as Priority
from schemas.project.policies import function_of as function_of
from schemas.project.processors import Processors as Processors

FieldType = Literal[
    "string", "integer", "decimal", "float", "boolean", "date", "datetime", "uuid", "json", "bytes", "list"
]
Direction = Literal["both", "in", "out"]


class Kafka(Part):
    """Where the broker is, and how to reach it. `schemas.project.kafka` makes a client's settings of it."""

    bootstrap: str = Field("${env:KAFKA_BOOTSTRAP_SERVERS}", min_length=1)
    partitions: int = Field(4, ge=1, le=1000)
    replication_factor: int = Field(1, ge=1, le=9)
    records_retention_days: float = Field(30, ge=-1)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ssl_ca_file: str | None = None
    ssl_certificate_file: str | None = None
    ssl_key_file: str | None = None
    ssl_key_password: SecretStr | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None

    @model_validator(mode="after")
    def _settings_fit_the_protocol(self) -> Self:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        wanted = {"ssl_": "SSL", "sasl_": "SASL"}
        for prefix, word in wanted.items():
            unused = sorted(name for name in given if name.startswith(prefix))
            if unused and word not in self.security_protocol:
                raise refuse(f"{', '.join(unused)} would be ignored with security_protocol {self.security_protocol}")
        if "SASL" in self.security_protocol:
            missing = sorted({"sasl_mechanism", "sasl_username", "sasl_password"} - given)
            if missing:
                raise refuse(f"security_protocol {self.security_protocol} needs {', '.join(missing)}")
        if self.ssl_key_file and not self.ssl_certificate_file:
            raise refuse("ssl_key_file needs ssl_certificate_file")
        return self


class System(Part):
    """One place that holds data. Settings beyond `connector` belong to the connector and are judged by it.

    Postgres: `dsn` (may hold sslmode=verify-full and sslrootcert=…), and optionally `install_dsn`, `relay_dsn`,
    `sink_dsn` where the three tasks use roles of their own.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    connector: Kind

    @property
    def options(self) -> dict[str, Any]:
        """The connector's own settings."""
        return dict(self.model_extra or {})


class Match(Part):
    """Records are the same when these canonical fields, normalised, are equal in both systems."""

    match: list[Name] = Field(min_length=1)


Identity = Annotated[
    Annotated[Literal["key"], Tag("<word>")] | Annotated[Match, Tag("<match>")],
    word_or("match"),
]


class FieldRule(Part):
    """A canonical field, or (with `group`) several members of one type that move as one.

    `required`: a row without it has no value to offer. `check`: the form its text must have. `owner`: the only
    system whose edits count, in place of `on_conflict`. `places`: decimal places kept, rounding half away from zero.
    `sensitive`: a wrong value harms somebody, so it is said where the clocks of systems would decide.
    """

    type: FieldType = "string"
    group: list[Name] | None = Field(None, min_length=2)
    required: bool = False
    check: Literal["email", "phone"] | None = None
    owner: Name | None = None
    on_conflict: OnConflict | None = None
    places: int | None = Field(None, ge=0, le=30)
    sensitive: bool = False

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Self:
        if self.owner and self.on_conflict:
            raise refuse("owner and on_conflict exclude each other: an owned field has no conflicts to decide")
        if self.places is not None and self.type != "decimal":
            raise refuse(f"places is for decimal fields, and this one is of type {self.type}")
        if self.check and (self.type != "string" or self.group):
            raise refuse("check is for single fields of type string")
        return self


class Column(Part):
    """One field (or one member of a group) from one column, with what is done to its value on the way.

    `values` is an enum table: canonical value → the column's. `format` is a strptime format (or "iso") of a text
    column that holds a date or time; `zone` an IANA name for columns without a zone. `trim`, `case` and `length`
    say what the target does to text, so that it is not taken for an edit; `places` what it rounds to.
    """

    column: str = Field(min_length=1)
    direction: Direction = "both"
    values: dict[str, Scalar] | None = Field(None, min_length=1)
    format: str | None = Field(None, min_length=1)
    zone: str | None = None
    places: int | None = Field(None, ge=0, le=30)
    trim: bool = False
    case: Literal["lower", "upper"] | None = None
    length: int | None = Field(None, ge=1)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)


class Join(Part):
    """One text field made of several columns: `{join: [first_name, last_name], separator: " "}`.

    Reading joins the parts that are not empty. Writing keeps the parts that still fit, at either end, and splits the
    rest at its first separators; repeated separators count as one.
    """

    join: list[Annotated[str, Field(min_length=1)]] = Field(min_length=2)
    separator: str = Field(" ", min_length=1)
    direction: Direction = "both"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.join)


class Split(Part):
    """A member of a group that shares one text column with other members, in the order of `group`.

    `{first: {split: full_name}, last: {split: full_name}}`. Only within a group: as separate fields, an edit of one
    part would be merged without the other, and the column would grow.
    """

    split: str = Field(min_length=1)
    separator: str = Field(" ", min_length=1)
    direction: Direction = "both"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.split,)


def _plain_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def _form(value: Any) -> str:
    if isinstance(value, BaseModel):
        return f"<{type(value).__name__.lower()}>"
    keys = value if isinstance(value, Mapping) else ()
    return next((f"<{key}>" for key in ("join", "split") if key in keys), "<column>")


def _form_or_group(value: Any) -> str:
    """A group is told by its values, not its keys: a member may well be called "length" or "format"."""
    forms = {"column", "join", "split"}
    if isinstance(value, Mapping) and value and not forms & set(value) and all(map(_is_member_map, value.values())):
        return "<group>"
    return _form(value)


def _is_member_map(value: Any) -> bool:
    whole = isinstance(value, Mapping) and bool({"column", "join", "split"} & set(value))
    return whole or isinstance(value, str | BaseModel)


MemberMap = Annotated[
    Annotated[Column, Tag("<column>")] | Annotated[Join, Tag("<join>")] | Annotated[Split, Tag("<split>")],
    Discriminator(_form),
    BeforeValidator(_plain_column),
]
FieldMap = Annotated[
    Annotated[Column, Tag("<column>")]
    | Annotated[Join, Tag("<join>")]
    | Annotated[Split, Tag("<split>")]
    | Annotated[dict[Name, MemberMap], Tag("<group>")],
    Discriminator(_form_or_group),
    BeforeValidator(_plain_column),
]
Single = Column | Join | Split


class Filter(Part):
    """Rows take part when this column equals the value (null: has none), or is one of the values."""

    column: str = Field(min_length=1)
    equals: Scalar | None = None
    one_of: list[Scalar] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if ("equals" in self.model_fields_set) == ("one_of" in self.model_fields_set):
            raise refuse("a filter has either equals or one_of")
        return self

    @property
    def allowed(self) -> tuple[Scalar | None, ...]:
        """The values a row may have in the column to take part."""
        return (self.equals,) if self.one_of is None else tuple(self.one_of)


class EntitySystem(Part):
    """How one system holds an entity: the table, its columns, and which rows take part.

    `key` names the key columns where they are not the primary key. `constants` are columns set when duplex creates
    a row, and never read. `on_leave`: whether a row that a change takes out of the filter counts as deleted.
    """

    table: str = Field(min_length=1)
    key: list[str] | None = Field(None, min_length=1)
    map: dict[Name, FieldMap] = Field(min_length=1)
    constants: dict[str, Scalar | None] = Field(default_factory=dict)
    filter: list[Filter] = Field(default_factory=list)
    on_leave: Literal["ignore", "delete"] = "ignore"

    def singles(self) -> Iterator[tuple[tuple[str, ...], Single]]:
        """Every mapping of columns with its path below `map`: (field,) or (field, member)."""
        for name, mapped in self.map.items():
            if isinstance(mapped, dict):
                yield from (((name, member), part) for member, part in mapped.items())
            else:
                yield (name,), mapped


class Entity(Part):
    """A kind of record shared by systems."""

    identity: Identity | None = None
    fields: dict[Name, FieldRule] = Field(min_length=1)
    on_delete: OnDelete = OnDelete()
    guard: Guard = Guard()
    systems: dict[Name, EntitySystem] = Field(min_length=1)

    @property
    def match(self) -> tuple[str, ...]:
        """The canonical fields of the natural key; empty where there is none."""
        return tuple(self.identity.match) if isinstance(self.identity, Match) else ()


class Project(Part):
    """The whole file."""

    pipeline: Name
    kafka: Kafka = Kafka()
    bridge: Bridge = Bridge()
    processors: Processors = Processors()
    systems: dict[Name, System] = Field(min_length=1)
    entities: dict[Name, Entity] = Field(min_length=1)
