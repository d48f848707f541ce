"""What counts in a changelog: the last whole batch of the latest owner, whatever else was written."""

import pytest

from streams.processors.changelogs import MARK_KEY, Entry, Recovered, Recovery, Stamp, StateEntryError, batch, entry

K, L = b"k", b"l"


def written(epoch: int, offset: int, **changes: bytes | None) -> list[Entry]:
    """A whole batch that ended at an input offset."""
    return batch({key.encode(): value for key, value in changes.items()}, {"in": offset}, Stamp(epoch, offset))


def recovered(*batches: list[Entry]) -> Recovered:
    recovery = Recovery()
    for entries in batches:
        recovery.feed(entries)
    return recovery.result()


def test_empty_changelog_knows_no_position():
    assert recovered() == Recovered()


def test_later_batch_takes_the_place_of_an_earlier_one():
    found = recovered(written(1, 10, k=b"a", l=b"x"), written(1, 20, k=b"b"))
    assert (found.content, found.positions, found.epoch) == ({K: b"b", L: b"x"}, {"in": 20}, 1)
    assert found.doubtful == set()


def test_forgotten_key_stays_forgotten():
    assert recovered(written(1, 10, k=b"a"), written(1, 20, k=None)).content == {}


def test_batch_cut_short_does_not_count_and_is_repaired():
    found = recovered(written(1, 10, k=b"a"), written(1, 20, k=b"b", l=b"y")[:-1])
    assert (found.content, found.positions) == ({K: b"a"}, {"in": 10})
    assert found.repairs() == {K: b"a", L: None}


def test_repair_by_the_next_owner_wins_over_what_was_cut_short():
    cut = [*written(1, 10, k=b"a"), *written(1, 20, k=b"b")[:-1]]
    repairs = recovered(cut).repairs()
    found = recovered(cut, batch(repairs, {"in": 10}, Stamp(2, 10)))
    assert (found.content, found.epoch, found.doubtful) == ({K: b"a"}, 2, set())


def test_zombies_write_behind_a_newer_owners_counts_for_nothing():
    zombie = written(1, 90, k=b"stale", l=b"stale")
    found = recovered(written(1, 10, k=b"a", l=b"x"), written(2, 20, k=b"b"), zombie)
    assert found.content == {K: b"b", L: b"x"} and found.positions == {"in": 20}
    assert found.repairs() == {K: b"b", L: b"x"}


def test_zombies_write_is_not_covered_by_the_newer_owners_next_mark():
    zombie = written(1, 90, l=b"stale")
    found = recovered(written(1, 10, l=b"x"), written(2, 20, k=b"b"), zombie, written(2, 30, k=b"c"))
    assert found.content == {K: b"c", L: b"x"} and found.doubtful == {L}


def test_zombies_entry_in_the_middle_of_a_batch_loses():
    newer = written(2, 20, k=b"b")
    found = recovered(written(1, 10, k=b"a"), newer[:1], written(1, 90, k=b"stale")[:1], newer[1:])
    assert found.content == {K: b"b"} and found.doubtful == {K}


def test_key_written_again_after_a_zombie_is_doubtful_no_more():
    zombie = written(1, 90, k=b"stale")
    assert recovered(written(2, 20, k=b"b"), zombie, written(2, 30, k=b"c")).doubtful == set()


def test_compacted_log_with_only_its_last_mark_is_whole():
    everything = [*written(1, 10, k=b"a"), *written(1, 20, l=b"x"), *written(2, 30)]
    compacted = [each for each in everything[:-1] if each.key != MARK_KEY] + everything[-1:]
    assert recovered(compacted).content == {K: b"a", L: b"x"}


def test_entry_of_someone_else_is_refused():
    with pytest.raises(StateEntryError, match="carries no stamp"):
        recovered([Entry(K, b"short")])


def test_tombstone_carries_its_stamp_in_a_header():
    assert entry(K, None, Stamp(1, 2)).value is None
    assert dict(entry(K, None, Stamp(1, 2)).headers)["stamp"]
