"""A Kafka system's part of the project file, judged and typed."""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from connectors.errors import RefusedError
from connectors.http.destinations import Destinations, Network
from connectors.kafka import forms
from connectors.kafka.errors import UnreadableError
from connectors.kafka.networks import read_networks
from schemas.errors import SchemasError
from schemas.project import column_types
from schemas.project.kafka import client_options
from schemas.project.model import Kafka

FORMATS = ("debezium-json", "debezium-json-schemaless", "debezium-avro", "json", "json-schema", "avro")
WITHOUT_SCHEMA = ("debezium-json-schemaless", "json")
BARE = (*WITHOUT_SCHEMA, "text")
KEY_FORMATS = ("json", "json-schema", "text", "avro")
CLIENT = ("security_protocol", "ssl_ca_file", "ssl_certificate_file", "ssl_key_file", "ssl_key_password",
          "sasl_mechanism", "sasl_username", "sasl_password")  # fmt: skip
SETTINGS = ("bootstrap", "registry", "topics", *CLIENT)
TOPIC_SETTINGS = ("topic", "format", "key", "key_format", "columns", "origin", "absent")
COLUMN_SETTINGS = ("type", "encoding", "path")
REGISTRY_SETTINGS = ("url", "username", "password", "networks", "insecure")
NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
TYPES = ("text", "bigint", "integer", "numeric", "double precision", "boolean", "date", "timestamp", "timestamptz",
         "uuid", "jsonb", "bytea")  # fmt: skip
OPAQUE_TYPES = ("interval", "time with time zone", "timetz", "xml", "inet", "cidr", "macaddr", "money", "bit",
                "bit varying", "point", "tsvector", "ltree", "hstore", "geometry", "geography")  # fmt: skip
