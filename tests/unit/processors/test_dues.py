"""What time itself does: parked items fall due, tombstones grow old; each is asked about once."""

from typing import Any

import pytest

from schemas.messages import Conflict, Nudge
from streams.processors.lanes import TimedProcessor
from streams.processors.records import Output
from streams.processors.reserved import DEAD, DUE, OPEN, TRAIL
from tests.unit.processors.partitions import CODEC, Partition, answer, clash, crm, entity, erp, gone, nudge

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def dated(**on_delete: Any) -> Partition:
    """Conflicts about the credit wait an hour for a person; then the later value wins."""
    made = entity({"manual": {"deadline": "1h", "then": "newest"}}, on_delete)
    until = made.fields["name"].on_conflict
    credit = made.fields["credit"].model_copy(update={"on_conflict": until})
    partition = Partition(made.model_copy(update={"fields": {**made.fields, "credit": credit}}))
    partition.synced()
    return partition


def noted(partition: Partition) -> list[bytes]:
    return [prefix for prefix in (OPEN, DUE, DEAD) if list(partition.store.items(prefix))]


def test_merge_processor_asks_the_clock():
    assert isinstance(Partition().processor, TimedProcessor)


def test_item_is_decided_when_it_is_due_and_not_before():
    partition = dated()
    assert clash(partition).due_us == partition.now_ms * 1000 + 999 + HOUR_MS * 1000
    partition.now_ms += HOUR_MS - 1000
    assert partition.tick() == []
    partition.now_ms += 2000
    (conflict,) = [each for each in partition.tick() if isinstance(each, Conflict)]
    assert (conflict.field, conflict.rule) == ("credit", "deadline:newest") and conflict.winner != "parked"


def test_nothing_stays_noted_of_what_was_decided():
    partition = dated()
    clash(partition)
    assert noted(partition) == [OPEN, DUE]
    partition.now_ms += 2 * HOUR_MS
    partition.tick()
    assert noted(partition) == [] and partition.tick() == []


def test_agreement_before_the_deadline_leaves_nothing_due():
    partition = dated()
    clash(partition)
    partition.add(erp(201, credit=5))
    assert noted(partition) == []


def asked(partition: Partition) -> list[Output]:
    return partition.processor.due(partition.store, partition.now_ms * 1000)


def test_asked_once_until_it_was_merged():
    partition = dated()
    clash(partition)
    partition.now_ms += 2 * HOUR_MS
    (output,) = asked(partition)
    assert output.key == b"R" and CODEC.decode_as(output.value or b"", Nudge).reason == "deadline"
    assert asked(partition) == []


def test_asked_again_where_the_brokers_clock_was_behind():
    partition = dated()
    clash(partition)
    (output,) = partition.processor.due(partition.store, (partition.now_ms + 2 * HOUR_MS) * 1000)
    assert partition.add(CODEC.decode(output.value or b"")) == []
    partition.now_ms += 2 * HOUR_MS
    assert len(asked(partition)) == 1


def test_asked_again_after_a_restart():
    partition = dated()
    clash(partition)
    partition.now_ms += 2 * HOUR_MS
    asked(partition)
    assert len(asked(partition.restarted())) == 1


def test_item_without_a_deadline_is_never_due():
    partition = Partition()
    partition.synced()
    clash(partition)
    partition.now_ms += 1000 * DAY_MS
    assert noted(partition) == [OPEN] and asked(partition) == []


def buried(**on_delete: Any) -> Partition:
    partition = dated(**on_delete)
    for seq in range(200, 280):
        partition.add(crm(seq))
    (command,) = partition.commands(gone("crm", 300))
    assert noted(partition) == [] and list(partition.store.items(TRAIL))
    partition.add(answer(command, seq=301))
    return partition


def test_tombstone_past_its_horizon_is_forgotten_with_all_that_was_noted():
    partition = buried(tombstones="90d")
    assert noted(partition) == [DEAD]
    partition.now_ms += 91 * DAY_MS
    partition.tick()
    assert [key for key, _ in partition.store.items() if b"R" in key] == []
    golden = partition.results[-1]
    assert isinstance(golden, Output) and (golden.topic, golden.key, golden.value) == (
        "shop.golden.contact",
        b"R",
        None,
    )


def test_tombstone_within_its_horizon_or_without_one_stays():
    for on_delete, days in (({"tombstones": "90d"}, 89), ({}, 1000)):
        partition = buried(**on_delete)
        partition.now_ms += days * DAY_MS
        assert asked(partition) == []


def test_revived_record_is_no_tombstone():
    partition = buried(tombstones="90d")
    partition.add(crm(400, op="c"))
    assert noted(partition) == []


def test_nudge_of_a_record_that_was_forgotten_makes_none():
    partition = buried(tombstones="90d")
    partition.now_ms += 91 * DAY_MS
    (output,) = asked(partition)
    for _ in range(2):
        partition.add(CODEC.decode(output.value or b""))
    assert partition.store.get(b"R") is None


@pytest.mark.parametrize("reason", ["loaded", "rules", "deadline", "forget"])
def test_nudge_of_a_record_that_nobody_knows_makes_none(reason):
    partition = Partition()
    assert partition.add(nudge(reason)) == [] and partition.store.get(b"R") is None


def test_few_are_asked_about_at_a_time():
    from streams.processors import merging

    partition = dated()
    for number in range(merging.NUDGES_AT_ONCE + 5):
        partition.store.put(DUE + b"%d" % number, bytes(8))
    assert [len(asked(partition)) for _ in range(3)] == [merging.NUDGES_AT_ONCE, 5, 0]
