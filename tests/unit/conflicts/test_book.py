"""The conflicts topic folded: what is open, since when, and how it is named."""

from duplex.conflicts.book import Book, shortener
from tests.unit.conflicts.scenes import CODEC, OTHER, RECORD, START_US, Scene, conflict


def book(*conflicts: object) -> Book:
    read = Book(CODEC)
    read.take_all([CODEC.encode(each) for each in conflicts])  # type: ignore[arg-type]
    return read


def test_the_last_message_of_an_id_counts_and_the_first_says_since_when() -> None:
    read = book(conflict(), conflict(ts_us=START_US + 5), conflict(winner="incoming", rule="decision"))
    (entry,) = read
    assert (entry.open, entry.parked, entry.since_us) == (False, True, START_US)


def test_a_conflict_parked_by_the_merge_is_open_until_it_is_decided() -> None:
    scene = Scene()
    scene.park_phone()
    (entry,) = scene.open
    assert (entry.last.field, entry.last.current.value, entry.last.incoming.value) == ("phone", '"2"', '"3"')
    scene.edit("erp", phone="2")
    assert scene.open == []
    assert [each.last.rule for each in scene.book] == ["agreement"]


def test_names() -> None:
    read = book(conflict(1), conflict(2, field="credit"), conflict(1, record_id=OTHER))
    assert [each.id for each in read.named(f"{RECORD}/2")] == [f"{RECORD}/2"]
    assert [each.id for each in read.named("3FA85F64-5/1")] == [f"{RECORD}/1"]
    assert len(read.named("3fa85f64/1")) == 2
    assert len(read.named(RECORD)) == 2
    assert read.named("4") == []


def test_a_record_alone_names_its_open_conflicts() -> None:
    read = book(conflict(1, winner="current"), conflict(2))
    assert [each.id for each in read.named(RECORD[:8])] == [f"{RECORD}/2"]


def test_short_ids_tell_records_apart_and_name_them() -> None:
    read = book(conflict(1), conflict(1, record_id=OTHER))
    short = shortener(each.last.record_id for each in read)
    assert [short(each.id) for each in read] == ["3fa85f64-5/1", "3fa85f64-9/1"]
    assert [[one.id for one in read.named(short(each.id))] for each in read] == [[each.id] for each in read]


def test_a_duplicate_is_open_and_no_choice_settles_it() -> None:
    name = f"{RECORD}/duplicate/crm/[2]"
    (entry,) = book(conflict(id=name, kind="duplicate", field="$", rule="first claim"))
    assert (entry.open, entry.decidable) == (True, False)
    assert book(entry.last).named("3fa85f64/duplicate/crm/[2]") == [entry]


def test_what_is_no_conflict_is_counted_and_left_out() -> None:
    read = Book(CODEC)
    read.take_all([None, b"nothing of ours", CODEC.encode(conflict())])
    assert (len(read), read.unreadable) == (1, 1)
