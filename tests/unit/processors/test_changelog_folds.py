"""A changelog folded into a copy says what `Recovery` says: in memory or on disk, whole or in parts, in disorder."""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.processors import spilled_files
from streams.processors.changelog_folds import Cover, Fold, Held, UncoveredError, is_mark_of, stamp_frame
from streams.processors.changelogs import (
    MARK_KEY,
    Entry,
    Recovered,
    Recovery,
    Stamp,
    StateEntryError,
    batch,
    entry,
    parse,
)
from streams.processors.spilled_files import Place, Resources

KEYS = [b"a", b"b", b"c", b"d"]


@dataclass
class Message:
    """As a consumer gives it."""

    offset: int
    key: bytes
    value: bytes | None
    headers: tuple = field(default_factory=tuple)


def messages(entries: list[Entry]) -> list[Message]:
    return [Message(offset, *each) for offset, each in enumerate(entries)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    disk = spilled_files.opened(tmp_path_factory.mktemp("copy"), Resources(16 * 1024 * 1024))
    yield disk
    disk.close()


@pytest.fixture
def empty(folder):
    """Empties the folder at each call: opening one takes long."""

    def made():
        folder.write((key, None) for key in [*KEYS, MARK_KEY])
        folder.place = None
        return folder

    return made


def folded(copy, found: list[Message]) -> Recovered:
    cover = Cover()
    # Only the end is looked at, as where it is long.
    cover.look(found[-2:])
    while True:
        fold = Fold(copy, cover)
        try:
            for start in range(0, len(found), 3):
                fold.feed(found[start : start + 3])
        except UncoveredError:
            continue
        assert fold.doubtful == fold.repairs().keys()
        content = copy.values() if isinstance(copy, Held) else dict(copy.items(b""))
        return Recovered(content, fold.positions, fold.epoch, fold.doubtful)


def recovered(entries: list[Entry]) -> Recovered:
    recovery = Recovery()
    recovery.feed(entries)
    return recovery.result()


@st.composite
def changelogs(draw) -> list[Entry]:
    """Owners' batches, cut short, among them those of an overtaken one; some marks compacted away."""
    entries: list[Entry] = []
    steps = {1: 0, 2: 0, 3: 0}
    newest = 1
    for _ in range(draw(st.integers(0, 12))):
        newest = min(3, newest + draw(st.sampled_from([0, 0, 0, 1])))
        epoch = draw(st.sampled_from([newest, newest, newest, max(1, newest - 1)]))
        steps[epoch] += draw(st.integers(1, 5))
        values = st.one_of(st.none(), st.binary(max_size=3))
        changes = draw(st.dictionaries(st.sampled_from(KEYS), values, max_size=4))
        made = batch(changes, {"in": steps[epoch]}, Stamp(epoch, 100 * epoch + steps[epoch]))
        entries += made[: len(made) - draw(st.sampled_from([0, 0, 0, 1, 2]))]
    return entries


relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(entries=changelogs())
@relaxed
def test_whole_changelog_says_the_same(empty, entries):
    wanted = recovered(entries)
    assert folded(empty(), messages(entries)) == wanted
    assert folded(Held(), messages(entries)) == wanted


@given(entries=changelogs(), cut=st.integers(0, 40))
@relaxed
def test_copy_of_a_part_goes_on_with_the_rest(empty, entries, cut):
    marks = [at for at, each in enumerate(entries[:cut]) if each.key == MARK_KEY]
    disk, start = empty(), 0
    first = recovered(entries[: marks[-1] + 1]) if marks else Recovered()
    if marks and may_copy(entries[marks[-1]], first) and recovered(entries[:cut]).positions == first.positions:
        start = marks[-1] + 1
        frame = entries[start - 1].value[:12]
        changes = spilled_files.raw_values(first.content, frame)
        disk.write(changes, Place("state", start, frame, first.positions))
    found = folded(disk, messages(entries)[start:])
    whole = recovered(entries)
    assert found == whole


def may_copy(mark: Entry, first: Recovered) -> bool:
    """A copy is made by the owner behind a mark of his own, and he writes anew what he finds in doubt."""
    return parse(mark)[0].epoch == first.epoch and not first.doubtful


def test_mark_found_late_is_noticed_and_counts(empty):
    """An overtaken owner's marks stand at the end, where the last one is looked for."""
    newer = batch({b"a": b"new"}, {"in": 9}, Stamp(2, 9))
    older = batch({b"a": b"old"}, {"in": 5}, Stamp(1, 5)) + batch({b"b": b"old"}, {"in": 6}, Stamp(1, 6))
    entries = [*batch({b"b": b"one"}, {"in": 1}, Stamp(1, 1)), *newer, *older]
    assert folded(empty(), messages(entries)) == recovered(entries)
    assert recovered(entries).content == {b"a": b"new", b"b": b"one"}


def test_entry_of_someone_else_is_refused(empty):
    with pytest.raises(StateEntryError, match="carries no stamp"):
        folded(empty(), [Message(0, b"k", b"")])


def test_mark_of_a_copy_is_told_from_others(empty):
    stamp, disk = Stamp(3, 70), empty()
    mark = batch({}, {"in": 70}, stamp)[0]
    disk.write((), Place("state", 8, stamp_frame(stamp), {"in": 70}))
    assert is_mark_of(Message(7, *mark), disk)
    assert not is_mark_of(Message(8, *mark), disk)
    assert not is_mark_of(Message(7, *entry(b"k", b"v", stamp)), disk)
    assert not is_mark_of(Message(7, *batch({}, {"in": 71}, stamp)[0]), disk)
    assert not is_mark_of(Message(7, *batch({}, {"in": 70}, Stamp(4, 70))[0]), disk)
