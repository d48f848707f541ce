"""The rules of a partition change where its log says so, and hold again after a restart."""

import pytest

from schemas.messages import Change, Conflict
from streams.mapping.rules import compile_rules
from streams.processors.records import StoppingError
from streams.processors.regimes import EpochError
from tests.unit.processors.partitions import COLUMNS, Partition, clash, crm, entity, epoch, erp


def named(partition: Partition) -> str:
    """What decides a conflict about the name now, in one word."""
    partition.synced()
    partition.add(crm(300, name="B"))
    (conflict,) = partition.conflicts(erp(300, name="C"))
    return conflict.rule


def test_rules_of_the_start_hold_before_the_first_epoch():
    assert named(Partition(entity("newest"))) == "newest"


def test_epoch_changes_the_rules_of_what_follows():
    partition = Partition(entity("newest"))
    partition.add(epoch(1, entity("manual")), b"$epoch")
    assert named(partition) == "manual"


def test_epoch_holds_after_a_restart_with_another_file():
    partition = Partition(entity("newest"))
    partition.add(epoch(3, entity("manual")), b"$epoch")
    restarted = partition.restarted()
    assert named(restarted) == "manual"
    assert restarted.processor.regimes.at(restarted.store).rules.epoch == 3


@pytest.mark.parametrize("number", [1, 2])
def test_repeated_or_lower_epoch_is_ignored(number):
    partition = Partition(entity("newest"))
    partition.add(epoch(2, entity("manual")), b"$epoch")
    before = dict(partition.store.items())
    partition.add(epoch(number, entity({"priority": ["crm", "erp"]})), b"$epoch")
    assert dict(partition.store.items()) == before and named(partition) == "manual"


def parked() -> Partition:
    partition = Partition(entity("newest"))
    partition.synced()
    assert clash(partition).winner == "parked"
    return partition


def test_epoch_that_resolves_decides_what_is_open():
    partition = parked()
    other = entity().model_copy(update={"fields": {**entity().fields, **_priority()}})
    found = partition.add(epoch(1, other, resolve=True), b"$epoch")
    (conflict,) = [each for each in found if isinstance(each, Conflict)]
    assert (conflict.field, conflict.rule, conflict.winner) == ("credit", "rules:priority", "incoming")
    assert partition.value("credit") == "7"


def _priority() -> dict:
    made = entity({"priority": ["erp", "crm"]}).fields["name"].on_conflict
    return {"credit": entity().fields["credit"].model_copy(update={"on_conflict": made})}


def test_epoch_that_does_not_resolve_leaves_what_is_open():
    partition = parked()
    other = entity().model_copy(update={"fields": {**entity().fields, **_priority()}})
    assert partition.add(epoch(1, other), b"$epoch") == []
    assert partition.state().systems["erp"].dissent


def test_settled_items_are_not_asked_about():
    partition = parked()
    partition.add(erp(201, credit=5))
    assert partition.add(epoch(1, entity("manual"), resolve=True), b"$epoch") == []


def test_epoch_of_an_unknown_system_stops_the_process_and_is_not_skipped():
    made = entity()
    partition = Partition(made)
    systems = {**made.systems, "web": made.systems["erp"]}
    wider = made.model_copy(update={"systems": systems})
    columns = {**COLUMNS, "web": COLUMNS["erp"]}
    partition.processor.regimes._compile = lambda _: compile_rules("contact", wider, columns)
    before = dict(partition.store.items())
    with pytest.raises(EpochError, match=r"web.*[Rr]estart `duplex run`"):
        partition.add(epoch(1, made), b"$epoch")
    assert dict(partition.store.items()) == before and issubclass(EpochError, StoppingError)


def test_epoch_whose_rules_cannot_be_read_stops_the_process():
    import msgspec

    broken = msgspec.structs.replace(epoch(1, entity()), rules="{}")
    with pytest.raises(EpochError, match="epoch 1 of contact"):
        Partition().add(broken, b"$epoch")


def test_record_under_a_reserved_key_is_rejected():
    partition = Partition()
    (rejected,) = partition.add(crm(1), b"\x00epoch")
    assert "record id" in rejected.message and isinstance(crm(1), Change)
