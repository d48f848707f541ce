"""Groups, filters, conditions and lines."""

import msgspec
import pytest

from duplex.deadletters import groups, obstacles, views
from duplex.deadletters.book import Book, Entry
from duplex.deadletters.conditions import Condition, Wanted
from duplex.deadletters.errors import ConditionError
from duplex.deadletters.reading import group_of
from duplex.reading import Reader
from schemas.codec import Codec
from schemas.messages import Allowance, Decision
from schemas.project.model import Project
from tests.unit.deadletters.letters import RECORDS, Topic, change, encoded, failure

NOW_US = 60_000_000


@pytest.fixture
def reader() -> Reader:
    held = {"table": "t", "map": {"email": "email"}}
    entity = {"fields": {"email": {}}, "systems": {"crm": held}}
    project = {"pipeline": "shop", "systems": {"crm": {"connector": "memory"}}, "entities": {"contact": entity}}
    return Reader(Project.model_validate(project))


@pytest.fixture
def entries() -> list[Entry]:
    topic = Topic()
    topic.letter(failure(7))
    topic.letter(failure(8, message="starts with 9f8e, not c301"), key=b"kl")
    topic.letter(failure(9, stage="decide", error_class="DecisionRefused", message='"a" moved to 3'), key=b"m")
    topic.letter(failure(3, topic="shop.changes.crm.contact", component="links.contact"), encoded())
    topic.mark("1:1", "dropped")
    return list(Book(topic.messages))


def test_messages_that_differ_in_ids_and_numbers_only_are_one_group(entries: list[Entry]) -> None:
    found = groups.grouped(entries)
    assert [(each.count, each.message) for each in found] == [(3, "starts with #, not #"), (1, '"…" moved to #')]
    assert (found[0].first_ms, found[0].last_ms, found[0].example) == (1000, 4000, "1:3")
    assert found[0].components == ["links.contact", "merge.contact"]


@pytest.mark.parametrize(
    ("message", "folded"),
    [
        ("record 3fa85f64-5717-4562-b3fc-2c963f66afa6 is gone", "record # is gone"),
        ('crm:[7] is "O\\"Neil", 3.5 %', 'crm:[#] is "…", # %'),
        ("contacts.py:12: TypeError: no", "contacts.py:# TypeError: no"),
        ("-" * 5000, "-" * 300),
    ],
)
def test_folding(message: str, folded: str) -> None:
    assert groups.folded(message) == folded


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(), ["1:0", "1:2", "1:3"]),
        (Wanted(state="dropped"), ["1:1"]),
        (Wanted(state=None, key="k"), ["1:0", "1:1", "1:3"]),
        (Wanted(topics=("contact", RECORDS)), ["1:0", "1:2"]),
        (Wanted(error="Refused"), ["1:2"]),
        (Wanted(error="not c3"), ["1:0", "1:3"]),
        (Wanted(since_us=3_000_000), ["1:2", "1:3"]),
    ],
)
def test_filters(entries: list[Entry], reader: Reader, wanted: Wanted, ids: list[str]) -> None:
    assert [entry.id for entry in wanted.among(entries, reader, NOW_US)] == ids


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        ('component == "links.contact"', ["1:3"]),
        ('kind == "change" && value.after.phone == "1"', ["1:3"]),
        ("age_s > 58.5", ["1:0"]),
        ('stage == "decide" && message.contains("moved") && failures == 1', ["1:2"]),
        ("offset in [7, 8]", ["1:0"]),
    ],
)
def test_conditions(entries: list[Entry], reader: Reader, source: str, ids: list[str]) -> None:
    wanted = Wanted(condition=Condition(source))
    assert [entry.id for entry in wanted.among(entries, reader, NOW_US)] == ids


def test_a_condition_that_cannot_be_asked_of_a_letter_is_counted(entries: list[Entry], reader: Reader) -> None:
    condition = Condition('value.after.phone == "1"')
    assert [each.id for each in Wanted(condition=condition).among(entries, reader, NOW_US)] == ["1:3"]
    assert condition.failed == 2


@pytest.mark.parametrize("source", ["eror == 1", "error ==", "1 + 1"])
def test_a_condition_that_is_wrong_for_all_is_refused(entries: list[Entry], reader: Reader, source: str) -> None:
    with pytest.raises(ConditionError):
        Wanted(condition=Condition(source)).among(entries, reader, NOW_US)


def test_the_page_has_all_and_the_lines_to_paste(entries: list[Entry], reader: Reader) -> None:
    text = "\n".join(views.page(views.detail(entries[3], reader, None)))
    for part in ("partition 2, offset 3, key k", '"phone": "1"', "retry 1:3 --edit", "drop 1:3", "rejected by links"):
        assert part in text


def test_the_page_says_why_not(entries: list[Entry], reader: Reader) -> None:
    text = "\n".join(views.page(views.detail(entries[0], reader, "no use")))
    assert "not to be sent again: no use." in text
    assert "deadletters retry" not in text


