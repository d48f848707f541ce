"""All events of a record are found, and merged again as they were."""

from hypothesis import given
from hypothesis import strategies as st

from streams.merge import states
from streams.processors import trails
from streams.processors.marks import KEYS, PREFIXES, Marks, marks_of
from streams.processors.refolding import Step, fold
from streams.processors.stores import PartitionStore
from tests.unit.processors.partitions import Partition, allowance, clash, crm, decision, entity, epoch, erp, gone, nudge

BRAKED = {"brake": {"count": 1, "share": 0.1, "window": "1h"}}


@given(st.integers(0, 700))
def test_every_offset_is_found_in_order(events: int) -> None:
    store, trail = PartitionStore(), []
    for offset in range(events):
        trails.extend(store, b"R", trail, offset)
    assert trails.offsets(store.get, b"R", trail) == list(range(events))
    assert len(trail) <= trails.LENGTH


def test_trails_of_records_do_not_mix() -> None:
    store, one, other = PartitionStore(), [], []
    for offset in range(200):
        trails.extend(store, *((b"R", one) if offset % 2 else (b"R1", other)), offset)
    assert trails.offsets(store.get, b"R1", other) == list(range(0, 200, 2))


def test_forgotten_trail_leaves_nothing_and_begins_anew() -> None:
    store, trail = PartitionStore(), []
    for offset in range(200):
        trails.extend(store, b"R", trail, offset)
    trails.forget(store, b"R")
    assert list(store.items()) == [] and trails.count(store.get, b"R") == 0


def test_processor_keeps_the_trail_of_what_changed_a_record() -> None:
    partition = Partition()
    for seq in range(1, 100):
        partition.add(crm(seq, name=f"N{seq}"))
        partition.add(crm(seq, name="a repeat"))
    found = trails.offsets(partition.store.get, b"R", partition.state().trail)
    assert found == list(range(2, 200, 2))


def marks(partition: Partition) -> Marks:
    items = {key: value for key in KEYS if (value := partition.store.get(key)) is not None}
    return marks_of(items | {key: value for prefix in PREFIXES for key, value in partition.store.items(prefix)})


def refolded(partition: Partition, key: bytes = b"R") -> list[Step]:
    trail = trails.offsets(partition.store.get, key, partition.state(key).trail)
    records = [partition.log[offset] for offset in trail]
    return fold(records, marks(partition), partition.processor.regimes)


def is_exact(partition: Partition, key: bytes = b"R") -> bool:
    """Whether the last state that a fold of the record's own events gives is the one that the partition holds."""
    steps, held = refolded(partition, key), partition.state(key)
    assert steps[-1].after is not None
    held.trail = []
    return states.encode(steps[-1].after) == states.encode(held)


def test_events_merged_again_give_the_same_state() -> None:
    partition = Partition()
    partition.synced()
    conflict = clash(partition)
    partition.add(decision(conflict.id, "7", conflict.version, '"6.50"'))
    assert partition.value("credit") == "6.5" and is_exact(partition)


def test_each_step_has_its_states_and_what_it_led_to() -> None:
    partition = Partition()
    partition.synced()
    first, second = refolded(partition)
    assert first.before is None and first.outcome is not None and first.outcome.commands
    assert first.after is not None and second.before is not None
    assert states.encode(first.after) == states.encode(second.before)
    assert second.after is not None and second.after.systems["erp"].out is None


def test_rules_of_each_place_are_those_that_held() -> None:
    partition = Partition(entity("newest"))
    partition.synced()
    partition.add(epoch(1, entity("manual")), b"$epoch")
    partition.add(crm(300, name="B"))
    partition.add(erp(300, name="C"))
    assert [step.rules.epoch for step in refolded(partition)] == [0, 0, 1, 1]
    assert is_exact(partition)


def test_rows_that_came_before_a_load_was_complete_are_merged_again_as_such() -> None:
    from tests.unit.processors.partitions import change

    partition = Partition(loaded=False)
    partition.add(crm(1, op="r"))
    for system in ("crm", "erp"):
        partition.add(change(system, "l", 0, None), None)
    steps = refolded(partition)
    assert [sorted(step.rules.loading) for step in steps] == [["crm", "erp"], []]
    assert is_exact(partition)


def test_deletes_are_held_again_where_they_were_held() -> None:
    partition = Partition(entity(on_delete=BRAKED))
    for number in range(4):
        partition.synced(number, b"R%d" % number)
    partition.add(gone("crm", 300, 0), b"R0")
    partition.add(gone("crm", 300, 1), b"R1")
    partition.add(allowance(1, partition.now_ms * 1000 + 10**9), b"$allowance")
    partition.add(gone("crm", 300, 2), b"R2")
    partition.add(gone("crm", 300, 3), b"R3")
    assert [partition.state(b"R%d" % number).alive for number in range(4)] == [False, True, False, True]
    assert all(is_exact(partition, b"R%d" % number) for number in range(4))


def test_what_was_rejected_is_a_step_with_its_reason() -> None:
    partition = Partition()
    partition.synced()
    partition.add(decision("R/99", "7", 3, '"8"'))
    records = [record for record in partition.log if record.key == b"R"]
    last = fold(records, marks(partition), partition.processor.regimes)[-1]
    assert "99" in last.error and last.after is not None and last.after.decisions == 0


def test_nudges_of_nobody_make_no_state() -> None:
    partition = Partition()
    partition.add(nudge("loaded"))
    (step,) = fold(partition.log[-1:], Marks(), partition.processor.regimes)
    assert step.after is None and step.outcome is None
