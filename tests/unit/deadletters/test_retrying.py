"""The order in which messages are sent again, who stays behind, and the sum."""

from collections.abc import Sequence

from duplex.deadletters import retrying
from duplex.deadletters.book import Book, Entry
from duplex.deadletters.retrying import Plan
from tests.unit.deadletters.letters import MERGE, RECORDS, Topic, failure


def entries(topic: Topic, reached: int = 0) -> dict[str, Entry]:
    return {entry.id: entry for entry in Book(topic.messages, {(MERGE, RECORDS, 2): reached})}


def ordered(found: Sequence[Entry]) -> list[int]:
    return [entry.letters[0].failure.offset for entry in sorted(found, key=retrying.place)]


def test_messages_keep_the_order_in_which_they_first_stood() -> None:
    topic = Topic()
    late = topic.letter(failure(9))
    early = topic.letter(failure(7))
    topic.mark(early, "retried", (RECORDS, 2, 40))
    topic.again(early, failure(40))
    found = entries(topic)
    assert ordered([found[late], found[early]]) == [7, 9]


def test_an_older_one_of_the_same_key_that_stays_behind_is_told() -> None:
    topic = Topic()
    old = topic.letter(failure(7), key=b"a")
    topic.letter(failure(5), key=b"b")
    new = topic.letter(failure(9), key=b"a")
    found = entries(topic)
    (remark,) = retrying._overtaken([found[new]], found.values())
    assert remark.startswith(f"{old} is of the same key as {new}")
    assert list(retrying._overtaken([found[old], found[new]], found.values())) == []


def test_one_that_is_done_stays_behind_in_silence() -> None:
    topic = Topic()
    topic.mark(topic.letter(failure(7)), "dropped")
    new = topic.letter(failure(9))
    found = entries(topic)
    assert list(retrying._overtaken([found[new]], found.values())) == []


def test_the_sum_counts_each_once() -> None:
    topic = Topic()
    names = [topic.letter(failure(number)) for number in (1, 2, 3)]
    sent = entries(topic)
    for number, name in enumerate(names):
        topic.mark(name, "retried", (RECORDS, 2, 40 + number))
    topic.again(names[0], failure(40, message="still"))
    planned = Plan(tuple(sent[name] for name in names), {"9:9": "no use"})
    done = retrying.summary(planned, list(entries(topic, reached=42).values()))
    assert (done.sent, done.failed, done.closed, done.waiting) == (3, 1, 1, 1)
    assert (done.failures, done.held) == ({names[0]: "still"}, {"9:9": "no use"})
