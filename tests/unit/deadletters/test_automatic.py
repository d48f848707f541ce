"""Which letters the program sends again by itself, and when."""

from typing import Any

import pytest

from duplex.deadletters import automatic
from duplex.deadletters.automatic import Keeper
from duplex.deadletters.book import Book, Entry
from schemas import deadletters
from schemas.project.model import Project
from tests.unit.deadletters.letters import RECORDS, Topic, failure

FIRST_MS = automatic.WAITS_MS[0]
AWAY: dict[str, Any] = {"component": "user.mail", "stage": "user", "error_class": "ConnectionRefusedError"}


@pytest.fixture
def keeper() -> Keeper:
    held = {"table": "t", "map": {"email": "email"}}
    entity = {"fields": {"email": {}}, "systems": {"crm": held}}
    systems = {"crm": {"connector": "memory"}}
    return Keeper(Project.model_validate({"pipeline": "shop", "systems": systems, "entities": {"contact": entity}}))


def book(**more: str) -> list[Entry]:
    topic = Topic()
    topic.letter(failure(**(AWAY | more)))
    return list(Book(topic.messages))


@pytest.mark.parametrize("name", ["TimeoutError", "ConnectionResetError", "ClientConnectorError", "httpx.ReadTimeout"])
def test_what_was_away_may_be_back(name: str) -> None:
    (entry,) = book(error_class=name)
    assert automatic.ripe_ms(entry) == 1000 + FIRST_MS


@pytest.mark.parametrize(
    "more", [{"error_class": "ValueError"}, {"component": "merge.contact"}, {"component": "sink erp"}]
)
def test_what_fails_for_good_or_elsewhere_is_left_to_a_person(more: dict[str, str]) -> None:
    (entry,) = book(**more)
    assert automatic.ripe_ms(entry) is None


def test_what_a_person_dropped_stays_dropped() -> None:
    topic = Topic()
    topic.mark(topic.letter(failure(**AWAY)), "dropped")
    (entry,) = Book(topic.messages)
    assert automatic.ripe_ms(entry) is None


def test_each_failure_waits_longer_and_the_last_is_left() -> None:
    topic = Topic()
    name = topic.letter(failure(**AWAY))
    for number, wait_ms in enumerate(automatic.WAITS_MS):
        (entry,) = Book(topic.messages)
        assert automatic.ripe_ms(entry) == entry.last.at_ms + wait_ms
        topic.mark(name, "retried", (RECORDS, 2, 40 + number))
        (entry,) = Book(topic.messages)
        assert automatic.ripe_ms(entry) is None
        name = topic.again(name, failure(40 + number, **AWAY))
    (entry,) = Book(topic.messages)
    assert automatic.ripe_ms(entry) is None


def test_the_ripe_ones_come_oldest_first_and_the_next_is_remembered(keeper: Keeper) -> None:
    topic = Topic()
    names = [topic.letter(failure(number, **AWAY)) for number in range(3)]
    entries = list(Book(topic.messages))[::-1]
    assert [entry.id for entry in keeper._ripe(entries, 2000 + FIRST_MS)] == names[:2]
    assert keeper._next_ms == 1000 + FIRST_MS
    keeper._left.update(names[:2])
    assert keeper._ripe(entries, 2000 + FIRST_MS) == []
    assert keeper._next_ms == 3000 + FIRST_MS


def test_one_that_failed_again_is_not_overtaken_by_those_of_its_key(keeper: Keeper) -> None:
    topic = Topic()
    first = topic.letter(failure(1, **AWAY))
    topic.mark(first, "retried", (RECORDS, 2, 40))
    topic.again(first, failure(40, **AWAY))
    behind = topic.letter(failure(2, **AWAY))
    other = topic.letter(failure(3, **AWAY), key=b"other")
    entries = list(Book(topic.messages))
    assert [entry.id for entry in keeper._ripe(entries, 5000 + FIRST_MS)] == [other]
    again_ms = 3000 + automatic.WAITS_MS[1]
    assert [entry.id for entry in keeper._ripe(entries, again_ms)] == [first, behind, other]


def test_messages_without_a_key_do_not_wait_for_each_other(keeper: Keeper) -> None:
    topic = Topic()
    first = topic.letter(failure(1, **AWAY), key=None)
    topic.mark(first, "retried", (RECORDS, 2, 40))
    topic.letter(failure(40, **AWAY), key=None, own=deadletters.sent_again([], first))
    other = topic.letter(failure(2, **AWAY), key=None)
    assert [entry.id for entry in keeper._ripe(list(Book(topic.messages)), 5000 + FIRST_MS)] == [other]
