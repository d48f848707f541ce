"""Results of sinks, in systems without a log: they link the rows that they made, and reach their record."""

from dataclasses import dataclass, field

import msgspec

from schemas.identifiers import row_key
from schemas.messages import Change, Link, Result
from schemas.topics import Topics
from streams.identity.links import LinksProcessor
from streams.processors.records import Output, Record
from streams.processors.stores import PartitionStore
from tests.unit.identity.events import CODEC, change, email_of

TOPICS = Topics("shop")
CHANGES = TOPICS.changes("blog", "contact")


@dataclass
class Links:
    """The links processor of one entity, fed message by message."""

    store: PartitionStore = field(default_factory=PartitionStore)
    offset: int = 0

    def __post_init__(self) -> None:
        self.processor = LinksProcessor(TOPICS, "contact", ["blog"], email_of, codec=CODEC)

    def take(self, message: Change | Result | Link, row: str = "[1]") -> list[Output]:
        self.offset += 1
        record = Record(CHANGES, 0, self.offset, row_key("blog", row), CODEC.encode(message), 0)
        return [one for one in self.processor.apply([record], self.store) if isinstance(one, Output)]


def look(order: int, email: str | None = "a", op: str = "u", row: str = "[1]") -> Change:
    return msgspec.structs.replace(change(order, op, email, row=row, system="blog"), incarnation=0)


def gone(order: int) -> Change:
    return msgspec.structs.replace(look(order, op="d"), before=None)


def image(email: str) -> str:
    return msgspec.json.encode({"email": email}).decode()


def result(order: int, *, found: str | None = None, left: str | None = image("a"), outcome: str = "applied") -> Result:
    return Result(
        command="R/blog/1",
        record_id="R",
        entity="contact",
        system="blog",
        local_id="[1]",
        found_order=order - 1,
        found=found,
        left_order=order,
        left=left,
        outcome=outcome,
        ts_us=order,
    )


def forwards(outputs: list[Output]) -> list[tuple[str, str]]:
    """(record, kind of message) of what goes to record logs."""
    found = [one for one in outputs if one.topic == TOPICS.records("contact")]
    return [(one.key.decode(), type(CODEC.decode(one.value)).__name__) for one in found]


def linked(outputs: list[Output]) -> list[str | None]:
    found = [one for one in outputs if one.topic == TOPICS.links("contact")]
    return [None if one.value is None else CODEC.decode_as(one.value, Link).record_id for one in found]


def test_the_result_of_a_create_links_the_row_that_it_made() -> None:
    outputs = Links().take(result(5))
    assert forwards(outputs) == [("R", "Result")] and linked(outputs) == ["R"]


def test_a_look_after_the_result_goes_to_the_same_record() -> None:
    links = Links()
    links.take(result(5))
    assert forwards(links.take(look(6))) == [("R", "Change")]


def test_looks_that_overtook_the_result_go_to_its_record() -> None:
    links = Links()
    assert forwards(links.take(look(6))) == []
    assert forwards(links.take(result(5))) == [("R", "Change"), ("R", "Result")]


def test_the_result_of_a_delete_ends_the_link() -> None:
    links = Links()
    links.take(result(5))
    outputs = links.take(result(9, found=image("a"), left=None))
    assert forwards(outputs) == [("R", "Result")] and linked(outputs) == [None]


def test_a_refused_write_links_nothing_and_reaches_its_record() -> None:
    outputs = Links().take(result(5, outcome="failed"))
    assert forwards(outputs) == [("R", "Result")] and linked(outputs) == []


def test_a_repeated_result_is_passed_on_and_links_nothing_more() -> None:
    links = Links()
    links.take(result(5))
    outputs = links.take(result(5))
    assert forwards(outputs) == [("R", "Result")] and linked(outputs) == []


def test_the_end_of_a_row_that_nobody_saw_is_no_record() -> None:
    assert Links().take(gone(5)) == []
