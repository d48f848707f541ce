"""Every message that may stand in a record log, as the merge takes it."""

import pytest

from schemas.messages import Amend
from schemas.project.model import Entity
from streams.merge.events import Amended, Answered, Changed, Decided, Looked, Nudged
from streams.processors.incoming import event_of
from streams.processors.records import Record, Rejected
from tests.unit.processors.partitions import (
    CODEC,
    Partition,
    allowance,
    amendment,
    change,
    clash,
    crm,
    decision,
    entity,
    erp,
    gone,
    nudge,
    result,
)

APPENDED_US = 5_000_999


def event(message, made: Entity | None = None, state=None):
    partition = Partition(made)
    record = Record("t", 0, 7, b"R", CODEC.encode(message), 5000)
    return event_of(message, record, partition.processor.regimes.at(partition.store), state)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (crm(1), Changed),
        (change("crm", "u", 3, {"id": 1, "email": "e", "name": "n", "credit": 1}, incarnation=0), Looked),
        (result("R/erp/1", (1, 2), {"id": 1, "mail": "e", "full_name": "n", "credit": 1}), Answered),
        (decision("1", None, 1, None), Decided),
        (nudge("deadline"), Nudged),
        (amendment(Amend(field="name", version=1, value='"B"')), Amended),
    ],
)
def test_every_event_carries_the_time_of_the_log(message, kind):
    made = event(message)
    assert isinstance(made, kind) and made.at_us == APPENDED_US
    assert isinstance(made, Nudged) or made.ts_us == APPENDED_US


def test_change_of_a_source_without_a_log_is_a_look():
    made = event(change("crm", "r", 3, {"id": 1, "email": "e", "name": "n", "credit": 1}, incarnation=0))
    assert isinstance(made, Looked) and (made.order, made.load) == (3, True)
    assert event(gone("crm", 4, incarnation=0)).after is None


def test_result_is_an_answer_with_both_rows():
    made = event(result("R/erp/1", (4, 5), {"id": 1, "mail": "e", "full_name": "n", "credit": "1.50"}))
    assert (made.found_order, made.found, made.left_order) == (4, None, 5)
    assert made.left == {"mail": "e", "full_name": "n", "credit": "1.5"}


def test_answer_is_merged_and_no_dead_letter():
    partition = Partition()
    (command,) = partition.commands(crm(1))
    left = {"id": 1, "mail": "1@b.c", "full_name": "Ann", "credit": 0}
    assert partition.add(result(command.id, (1, 2), left)) == []
    assert partition.state().systems["erp"].out is None
    assert partition.add(crm(2, name="B"))[0].op == "u"


def marking() -> Entity:
    return entity(on_delete={"crm": {"inactive": {"column": "state", "value": "off", "restore": "on"}}})


def inactive(op: str = "u", **more):
    return change("crm", op, 2, {"id": 1, "email": "e", "name": "n", "credit": 1, "state": "off"}, **more)


@pytest.mark.parametrize("op", ["u", "r", "c"])
def test_row_marked_as_inactive_counts_as_gone(op):
    assert event(inactive(op), marking()).after is None
    assert event(inactive(op)).after is not None


def test_echo_that_leaves_an_inactive_row_counts_as_gone():
    from schemas.messages import Origin

    made = event(inactive(origin=Origin(command="R/crm/1", record_id="R", hop=1)), marking())
    assert made.after is None and made.command == "R/crm/1"


def test_row_that_becomes_inactive_is_deleted_elsewhere():
    partition = Partition(marking())
    partition.synced()
    (command,) = partition.commands(inactive())
    assert (command.op, command.system) == ("d", "erp")


def test_decided_value_takes_the_canonical_form_of_its_field():
    partition = Partition()
    partition.synced()
    conflict = clash(partition)
    partition.add(decision(conflict.id, "7", conflict.version, '"10.50"'))
    assert partition.value("credit") == "10.5"


def test_decided_number_keeps_all_its_digits():
    partition = Partition()
    partition.synced()
    conflict = clash(partition)
    partition.add(decision(conflict.id, "7", conflict.version, "12345678901234567890.123450"))
    assert partition.value("credit") == "12345678901234567890.12345"


@pytest.mark.parametrize("value", ['"ten"', "true", "{broken"])
def test_decided_value_that_the_field_cannot_have_is_refused_and_leaves_the_item(value):
    partition = Partition()
    partition.synced()
    conflict = clash(partition)
    before = partition.store.get(b"R")
    (rejected,) = partition.add(decision(conflict.id, "7", conflict.version, value))
    assert isinstance(rejected, Rejected) and partition.store.get(b"R") == before


def test_refusal_names_the_field():
    partition = Partition()
    partition.synced()
    conflict = clash(partition)
    (rejected,) = partition.add(decision(conflict.id, "7", conflict.version, '"ten"'))
    assert rejected.error_class == "DecisionRefused" and rejected.message.startswith("credit:")


def test_conflict_says_beside_which_version_it_was_shown():
    partition = Partition()
    partition.synced()
    conflict = clash(partition)
    assert conflict.version == partition.state().fields["credit"].version and conflict.due_us == 0


def amended(partition: Partition, name: str, value: str | None) -> list:
    version = partition.state().fields[name].version if name != "missing" else 1
    return partition.add(amendment(Amend(field=name, version=version, value=value)))


def test_amendment_sets_a_value_in_canonical_form_everywhere():
    partition = Partition()
    partition.synced()
    commands = amended(partition, "credit", "3.50")
    assert partition.value("credit") == "3.5" and {each.system for each in commands} == {"crm", "erp"}


@pytest.mark.parametrize(("name", "value", "said"), [("missing", '"x"', "no field"), ("credit", '"x"', "number")])
def test_amendment_that_cannot_be_is_refused(name, value, said):
    partition = Partition()
    partition.synced()
    (rejected,) = amended(partition, name, value)
    assert rejected.error_class == "DecisionRefused" and said in rejected.message


def test_amendment_ends_a_record():
    partition = Partition()
    partition.synced()
    assert {each.op for each in amended(partition, "$", None)} == {"d"}


def test_message_without_a_place_in_the_log_is_rejected():
    partition = Partition()
    (command,) = partition.commands(crm(1))
    (rejected,) = partition.add(command)
    assert "Command" in rejected.message
    assert partition.add(allowance(1, 1), b"$allowance") == [] and erp(1)