ARGUMENTS = re.compile(r"\([^)]*\)|\[\]")
REMEDY = "docs/connectors/kafka.md names every setting."
NOT_OF_ROWS = {
    "__debezium-heartbeat": "Debezium's heartbeats",
    "__consumer_offsets": "Kafka's own offsets",
    "__transaction_state": "Kafka's own transactions",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as declared: its type, the producer's encoding of it, and where in the row it stands."""

    type: str
    encoding: str | None = None
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Messages whose header has one of these values are not read."""

    header: str
    ignore: frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A topic as a table. `columns` is empty where the schema says them; `absent_is_null`: what a row lacks is null."""

    name: str
    topic: str
    format: str
    key: tuple[str, ...]
    key_format: str
    columns: Mapping[str, Column]
    origin: Origin | None = None
    absent_is_null: bool = False


@dataclass(frozen=True, slots=True)
class Registry:
    """Where a schema registry is: its address without a slash at its end, and who asks."""

    url: str
    destinations: Destinations
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """A system's settings. `client` has the arguments of a Kafka client; None: the pipeline's own cluster."""

    system: str
    client: Mapping[str, Any] | None
    registry: Registry | None
    tables: Mapping[str, Table]


def read_settings(system: str, options: Mapping[str, Any]) -> Settings:
    """The settings in these options. Raises RefusedError naming the key that is unknown, missing or unfit."""
    place = Place(system, f"systems.{system}")
    place.known(options, SETTINGS)
    topics = options.get("topics")
    if not isinstance(topics, Mapping) or not topics:
        raise place.refused("topics", "it names no topic", "Write {customers: {topic: shop.public.customers}}.")
    registry = _registry(place, options.get("registry"))
    tables = {str(name): _table(place.inner(f"topics.{name}"), str(name), given) for name, given in topics.items()}
    for table in tables.values():
        if registry is None and "avro" in (table.format.removeprefix("debezium-"), table.key_format):
            raise place.refused("registry", f"it is missing, and topic {table.topic} is in Avro", "Give its address.")
    return Settings(system, _client(place, options), registry, tables)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the project file, for the errors about it."""

    system: str
    path: str

    def inner(self, name: str) -> "Place":
        return Place(self.system, f"{self.path}.{name}")

    def refused(self, key: str, why: str, remedy: str = REMEDY) -> RefusedError:
        return RefusedError(self.system, f"setting {self.path}.{key}", why, remedy)

    def known(self, given: Mapping[Any, Any], names: Collection[str]) -> None:
        """Raises RefusedError for a key that is none of these."""
        for key in given:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, n=1)
                remedy = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
                raise self.refused(str(key), "there is no such setting", remedy)

    def mapping(self, key: str, given: Any, names: Collection[str]) -> Mapping[str, Any]:
        """A mapping with none but these keys. Raises RefusedError."""
        if not isinstance(given, Mapping):
            raise self.refused(key, f"it is no mapping with {', '.join(names)}")
        self.inner(key).known(given, names)
        return given

    def text(self, key: str, given: Any) -> str:
        """Text that is not empty. Raises RefusedError."""
        if not isinstance(given, str) or not given:
            raise self.refused(key, "it is missing" if given is None else f"{given!r} is no text")
        return given

    def word(self, key: str, given: Any, words: Collection[str]) -> str:
        """One of these words. Raises RefusedError."""
        if given not in words:
            raise self.refused(key, f"{given!r} is not one of {', '.join(words)}", "Use one of them.")
        return str(given)


def _client(place: Place, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    given = {name: options[name] for name in ("bootstrap", *CLIENT) if options.get(name) is not None}
    if not given:
        return None
    bootstrap = place.text("bootstrap", given.get("bootstrap"))
    try:
        return client_options(Kafka.model_validate(given | {"bootstrap": bootstrap}))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "security_protocol"
        raise place.refused(key, str(first["msg"])) from error
    except SchemasError as error:
        raise place.refused("bootstrap", str(error)) from error


def _table(place: Place, name: str, given: Any) -> Table:
    if not isinstance(given, Mapping):
        raise place.refused("topic", "it is missing", "Write {topic: shop.public.customers, format: debezium-json}.")
    place.known(given, TOPIC_SETTINGS)
    style = place.word("format", given.get("format", "debezium-json"), FORMATS)
    key, columns = _key(place, given.get("key")), _columns(place, given.get("columns"))
    key_format = place.word("key_format", given.get("key_format", _key_format(style)), KEY_FORMATS)
    bare = [name for name, found in (("format", style), ("key_format", key_format)) if found in BARE]
    if bare and not columns:
        raise place.refused("columns", f"it is missing, and messages of such a {bare[0]} bring no schema")
    if bare and not key:
        raise place.refused("key", f"it is missing, and messages of such a {bare[0]} do not say what the key is")
    if columns and (missing := [column for column in key if column not in columns]):
        raise place.refused("key", f"{missing[0]} is not among the columns")
    absent = place.word("absent", given.get("absent", "refuse"), ("refuse", "null"))
    return Table(
        name=name,
        topic=_topic(place, given.get("topic")),
        format=style,
        key=key,
        key_format=key_format,
        columns=columns,
        origin=_origin(place, given.get("origin")),
        absent_is_null=absent == "null",
    )


def _key_format(style: str) -> str:
    if style.endswith("avro"):
        return "avro"
    return "json" if style in WITHOUT_SCHEMA else "json-schema"


def _topic(place: Place, given: Any) -> str:
    topic = place.text("topic", given)
    if not NAME.fullmatch(topic) or topic in (".", ".."):
        raise place.refused("topic", f"{topic!r} is no name that a topic can have")
    for prefix, what in NOT_OF_ROWS.items():
        if topic.startswith(prefix):
            raise place.refused("topic", f"{topic} holds {what}, and no rows", "Name the topic of a table.")
    return topic


def _key(place: Place, given: Any) -> tuple[str, ...]:
    names = given if isinstance(given, list) else [] if given is None else [given]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise place.refused("key", "it is no list of column names", "Write [id].")
    return tuple(names)


def _columns(place: Place, given: Any) -> dict[str, Column]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise place.refused("columns", "it is no mapping of names to types", "Write {id: bigint, email: text}.")
    return {str(name): _column(place.inner("columns"), str(name), one) for name, one in given.items()}


def _column(place: Place, name: str, given: Any) -> Column:
    if isinstance(given, str):
        return Column(_type(place, name, given), None, (name,))
    found = place.mapping(name, given, COLUMN_SETTINGS)
    inner, encoding = place.inner(name), found.get("encoding")
    if encoding is not None:
        try:
            forms.read_encoding(encoding)
        except UnreadableError as error:
            raise inner.refused("encoding", error.reason, "Use one of them.") from error
    path = found.get("path", name if "path" not in found else None)
    steps = (name,) if "path" not in found else tuple(inner.text("path", path).split("."))
    return Column(_type(inner, "type", found.get("type")), encoding, steps)


def _type(place: Place, key: str, given: Any) -> str:
    """A type that rows can have. One that nobody knows would be carried as text, whatever the messages hold."""
    text = place.text(key, given)
    kind, name = column_types.parse(text), ARGUMENTS.sub("", text).strip().lower()
    if (kind.item or kind).kind == "opaque" and name not in OPAQUE_TYPES:
        near = difflib.get_close_matches(name, TYPES, n=1)
        remedy = f"Did you mean {near[0]}?" if near else f"Use {', '.join(TYPES)} …, or a list of one (text[])."
        raise place.refused(key, f"{text!r} is no type", remedy)
    return text


def _origin(place: Place, given: Any) -> Origin | None:
    if given is None:
        return None
    found = place.mapping("origin", given, ("header", "ignore"))
    ignore = found.get("ignore")
    if not isinstance(ignore, list) or not ignore or not all(isinstance(one, str) for one in ignore):
        raise place.refused("origin.ignore", "it is no list of texts", "Write {header: x-origin, ignore: [duplex]}.")
    return Origin(place.inner("origin").text("header", found.get("header")), frozenset(ignore))


def _registry(place: Place, given: Any) -> Registry | None:
    if given is None:
        return None
    found = {"url": given} if isinstance(given, str) else place.mapping("registry", given, REGISTRY_SETTINGS)
    inner = place.inner("registry")
    url = inner.text("url", found.get("url")).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or "@" in parts.netloc:
        raise inner.refused("url", "it is no plain address", "Write https://registry.example.com:8081.")
    insecure = found.get("insecure", False)
    if not isinstance(insecure, bool):
        raise inner.refused("insecure", f"{insecure!r} is neither true nor false")
    if parts.scheme == "http" and not insecure:
        raise inner.refused("url", "http is readable on its way", "Use https, or say `insecure: true`.")
    networks: tuple[Network, ...] = read_networks(inner, found.get("networks"))
    return Registry(
        url, Destinations((parts.netloc,), networks, insecure), found.get("username"), found.get("password")
    )
