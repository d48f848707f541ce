"""Names and settings of topics, ids of records, headers of dead letters."""

from schemas import deadletters, identifiers
from schemas.topics import Topics

TOPICS = Topics("shop", partitions=6)


def test_every_topic_of_an_entity_has_the_same_number_of_partitions() -> None:
    specs = {spec.name: spec for spec in TOPICS.all({"contact": ("crm", "erp")})}
    keyed = [name for name in specs if name != TOPICS.catalog]
    assert {specs[name].partitions for name in keyed} == {6}


def test_logs_are_never_compacted_and_tables_always_are() -> None:
    policy = {spec.name: spec.config["cleanup.policy"] for spec in TOPICS.all({"contact": ("crm", "erp")})}
    assert {policy[name] for name in (TOPICS.records("contact"), TOPICS.commands("crm"), TOPICS.conflicts)} == {
        "delete"
    }
    assert {policy[name] for name in (TOPICS.golden("contact"), TOPICS.state("merge", "contact"))} == {"compact"}


def test_record_logs_are_stamped_by_the_broker() -> None:
    specs = {spec.name: spec.config for spec in TOPICS.all({"contact": ("crm",)})}
    assert specs[TOPICS.records("contact")]["message.timestamp.type"] == "LogAppendTime"


def test_a_local_id_is_compact_json_in_key_order() -> None:
    assert identifiers.local_id(["DE", 42]) == '["DE",42]'


def test_record_ids_are_the_same_in_every_run_and_differ_by_origin() -> None:
    natural = identifiers.record_of_natural_key("contact", '["a@example.com"]', 0)
    assert natural == identifiers.record_of_natural_key("contact", '["a@example.com"]', 0)
    others = {
        identifiers.record_of_natural_key("contact", '["a@example.com"]', 1),
        identifiers.record_of_row("contact", "crm", "[1]"),
        identifiers.record_of_key("contact", "[1]"),
        identifiers.record_of_key("invoice", "[1]"),
    }
    assert len({natural, *others}) == 5


def test_a_dead_letter_keeps_its_own_headers_and_says_why() -> None:
    why = deadletters.Failure("shop.commands.erp", 3, 17, "decode", "sink:erp", "UndecodableError", "starts with 7b")
    found = deadletters.headers(why, [("traceparent", b"00-1")], now_ms=5)
    assert found[0] == ("traceparent", b"00-1")
    assert deadletters.failure(found) == why