def test_bytes_that_are_no_text_are_shown_as_hex(reader: Reader) -> None:
    topic = Topic()
    topic.letter(failure(), b"\xff\x00")
    (entry,) = Book(topic.messages)
    assert (views.detail(entry, reader, None).kind, views.detail(entry, reader, None).value) == ("bytes", "ff00")


def test_a_key_that_is_no_text_is_shown_and_asked_for_as_hex(reader: Reader) -> None:
    topic = Topic()
    topic.letter(failure(), key=b"\xff\x01")
    (entry,) = Book(topic.messages)
    assert views.shown(entry).key == "ff01"
    assert Wanted(key="ff").among([entry], reader, NOW_US) == [entry]


def test_lines(entries: list[Entry]) -> None:
    one = views.line(views.shown(entries[0]), 60_000)
    assert one.startswith("1:0  open  59 s ago  shop.records.contact/2@7  key k  merge.contact: UndecodableError: ")
    assert "3  decode UndecodableError: starts with #, not #" in views.group_line(groups.grouped(entries)[0], 60_000)


def test_a_decision_that_was_refused_is_not_sent_again() -> None:
    decided = Decision(
        record_id="r", entity="contact", item="r/4", candidate=None, version=1, value=None, decided_by="ada", ts_us=1
    )
    topic = Topic()
    topic.letter(failure(error_class="DecisionRefused", message="phone moved on"), Codec().encode(decided))
    (entry,) = Book(topic.messages)
    why = obstacles.of_itself(entry, Codec())
    assert why is not None
    assert "phone moved on" in why
    assert "duplex conflicts show r/4" in why


@pytest.mark.parametrize(("deed", "why"), [("retried", "has not come to it"), ("closed", "got through")])
def test_what_is_under_way_or_done_is_not_sent_again(deed: str, why: str) -> None:
    topic = Topic()
    topic.mark(topic.letter(failure()), deed, (RECORDS, 2, 9))  # type: ignore[arg-type]
    (entry,) = Book(topic.messages)
    assert why in (obstacles.of_itself(entry, Codec()) or "")


def test_a_command_is_left_to_the_merge() -> None:
    topic = Topic()
    topic.letter(failure(topic="shop.commands.erp", component="sink erp"), Codec().encode(change()))
    (entry,) = Book(topic.messages)
    assert "duplex conflicts retry" in (obstacles.of_itself(entry, Codec()) or "")


def test_nothing_is_sent_to_somebody_elses_topic() -> None:
    topic = Topic()
    topic.letter(failure(topic="inventory.customers", component="source legacy"), b"noise")
    (entry,) = Book(topic.messages)
    assert "another program's" in (obstacles.of_itself(entry, Codec()) or "")


def test_a_dropped_letter_may_be_taken_back(entries: list[Entry]) -> None:
    assert obstacles.of_itself(entries[1], Codec()) is None


def test_the_groups_of_processors_and_sinks() -> None:
    assert group_of("shop", "merge.contact") == "shop.processor.merge.contact"
    assert group_of("shop", "sink erp") == "shop.sink.erp"


def test_a_group_of_one_moment_is_said_to_be_of_one(entries: list[Entry]) -> None:
    (group, _) = groups.grouped(entries)
    assert "59 s to 56 s ago" in views.group_line(group, 60_000)
    assert "; 16 min ago" in views.group_line(group, 1_000_000)


def test_an_image_is_shown_with_every_digit(entries: list[Entry], reader: Reader) -> None:
    found = views.detail(entries[3], reader, None)
    assert '"credit": 12.50' in "\n".join(views.page(found))
    assert b'"credit":12.50' in msgspec.json.encode(found)


@pytest.mark.parametrize(("component", "why"), [("user.audit", "a second time"), ("merge.contact", None)])
def test_an_operators_word_that_the_merge_has_seen_is_not_said_twice(component: str, why: str | None) -> None:
    allowed = Allowance(entity="contact", system="crm", deletes=5, until_us=9, allowed_by="ada", ts_us=1)
    topic = Topic()
    topic.letter(failure(component=component), Codec().encode(allowed))
    (entry,) = Book(topic.messages)
    found = obstacles.of_itself(entry, Codec())
    assert (found is None) if why is None else (why in str(found))


def test_a_message_of_nothing_cannot_be_sent() -> None:
    topic = Topic()
    topic.letter(failure(), None, None)
    (entry,) = Book(topic.messages)
    assert "neither key nor value" in (obstacles.of_itself(entry, Codec()) or "")


def test_a_sinks_letter_names_the_record_even_where_it_cannot_be_read() -> None:
    topic = Topic()
    topic.letter(failure(topic="shop.commands.erp", component="sink erp"), b"noise", b"3fa85f64")
    (entry,) = Book(topic.messages)
    assert "duplex conflicts retry 3fa85f64" in (obstacles.of_itself(entry, Codec()) or "")
