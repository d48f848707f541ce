"""The log of a partition folded again: byte for byte by the same rules, and told apart by others."""

import pytest

from duplex.replaying import reports
from duplex.replaying.cuts import Cut
from duplex.replaying.filters import Condition
from duplex.replaying.folds import MisfitError, OtherFold, TrueFold
from duplex.replaying.reports import PartitionReport, RecordChange
from schemas.project.model import Entity
from tests.unit.replaying.logs import CODEC, Log, entity, processor

CRM_FIRST = {"priority": ["crm", "erp"]}


def true_fold(log: Log, made: Entity) -> TrueFold:
    fold = TrueFold(processor(made))
    fold.take(log.records)
    return fold


def other_fold(log: Log, made: Entity, other: Entity, since: int = 0) -> OtherFold:
    fold = OtherFold(TrueFold(processor(made)), processor(other), since, CODEC)
    fold.take(log.records)
    return fold


def changed(fold: OtherFold, condition: str | None = None) -> dict[bytes, RecordChange]:
    return reports.of_rules("contact", 0, fold, None if condition is None else Condition(condition))


def blank_report() -> PartitionReport:
    return PartitionReport(
        entity="contact", partition=0, first=0, position=0, events=0, seconds=0, records=0, digest=""
    )


def clashed(made: Entity) -> Log:
    log = Log(made)
    log.clash()
    log.clash(b"S")
    assert log.rejected == []
    return log


def test_the_same_rules_make_the_same_bytes() -> None:
    log, report = clashed(entity()), blank_report()
    fold = true_fold(log, entity())
    assert fold.content() == dict(log.store.items())
    assert reports.compare(report, fold, Cut(dict(log.store.items()), len(log.records), 1)) == set()
    assert (report.apart, report.bookkeeping) == (0, 0)


def test_a_fold_in_parts_is_the_same_fold() -> None:
    log = clashed(entity())
    first = TrueFold(processor(entity()))
    first.take(log.records[:7])
    second = TrueFold(processor(entity()), first.content())
    second.take(log.records[7:])
    assert second.content() == dict(log.store.items())


def test_a_spoilt_state_is_found() -> None:
    log, report = clashed(entity()), blank_report()
    spoilt = {**dict(log.store.items()), b"S": log.store.get(b"R") or b""}
    assert reports.compare(report, true_fold(log, entity()), Cut(spoilt, len(log.records), 1)) == {b"S"}
    assert report.live_digest is not None


def test_by_the_same_rules_nothing_is_otherwise() -> None:
    fold = other_fold(clashed(entity()), entity(), entity())
    assert (fold.apart, fold.notes, changed(fold)) == ({}, {}, {})


def test_by_other_rules_the_clashing_field_is_otherwise_and_says_why() -> None:
    found = changed(other_fold(clashed(entity()), entity(), entity(CRM_FIRST)))
    assert found.keys() == {b"R", b"S"}
    (field,) = found[b"R"].fields
    assert (field.field, field.now, field.then) == ("phone", "erp's", "crm's")
    assert field.why == 'priority: crm "crm\'s" against erp "erp\'s": crm wins'
    assert [one.change for one in found[b"R"].conflicts] == ["decides"]
    assert {command.system for command in found[b"R"].commands} == {"crm", "erp"}


def test_a_conflict_that_would_wait_for_a_person() -> None:
    found = changed(other_fold(clashed(entity()), entity(), entity("manual")))
    assert [(one.change, one.now is None) for one in found[b"R"].conflicts] == [("opens", False)]


def test_a_conflict_that_would_not_wait() -> None:
    found = changed(other_fold(clashed(entity("manual")), entity("manual"), entity()))
    assert [one.change for one in found[b"R"].conflicts] == ["closes"]
    assert [(one.now, one.then) for one in found[b"R"].fields] == [("crm's", "erp's")]


def test_a_decision_that_would_have_no_object_is_named() -> None:
    log = Log(entity("manual"))
    log.clash()
    state = true_fold(log, entity("manual"))
    found = reports.states.decode(state.store.get(b"R") or b"")
    (item,) = found.systems["erp"].dissent.values()
    log.decide(str(item.number), "erp's", found.fields["phone"].version, "third")
    assert log.rejected == []
    change = changed(other_fold(log, entity("manual"), entity()))[b"R"]
    assert [(one.kind, one.field, one.value) for one in change.spoken] == [("decision", "phone", '"third"')]
    assert [(one.now, one.then) for one in change.fields] == [("third", "erp's")]


def test_from_a_later_place_earlier_conflicts_stay_as_they_are() -> None:
    log = clashed(entity())
    half = next(record.offset for record in log.records if record.key == b"S")
    assert changed(other_fold(log, entity(), entity(CRM_FIRST), since=half)).keys() == {b"S"}


def test_an_other_fold_goes_on_where_it_was_stopped() -> None:
    log = clashed(entity())
    first = OtherFold(TrueFold(processor(entity())), processor(entity(CRM_FIRST)), 0, CODEC)
    first.take(log.records[:6])
    second = OtherFold(TrueFold(processor(entity()), first.true.content()), processor(entity(CRM_FIRST)), 0, CODEC)
    second.apart, second.notes = first.apart, first.notes
    second.take(log.records[6:])
    assert changed(second) == changed(other_fold(log, entity(), entity(CRM_FIRST)))


def test_a_condition_chooses_records_by_their_merged_values() -> None:
    log = clashed(entity())
    log.edit("crm", b"S", name="Ben")
    log.serve()
    fold = other_fold(log, entity(), entity(CRM_FIRST))
    assert changed(fold, 'record.name == "Ben"').keys() == {b"S"}
    assert changed(fold, "deleted").keys() == set()


def test_a_record_that_outlives_a_delete() -> None:
    made = entity()
    other = made.model_copy(update={"on_delete": made.on_delete.model_copy(update={"policy": "update_wins"})})
    true = made.model_copy(update={"on_delete": made.on_delete.model_copy(update={"policy": "delete_wins"})})
    log = Log(true)
    log.edit("crm")
    log.serve()
    log.edit("crm", phone="2")
    log.delete("erp")
    log.serve()
    (field,) = changed(other_fold(log, true, other))[b"R"].fields
    assert (field.field, field.now, field.then) == ("$", None, True)


def test_a_row_image_that_the_other_rules_cannot_read_is_named() -> None:
    log = Log(entity())
    log.add(log.change("crm", "c", {"id": 1, "name": "Ada", "phone": "1"}))
    with pytest.raises(MisfitError) as caught:
        other_fold(log, entity(), entity(note="note"))
    assert (caught.value.system, caught.value.record.offset) == ("crm", 2)


def test_a_field_that_only_the_other_rules_have_is_shown_and_not_amended() -> None:
    log = Log(entity())
    log.edit("crm", note="hm")
    log.serve()
    (field,) = changed(other_fold(log, entity(), entity(note="note")))[b"R"].fields
    assert (field.field, field.then, field.amendable) == ("note", "hm", False)
