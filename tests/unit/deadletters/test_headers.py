"""What the headers of the dead-letter topic say, written and read back."""

import pytest

from schemas import deadletters
from schemas.deadletters import Mark
from tests.unit.deadletters.letters import failure

CONNECT = ("__connect.errors.topic", b"somebody else's")


def test_a_record_gets_its_own_headers_back() -> None:
    own = [("traceparent", b"00-1"), CONNECT, ("\N{GREEK SMALL LETTER PI}", b"\xff\x00"), ("traceparent", b"00-2")]
    found = deadletters.headers(failure(), own, now_ms=5)
    assert deadletters.original(found) == own
    assert deadletters.failure(found) == failure()
    assert deadletters.time_ms(found) == 5


def test_a_message_that_is_sent_again_names_its_last_letter_only() -> None:
    once = deadletters.sent_again([("a", b"1")], "1:2")
    twice = deadletters.sent_again(once, "1:9")
    assert twice == [("a", b"1"), (deadletters.LETTER, b"1:9")]
    assert deadletters.earlier(twice) == "1:9"
    assert deadletters.earlier([("a", b"1")]) is None


@pytest.mark.parametrize(
    "mark",
    [
        Mark("1:2", "dropped", 5, "ada", "it is old"),
        Mark("1:2", "retried", 5, "\N{LATIN SMALL LETTER E WITH ACUTE}va", "", ("shop.records.contact", 3, 17), True),
        Mark("1:2", "closed", 5, "ada"),
    ],
)
def test_a_mark_survives_its_headers(mark: Mark) -> None:
    assert deadletters.mark(deadletters.mark_headers(mark)) == mark


def test_a_letter_is_no_mark_and_a_mark_no_letter() -> None:
    assert deadletters.mark(deadletters.headers(failure(), [], now_ms=5)) is None
    assert deadletters.failure(deadletters.mark_headers(Mark("1:2", "closed", 5, "ada"))).topic == ""


def test_headers_that_are_not_ours_are_read_without_harm() -> None:
    found = deadletters.failure([("__connect.errors.partition", b"many"), ("__connect.errors.offset", b"\xff")])
    assert (found.partition, found.offset) == (-1, -1)
    assert deadletters.mark([(deadletters.MARK, b"eaten")]) is None
    assert deadletters.time_ms([]) is None
