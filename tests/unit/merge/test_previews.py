"""What a first synchronisation would do, and the merged record it would make."""

from streams.merge.previews import preview
from streams.merge.rules import Priority
from tests.unit.merge.scenes import Scene, in_step, row, rules


def test_a_row_on_one_side_would_be_created_on_the_other() -> None:
    seen = preview({"erp": ("[5]", row())}, rules())
    assert [(c.system, c.op) for c in seen.commands] == [("crm", "c")]
    assert seen.golden.values == row()


def test_equal_rows_would_only_be_linked() -> None:
    seen = preview({"crm": ("[1]", row()), "erp": ("[5]", row())}, rules())
    assert (seen.commands, seen.verdicts) == ((), ())


def test_differences_would_be_conflicts() -> None:
    seen = preview({"erp": ("[5]", row(phone="9")), "crm": ("[1]", row())}, rules(Priority(("erp", "crm"))))
    assert [(v.field, v.winner) for v in seen.verdicts] == [("phone", "incoming")]
    assert [(c.system, c.op, c.local_id) for c in seen.commands] == [("crm", "u", "[1]")]


def test_the_load_itself_comes_to_the_same_in_either_order() -> None:
    seen = preview({"crm": ("[1]", row()), "erp": ("[5]", row(phone="9"))}, rules())
    for order in (("crm", "erp"), ("erp", "crm")):
        scene = Scene(rules(loading=frozenset({"crm", "erp"})))
        for system in order:
            scene.change(system, row(phone="9") if system == "erp" else row(), load=True)
        assert scene.golden.values == seen.golden.values


def test_the_merged_record_says_whose_each_value_is() -> None:
    scene = in_step(rules())
    scene.change("erp", row(phone="2"), ts_us=7000)
    origin = scene.golden.provenance["phone"]
    assert (origin.system, origin.ts_us, origin.version) == ("erp", 7000, 4)
    assert scene.golden.existence.system == "crm"
    assert not scene.golden.deleted
