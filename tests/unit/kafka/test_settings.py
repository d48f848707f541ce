"""A Kafka system's part of the project file."""

from typing import Any

import pytest

from connectors.base import TableSpec
from connectors.errors import RefusedError
from connectors.kafka.connector import connector
from connectors.kafka.settings import read_settings
from connectors.registry import kind_of

TABLE = {"topic": "shop.public.customers"}
PLAIN = TABLE | {"format": "json", "key": ["id"], "columns": {"id": "bigint"}}


def options(table: Any = None, **more: Any) -> dict[str, Any]:
    return {"bootstrap": "localhost:9092", "topics": {"customers": TABLE if table is None else table}} | more


def test_the_least_that_is_needed() -> None:
    found = read_settings("legacy", options())
    table = found.tables["customers"]
    assert (table.format, table.key_format, table.key, dict(table.columns)) == ("debezium-json", "json-schema", (), {})
    assert found.client == {"bootstrap_servers": ["localhost:9092"], "security_protocol": "PLAINTEXT"}


def test_columns_may_say_where_and_how() -> None:
    columns = {"id": "bigint", "seen": {"type": "timestamptz", "encoding": "epoch_ms", "path": "meta.seen"}}
    found = read_settings("legacy", options(PLAIN | {"columns": columns})).tables["customers"]
    assert found.columns["seen"].path == ("meta", "seen")
    assert found.columns["id"].path == ("id",)


REFUSED = [
    ({"topcis": {}}, "topcis.*Did you mean topics"),
    ({"topics": {}}, "names no topic"),
    ({"topics": {"customers": None}}, r"customers\.topic: it is missing"),
    (options({"topic": "a b"}), "no name that a topic can have"),
    (options({"topic": "__debezium-heartbeat.shop"}), "heartbeats"),
    (options({"topic": "__consumer_offsets"}), "Kafka's own offsets"),
    (options(TABLE | {"format": "xml"}), "'xml' is not one of"),
    (options(TABLE | {"format": "json"}), r"columns: it is missing"),
    (options(TABLE | {"format": "json", "columns": {"id": "bigint"}}), r"key: it is missing"),
    (options(TABLE | {"key_format": "text"}), "such a key_format"),
    (options(PLAIN | {"key": ["nr"]}), "nr is not among the columns"),
    (options(PLAIN | {"key": ["id", "id"]}), "no list of column names"),
    (options(PLAIN | {"columns": {"id": {"typ": "bigint"}}}), "typ: there is no such setting. Did you mean type"),
    (options(PLAIN | {"columns": {"id": {"type": "bigint", "encoding": "roman"}}}), "'roman' is no encoding"),
    (options(PLAIN | {"columns": {"id": 7}}), "no mapping"),
    (options(PLAIN | {"columns": {"id": "bigiint"}}), "columns.id: 'bigiint' is no type. Did you mean bigint"),
    (options(PLAIN | {"columns": {"id": {"type": "numric(5,2)[]"}}}), "'numric.*is no type. Did you mean numeric"),
    (options(PLAIN | {"origin": {"header": "x", "ignore": "duplex"}}), "no list of texts"),
    (options(PLAIN | {"absent": "skip"}), "not one of refuse, null"),
    (options(TABLE | {"format": "avro"}), r"registry: it is missing"),
    (options(registry="http://registry:8081"), "insecure"),
    (options(registry="registry"), "no plain address"),
    (options(registry={"url": "https://user:x@registry"}), "no plain address"),
    (options(registry={"url": "https://registry", "networks": ["10.0.0.1/8"]}), "no list of networks"),
    (options(bootstrap=7), "no text"),
    (options(security_protocol="SASL_SSL"), "SASL_SSL needs"),
    (options(sasl_username="x"), "would be ignored"),
]


@pytest.mark.parametrize(("given", "why"), REFUSED)
def test_settings_that_are_wrong_are_refused_by_name(given: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why) as caught:
        read_settings("legacy", given)
    assert "systems.legacy" in str(caught.value)


def test_a_system_without_an_address_is_on_the_pipelines_own_cluster() -> None:
    made = connector("legacy", "shop", {"topics": {"customers": TABLE}})
    with pytest.raises(RefusedError, match="bootstrap: it is missing"):
        _ = made.cluster
    made.lend_kafka({"bootstrap_servers": "here:1"})
    assert made.cluster.address == "here:1"
    own = connector("legacy", "shop", options())
    own.lend_kafka({"bootstrap_servers": "here:1"})
    assert own.cluster.address == "localhost:9092"


def test_nothing_is_written_to_such_a_system() -> None:
    assert kind_of("kafka", "legacy").log and not kind_of("kafka", "legacy").writes
    made = connector("legacy", "shop", options())
    with pytest.raises(RefusedError, match="never written"):
        made.open_sink([])


async def test_an_entity_of_a_table_that_is_not_declared_is_refused() -> None:
    made = connector("legacy", "shop", options())
    spec = TableSpec("invoice", "invoices", (), ())
    with pytest.raises(RefusedError, match="no topic is named invoices; there are customers"):
        made.readers.require(spec)


@pytest.mark.parametrize("kind", ["numeric(5,2)", "text[]", "Interval", "bit varying(4)", "character varying(40)"])
def test_a_type_may_be_any_that_a_row_can_have(kind: str) -> None:
    found = read_settings("legacy", options(PLAIN | {"columns": {"id": "bigint", "it": kind}}))
    assert found.tables["customers"].columns["it"].type == kind
