"""Mass deletes of one system are held; an allowance lets some pass, for a time; all of it follows from the log."""

from typing import Any, Literal

from prometheus_client import REGISTRY

from schemas.project.model import Brake
from streams.merge.events import Answered
from streams.merge.states import Look, Sent, State, SystemState
from streams.processors import brake
from streams.processors.stores import PartitionStore
from tests.unit.processors.partitions import SECOND_US, Partition, allowance, answer, crm, entity, erp, gone

RULE = {"count": 2, "share": 0.25, "window": "1h"}
HOUR_MS = 3_600_000
ROW = {"email": "ada@example.org"}


def key(number: int) -> bytes:
    return b"R%d" % number


def filled(rows: int = 10, **rule: Any) -> Partition:
    partition = Partition(entity(on_delete={"brake": RULE | rule}))
    for number in range(rows):
        partition.synced(number, key(number))
    return partition


def deleted(partition: Partition, *numbers: int) -> list[int]:
    """Delete these rows at the crm; which of the deletes went on to the erp."""
    return [number for number in numbers if partition.commands(gone("crm", 300, number), key(number))]


def test_rows_are_counted_as_they_come_and_go():
    partition = filled(4)
    assert [brake.rows(partition.store, system) for system in ("crm", "erp")] == [4, 4]
    deleted(partition, 0)
    assert [brake.rows(partition.store, system) for system in ("crm", "erp")] == [3, 4]


def test_deletes_beyond_count_and_share_are_held():
    partition = filled(10)
    assert deleted(partition, 0, 1, 2, 3, 4) == [0, 1]
    item = partition.state(key(2)).systems["crm"].dissent["$"]
    assert partition.state(key(2)).alive and item.rule == "brake"


def test_share_of_the_rows_before_the_deletes_must_be_passed_too():
    assert deleted(filled(10, share=0.35), 0, 1, 2, 3, 4) == [0, 1, 2]
    assert deleted(filled(10, share=1.0), *range(10)) == list(range(10))


def test_edits_pass_while_deletes_are_held():
    partition = filled(10)
    deleted(partition, 0, 1, 2)
    assert partition.commands(crm(300, 5, name="B"), key(5))


def test_other_system_is_not_braked():
    partition = filled(10)
    deleted(partition, 0, 1, 2)
    assert partition.commands(gone("erp", 300, 5), key(5))


def test_window_that_has_passed_frees_the_brake():
    partition = filled(10)
    assert deleted(partition, 0, 1, 2) == [0, 1]
    partition.now_ms += 2 * HOUR_MS
    assert deleted(partition, 3) == [3]


def test_allowance_lets_as_many_pass_as_it_says():
    partition = filled(10)
    assert deleted(partition, 0, 1, 2) == [0, 1]
    partition.add(allowance(2, partition.now_ms * 1000 + 60 * SECOND_US), b"$allowance")
    assert deleted(partition, 3, 4, 5, 6) == [3, 4]


def test_allowance_expires():
    partition = filled(10)
    deleted(partition, 0, 1, 2)
    partition.add(allowance(5, partition.now_ms * 1000 + 60 * SECOND_US), b"$allowance")
    partition.now_ms += 61_000
    assert deleted(partition, 3) == []


def test_allowance_of_no_system_of_ours_is_rejected():
    (rejected,) = filled(1).add(allowance(5, 1, system="nowhere"), b"$allowance")
    assert "nowhere" in rejected.message


def test_repeated_delete_is_not_counted_again():
    partition = filled(10)
    for _ in range(5):
        deleted(partition, 0)
    assert deleted(partition, 1, 2) == [1]


def test_our_own_deletes_are_not_counted():
    partition = filled(10)
    for number in range(2):
        (command,) = partition.commands(gone("erp", 300, number), key(number))
        assert command.system == "crm"
        partition.add(answer(command, number, 301), key(number))
    assert brake.rows(partition.store, "crm") == 8
    assert brake.read(partition.store.get(b"\x00brake/crm")).deletes == []


def test_second_fold_holds_the_same_deletes():
    partition = filled(10)
    deleted(partition, 0, 1, 2, 3)
    again = Partition(partition.entity, loaded=False)
    again.processor.apply(partition.log, again.store)
    assert dict(again.store.items()) == dict(partition.store.items())


def test_held_deletes_are_counted_for_the_operator():
    labels = {"entity": "contact", "system": "crm"}
    before = REGISTRY.get_sample_value("duplex_deletes_held_total", labels) or 0
    deleted(filled(10), 0, 1, 2, 3)
    assert REGISTRY.get_sample_value("duplex_deletes_held_total", labels) == before + 2


def test_reappearing_row_withdraws_its_delete():
    partition = filled(10)
    deleted(partition, 0, 1, 2)
    partition.add(crm(301, 2, op="c"), key(2))
    assert "$" not in partition.state(key(2)).systems["crm"].dissent
    assert partition.commands(erp(302, 2, name="Z"), key(2))


def test_count_is_shared_out_among_partitions_rounded_up():
    store, rule = PartitionStore(), Brake.model_validate({"count": 10, "share": 0.01})
    brake.count_row(store, "crm", 100)
    held = []
    for at in range(5):
        ruling = brake.judge(store, rule, "crm", at, partitions=4)
        held.append(ruling.held)
        brake.note(store, rule, "crm", ruling, at, at)
    assert held == [False, False, False, True, True]


def test_spans_say_where_the_brake_held():
    partition = filled(10)
    deleted(partition, 0, 1)
    first = len(partition.log)
    deleted(partition, 2, 3)
    partition.now_ms += 2 * HOUR_MS
    end = len(partition.log)
    deleted(partition, 4)
    assert brake.read(partition.store.get(b"\x00brake/crm")).spans == [(first, end)]


def test_state_stays_small_however_many_are_deleted():
    store, rule = PartitionStore(), Brake.model_validate({"count": 10, "share": 0.01})
    brake.count_row(store, "crm", 100_000)
    for at in range(5000):
        at_us = at * SECOND_US * 10
        brake.note(store, rule, "crm", brake.judge(store, rule, "crm", at_us, 1), at_us, at)
    assert len(brake.read(store.get(b"\x00brake/crm")).deletes) <= brake.PARTS + 1


def around(op: Literal["u", "d"], found: bool, left: bool, *gone_at: int) -> bool:
    """Whether an answer (found at 10, left at 20) may say that a user deleted the row; held looks saw none."""
    late = [Look(order, 0, None, "[1]") for order in gone_at]
    entry = SystemState(local_id="[1]", image=dict(ROW), out=Sent(7, op, []), late=late)
    event = Answered(
        system="crm", local_id="[1]", command="R/crm/7", ts_us=0,
        found_order=10, found=ROW if found else None, left_order=20, left=ROW if left else None,
    )  # fmt: skip
    return brake.may_delete(event, State(systems={"crm": entry}))


def test_a_row_that_an_answer_found_gone_was_deleted_by_someone():
    assert around("u", found=False, left=False)
    assert around("d", found=False, left=False)
    assert around("u", found=True, left=False)
    assert not around("u", found=True, left=True)


def test_a_row_that_we_delete_is_nobody_else_s_deletion():
    assert not around("d", found=True, left=False)
    assert not around("d", True, False, 15, 25)
    assert around("d", False, False, 5)


def test_what_was_seen_beside_an_answer_counts_by_its_place():
    assert around("u", True, True, 5)
    assert around("u", True, True, 25)
    assert not around("u", True, True, 15)
