"""What a status says of an application that does not answer."""

import msgspec
import pytest

from connectors.remote import outages as notes
from duplex.status import outages
from duplex.status.facts import Hop, Outage, Status
from duplex.status.sentences import sentences
from tests.unit.program.test_sentences import NOW_S, RUNNING

SINCE_US, LAST_US = int((NOW_S - 750) * 1e6), int((NOW_S - 8) * 1e6)
HOPS = [Hop("merge of contact", "g", "r", 9, True), Hop("sink blog", "g", "c", 12, True)]


def note(reason: str = "HTTP 503", since_us: int = SINCE_US, last_us: int = LAST_US) -> bytes:
    return msgspec.msgpack.encode(notes.Outage(since_us, last_us, reason, "systems.blog.url"))


def told(found: Outage, running: bool = True) -> str:
    status = Status(pipeline="p", project="f", running=RUNNING if running else None, healthy=True, outages=[found])
    assert not status.ok
    (line,) = [line for line in sentences(status, NOW_S) if line.startswith("DOWN")]
    return line


def found(names: dict[str, bytes], waiting: int | None = 3) -> Outage:
    outage = outages.outage("blog", names, waiting)
    assert outage is not None
    return outage


def test_it_says_since_when_what_was_answered_and_what_waits() -> None:
    assert told(found({"down/reading": note(), "swept/contact": b"7"})) == (
        "DOWN: blog does not answer, for 12 min now. The last answer: HTTP 503. 3 commands wait for it, and go out in "
        "order when it is back. To do: look at systems.blog.url, and at the application."
    )


def test_one_that_takes_nothing_but_is_read_is_said_to_be_so() -> None:
    line = told(found({"down/writing": note("HTTP 500")}, waiting=1))
    assert line.startswith(
        "DOWN: blog takes nothing, for 12 min now. The last answer: HTTP 500. 1 command waits for it"
    )


def test_the_latest_answer_counts_and_the_earliest_beginning() -> None:
    both = found({"down/reading": note("old", SINCE_US, SINCE_US), "down/writing": note("new", LAST_US, LAST_US)})
    assert (both.since_us, both.last_us, both.reason, both.is_read) == (SINCE_US, LAST_US, "new", False)


def test_a_program_that_does_not_run_does_not_know_how_it_is_now() -> None:
    assert "That was last tried 8 s ago; `duplex run` tries again." in told(found({"down/reading": note()}), False)


@pytest.mark.parametrize(
    ("names", "waiting"), [({}, 3), ({"swept/contact": b"7"}, None), ({"down/writing": note()}, 0)]
)
def test_none_is_told_where_it_answers_or_nothing_waits(names: dict[str, bytes], waiting: int | None) -> None:
    assert outages.outage("blog", names, waiting) is None


def test_what_waits_is_what_was_not_read_and_what_was_set_aside() -> None:
    assert outages.waiting("blog", HOPS, [2, None]) == 14
    assert outages.waiting("crm", HOPS, []) is None
