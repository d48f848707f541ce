"""The project file as values: what each key may be, and what it means when it is left out.

Shapes and types are judged here; names that must agree with each other or with a system's columns are judged by
`schemas.project.rules` and by the program's `check`, which know the positions of every key.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
FieldType = Literal[
    "string", "integer", "decimal", "float", "boolean", "date", "datetime", "uuid", "json", "bytes", "list"
]
Direction = Literal["both", "in", "out"]


class Part(BaseModel):
    """Anything in the file: unknown keys are errors, and nothing is changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Kafka(Part):
    """Where the broker is, and how to reach it. `sasl_*` and `ssl_*` are passed through to the client."""

    bootstrap: str = "${env:KAFKA_BOOTSTRAP_SERVERS}"
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


class System(Part):
    """One place that holds data. Settings beyond `connector` belong to the connector and are judged by it.

    Postgres: `dsn` (may hold sslmode=verify-full and sslrootcert=…), and optionally `install_dsn`, `relay_dsn`,
    `sink_dsn` where the three tasks use roles of their own.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    connector: Name

    @property
    def options(self) -> dict[str, Any]:
        """The connector's own settings."""
        return dict(self.model_extra or {})


class Match(Part):
    """Records are the same when these canonical fields, normalised, are equal in both systems."""

    match: list[Name] = Field(min_length=1)


class Priority(Part):
    """Conflicts go to the system named earlier."""

    priority: list[Name] = Field(min_length=1)


class FieldRule(Part):
    """A canonical field, or (with `group`) several that move as one."""

    type: FieldType = "string"
    group: list[Name] | None = None
    required: bool = False
    check: Literal["email", "phone"] | None = None
    owner: Name | None = None
    on_conflict: Literal["newest", "manual"] | Priority | None = None
    places: int | None = Field(None, ge=0, le=30, description="decimal places kept")


class Join(Part):
    """One field made of several columns: `{join: [first_name, last_name], separator: " "}`."""

    join: list[str] = Field(min_length=2)
    separator: str = Field(" ", min_length=1)
    direction: Direction = "both"


class Column(Part):
    """One field from one column, with what has to be done to its value on the way.

    `values` is an enum table: canonical value → the column's. `format` is a strptime format (or "iso") of a text
    column that holds a date or time; `zone` an IANA name for columns without a zone. `trim`, `case` and `length`
    say what the target does to text, so that it is not taken for an edit. `constant` writes a fixed value.
    """

    column: str
    direction: Direction = "both"
    values: dict[str, str | int | bool] | None = None
    format: str | None = None
    zone: str | None = None
    places: int | None = Field(None, ge=0, le=30)
    trim: bool = False
    case: Literal["lower", "upper"] | None = None
    length: int | None = Field(None, ge=1)


class Split(Part):
    """A column that holds what the entity keeps in several members of a group or several fields: see `Join`."""

    split: str
    separator: str = Field(" ", min_length=1)
    index: int = Field(0, ge=0)
    direction: Direction = "both"


class Constant(Part):
    """A column that always gets this value when duplex creates a row, and is never read."""

    constant: str | int | bool | None


class Filter(Part):
    """Rows that take part: the column equals, or is one of, these values; `on_leave` says what leaving means."""

    column: str
    equals: str | int | bool | None = None
    one_of: list[str | int] | None = None


FieldMap = str | Join | Column | dict[str, str | Join | Column]


class EntitySystem(Part):
    """How one system holds an entity: the table, its columns, and which rows take part."""

    table: str
    key: list[str] | None = None
    map: dict[Name, Any]
    constants: dict[str, str | int | bool | None] = Field(default_factory=dict)
    filter: list[Filter] = Field(default_factory=list)
    on_leave: Literal["ignore", "delete"] = "ignore"


class Entity(Part):
    """A kind of record shared by systems."""

    identity: Literal["key"] | Match | None = None
    fields: dict[Name, FieldRule] = Field(min_length=1)
    on_delete: dict[Name, Any] = Field(default_factory=dict)
    systems: dict[Name, EntitySystem] = Field(min_length=1)

    @property
    def match(self) -> tuple[str, ...]:
        """The canonical fields of the natural key; empty where there is none."""
        return tuple(self.identity.match) if isinstance(self.identity, Match) else ()


class Project(Part):
    """The whole file."""

    pipeline: Name
    kafka: Kafka = Kafka()
    systems: dict[Name, System] = Field(min_length=1)
    entities: dict[Name, Entity] = Field(min_length=1)
