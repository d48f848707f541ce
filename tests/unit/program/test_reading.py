"""What `topic tail` makes of the messages of each topic."""

import pytest

from duplex.broker import Message
from duplex.epochs import Applied, Known
from duplex.reading import Reader
from schemas.codec import Codec
from schemas.goldens import Golden, GoldenCodec
from schemas.messages import Change
from schemas.project.epochs import rules_text
from schemas.project.model import Project
from streams.merge import states
from streams.processors import changelogs

CHANGE = Change(
    system="crm", entity="contact", table="t", incarnation=1, seq=7, op="c", local_id="[7]", after='{"id": 7}', ts_us=1
)


@pytest.fixture
def reader() -> Reader:
    held = {"table": "t", "map": {"email": "email"}}
    entity = {"fields": {"email": {}}, "systems": {"crm": held}}
    project = {"pipeline": "shop", "systems": {"crm": {"connector": "memory"}}, "entities": {"contact": entity}}
    return Reader(Project.model_validate(project))


def message(topic: str, value: bytes | None, key: bytes = b"k", **headers: bytes) -> Message:
    return Message(f"shop.{topic}", 0, 1, 2, key, value, tuple(headers.items()))


def test_a_change_is_shown_with_its_row_opened(reader: Reader) -> None:
    shown = reader.shown(message("records.contact", Codec().encode(CHANGE)))
    assert (shown["kind"], shown["value"]["after"], shown["value"]["seq"]) == ("change", {"id": 7}, 7)


def test_a_state_is_shown_by_the_names_of_its_parts(reader: Reader) -> None:
    entry = changelogs.entry(b"k", states.encode(states.State(offset=5)), changelogs.Stamp(2, 9))
    kind, value = reader.decoded(message("state.merge.contact", entry.value))
    assert (kind, value["epoch"], value["offset"]) == ("state", 2, 5)


def test_a_mark_is_shown_as_the_positions_it_holds(reader: Reader) -> None:
    mark = changelogs.batch({}, {"shop.records.contact": 5}, changelogs.Stamp(2, 5))[-1]
    found = reader.decoded(message("state.merge.contact", mark.value, changelogs.MARK_KEY))
    assert found == ("mark", {"epoch": 2, "positions": {"shop.records.contact": 5}})


def test_json_tombstones_and_anything_else(reader: Reader) -> None:
    assert reader.decoded(message("catalog", b'{"a": 1}')) == ("json", {"a": 1})
    assert reader.decoded(message("links.contact", None)) == ("tombstone", None)
    assert reader.decoded(message("records.contact", b"\xff\xfe")) == ("bytes", "fffe")
    assert reader.decoded(message("golden.contact", b"rubbish")) == ("bytes", "rubbish")


def test_a_dead_letter_keeps_its_bytes_and_says_why(reader: Reader) -> None:
    shown = reader.shown(message("deadletters", b"rubbish", **{"__connect.errors.exception.message": b"cut short"}))
    assert (shown["kind"], shown["value"]) == ("dead letter", "rubbish")
    assert shown["headers"] == {"__connect.errors.exception.message": "cut short"}


def test_a_merged_record_of_earlier_rules_is_shown() -> None:
    def project(*fields: str) -> Project:
        held = {"table": "t", "map": {name: name for name in fields}}
        entity = {"fields": {name: {} for name in fields}, "systems": {"crm": held}}
        systems = {"crm": {"connector": "memory"}}
        return Project.model_validate({"pipeline": "p", "systems": systems, "entities": {"e": entity}})

    before, now = project("a"), project("a", "b")
    text = rules_text(before, "e", {"crm": {"a": "text"}})
    applied = Applied(number=1, fingerprint="", rules=text, applied_at_us=0)
    golden = Golden(record_id="r", version=1, deleted=False, values={"a": "x"}, provenance={})
    data = GoldenCodec("p", "e", before.entities["e"]).encode(golden)
    message = Message("p.golden.e", 0, 0, 0, b"r", data)
    assert Reader(now).decoded(message)[0] != "golden"
    kind, shown = Reader(now, {"e": Known(applied, {1: applied})}).decoded(message)
    assert (kind, shown["values"]) == ("golden", {"a": "x", "b": None})
