"""Until a system's whole initial load stands in the record log, that system is told nothing; then it is told all."""

import itertools

import pytest

from schemas.codec import Codec
from schemas.messages import Change, Command, Loaded, Nudge
from schemas.topics import Topics
from streams.identity.claims import ClaimsProcessor
from streams.identity.links import LinksProcessor
from streams.mapping.rules import compile_rules
from streams.processors.merging import MergeProcessor
from streams.processors.records import Output, Record
from streams.processors.stores import PartitionStore
from tests.unit.identity.events import change as row_change
from tests.unit.identity.events import email_of
from tests.unit.processors.test_merging import COLUMNS, change, crm, entity

CODEC, PARTITIONS = Codec(), 2
TOPICS = Topics("shop", PARTITIONS)


class Merge:
    """One partition of the record log, whose own nudges come back to it."""

    def __init__(self) -> None:
        made = entity()
        self.processor = MergeProcessor(TOPICS, made, compile_rules("contact", made, COLUMNS), CODEC)
        self.store, self.offsets = PartitionStore(), itertools.count()

    def add(self, message: Change | Loaded | Nudge, key: bytes | None = None) -> list[Command]:
        record = Record(TOPICS.records("contact"), 1, next(self.offsets), key, CODEC.encode(message), 1000)
        results = self.processor.apply([record], self.store)
        commands = [CODEC.decode_as(one.value, Command) for one in results if ".commands." in one.topic]
        nudges = [(CODEC.decode_as(one.value, Nudge), one) for one in results if one.topic == record.topic]
        assert all(output.partition == record.partition for _, output in nudges)
        return commands + [made for nudge, output in nudges for made in self.add(nudge, output.key)]


def loaded(system: str, partition: int, partitions: int = PARTITIONS) -> Loaded:
    return Loaded(system=system, entity="contact", partition=partition, partitions=partitions)


def test_row_that_may_still_be_read_is_not_created() -> None:
    merge = Merge()
    assert merge.add(crm(1), b"R") == []
    assert merge.add(loaded("erp", 0)) == []
    (command,) = merge.add(loaded("erp", 1))
    assert (command.op, command.system, command.record_id) == ("c", "erp", "R")


def test_row_read_before_the_end_is_updated_instead() -> None:
    merge = Merge()
    merge.add(crm(1), b"R")
    merge.add(change("erp", "r", 1, {"id": 1, "mail": "a@b.c", "full_name": "Bob"}), b"R")
    merge.add(loaded("erp", 0))
    (command,) = merge.add(loaded("erp", 1))
    assert (command.op, command.local_id) == ("u", "[1]")


def test_commands_planned_at_the_end_have_places_of_their_own() -> None:
    merge = Merge()
    for number in range(5):
        merge.add(crm(1, email=f"{number}@b.c", ts_us=number), f"R{number}".encode())
    merge.add(loaded("erp", 0))
    commands = merge.add(loaded("erp", 1))
    assert len({command.offset for command in commands}) == len(commands) == 5


@pytest.mark.parametrize("repeats", [[0, 0, 0], [1, 1]])
def test_repeated_barrier_of_one_partition_is_not_the_others(repeats: list[int]) -> None:
    merge = Merge()
    merge.add(crm(1), b"R")
    assert [merge.add(loaded("erp", partition)) for partition in repeats] == [[] for _ in repeats]


def test_barrier_of_one_system_does_not_open_another() -> None:
    merge = Merge()
    merge.add(crm(1), b"R")
    assert [made for partition in (0, 1) for made in merge.add(loaded("crm", partition))] == []


def test_where_sources_write_to_the_record_log_one_marker_is_all() -> None:
    merge = Merge()
    merge.add(crm(1), b"R")
    assert len(merge.add(change("erp", "l", 0, None))) == 1


class Links:
    """One partition of the links processor, with the claims of all keys behind it."""

    def __init__(self) -> None:
        self.links = LinksProcessor(TOPICS, "contact", ["crm"], email_of, codec=CODEC)
        self.claims = ClaimsProcessor(TOPICS, "contact", CODEC)
        self.store, self.keys, self.offsets = PartitionStore(), PartitionStore(), itertools.count()

    def change(self, made: Change) -> list[Output]:
        return self._links(TOPICS.changes("crm", "contact"), CODEC.encode(made))

    def answer(self, outputs: list[Output]) -> list[Output]:
        """What the links processor sends once the claims among these outputs were answered."""
        claims = [one for one in outputs if one.topic == TOPICS.claims("contact")]
        answers = [
            made for one in claims for made in self.claims.apply([self._record(one.topic, one.value)], self.keys)
        ]
        return [made for one in answers if ".links." in one.topic for made in self._links(one.topic, one.value)]

    def _links(self, topic: str, value: bytes | None) -> list[Output]:
        return self.links.apply([self._record(topic, value)], self.store)

    def _record(self, topic: str, value: bytes | None) -> Record:
        return Record(topic, 1, next(self.offsets), b"k", value, 1000)


def kinds(outputs: list[Output]) -> list[str]:
    found = [CODEC.decode(one.value) for one in outputs if one.topic == TOPICS.records("contact")]
    return [type(one).__name__ for one in found]


END = row_change(0, "l", row="")


def test_marker_of_an_empty_table_goes_to_every_partition_at_once() -> None:
    outputs = Links().change(END)
    assert kinds(outputs) == ["Loaded"] * PARTITIONS
    assert [one.partition for one in outputs] == list(range(PARTITIONS))
    assert {CODEC.decode_as(one.value, Loaded).partition for one in outputs} == {1}


def test_marker_waits_for_the_rows_before_it_and_goes_behind_them() -> None:
    links = Links()
    first = links.change(row_change(0, "r", "a", row="[1]"))
    second = links.change(row_change(0, "r", "b", row="[2]"))
    assert kinds(links.change(END)) == []
    assert kinds(links.answer(first)) == ["Change"]
    assert kinds(links.answer(second)) == ["Change", *["Loaded"] * PARTITIONS]


def test_marker_does_not_wait_for_rows_behind_it() -> None:
    links = Links()
    first = links.change(row_change(0, "r", "a", row="[1]"))
    links.change(END)
    links.change(row_change(5, "c", "b", row="[2]"))
    assert kinds(links.answer(first)) == ["Change", *["Loaded"] * PARTITIONS]


def test_marker_does_not_wait_for_a_parked_duplicate() -> None:
    links = Links()
    first = links.change(row_change(0, "r", "a", row="[1]"))
    second = links.change(row_change(0, "r", "a", row="[2]"))
    links.change(END)
    assert "Loaded" not in kinds(links.answer(first))
    assert kinds(links.answer(second)) == ["Loaded"] * PARTITIONS
