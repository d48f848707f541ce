"""How a dead letter stands, by what is on the topic and how far its reader has come."""

import pytest

from duplex.broker import Message
from duplex.deadletters.book import Book
from tests.unit.deadletters.letters import MERGE, RECORDS, TOPIC, failure
from tests.unit.deadletters.letters import Topic as Letters

SENT = (RECORDS, 2, 40)


@pytest.fixture
def topic() -> Letters:
    return Letters()


def states(book: Book) -> dict[str, str]:
    return {entry.id: entry.state for entry in book}


def test_a_letter_is_open_with_its_bytes_and_its_own_headers(topic: Letters) -> None:
    name = topic.letter(failure(), b"\x00\xff", b"key", [("a", b"1")])
    (entry,) = Book(topic.messages)
    assert (entry.id, entry.state, len(entry.letters)) == (name, "open", 1)
    origin = entry.last.origin
    assert (origin.topic, origin.partition, origin.offset) == (RECORDS, 2, 7)
    assert (origin.key, origin.value, origin.headers) == (b"key", b"\x00\xff", (("a", b"1"),))


def test_a_repeated_batch_makes_no_second_letter(topic: Letters) -> None:
    first = topic.letter(failure())
    again = topic.letter(failure(message="in other words"))
    topic.mark(again, "dropped")
    book = Book(topic.messages)
    assert states(book) == {first: "dropped"}
    assert book.get(again) is book.get(first)


def test_two_processors_that_reject_one_record_have_a_letter_each(topic: Letters) -> None:
    names = [topic.letter(failure()), topic.letter(failure(component="user.export"))]
    assert states(Book(topic.messages)) == dict.fromkeys(names, "open")


def test_another_record_at_the_same_place_of_a_topic_made_anew_is_another_letter(topic: Letters) -> None:
    names = [topic.letter(failure(), b"x"), topic.letter(failure(), b"y")]
    assert states(Book(topic.messages)) == dict.fromkeys(names, "open")


@pytest.mark.parametrize(("reached", "state"), [(0, "retried"), (40, "retried"), (41, "closed")])
def test_one_that_was_sent_again_is_closed_once_its_reader_is_past_it(topic: Letters, reached: int, state: str) -> None:
    name = topic.letter(failure())
    topic.mark(name, "retried", SENT)
    assert states(Book(topic.messages, {(MERGE, *SENT[:2]): reached})) == {name: state}


def test_the_progress_of_another_reader_closes_nothing(topic: Letters) -> None:
    name = topic.letter(failure())
    topic.mark(name, "retried", SENT)
    assert states(Book(topic.messages, {("user.export", *SENT[:2]): 99})) == {name: "retried"}


def test_one_that_comes_back_is_open_again_and_still_one(topic: Letters) -> None:
    name = topic.letter(failure())
    topic.mark(name, "retried", SENT)
    later = topic.again(name, failure(40, message="worse"))
    book = Book(topic.messages, {(MERGE, *SENT[:2]): 41})
    (entry,) = book
    assert (entry.id, entry.state, len(entry.letters)) == (name, "open", 2)
    assert entry.failure.message == "worse"
    assert book.get(later) is entry


def test_each_further_try_counts_from_the_last_letter(topic: Letters) -> None:
    name = topic.letter(failure())
    topic.mark(name, "retried", SENT)
    later = topic.again(name, failure(40))
    topic.mark(later, "retried", (RECORDS, 2, 50))
    assert states(Book(topic.messages, {(MERGE, RECORDS, 2): 50})) == {name: "retried"}
    assert states(Book(topic.messages, {(MERGE, RECORDS, 2): 51})) == {name: "closed"}


def test_what_another_processor_rejects_of_a_message_sent_again_is_a_letter_of_its_own(topic: Letters) -> None:
    name = topic.letter(failure(component="user.export"))
    topic.mark(name, "retried", SENT)
    other = topic.again(name, failure(40))
    assert states(Book(topic.messages)) == {name: "retried", other: "open"}


def test_a_letter_whose_first_one_is_gone_stands_alone(topic: Letters) -> None:
    alone = topic.again("1:99", failure(40))
    topic.mark("1:99", "dropped")
    assert states(Book(topic.messages)) == {alone: "open"}


def test_closed_once_is_closed_for_good(topic: Letters) -> None:
    name = topic.letter(failure())
    topic.mark(name, "retried", SENT)
    topic.mark(name, "closed")
    assert states(Book(topic.messages)) == {name: "closed"}


def test_what_is_neither_letter_nor_mark_is_counted(topic: Letters) -> None:
    topic.letter(failure(offset=-1))
    book = Book([*topic.messages, Message(TOPIC, 0, 0, 1, None, b"noise")])
    assert (len(book), book.unreadable) == (0, 2)
