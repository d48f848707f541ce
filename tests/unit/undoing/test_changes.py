"""What events did to a record, and what undoes it."""

from duplex.undoing import changes
from duplex.undoing.changes import FieldChange, Step
from streams.merge import states
from streams.merge.events import Amend, Amended
from streams.merge.states import State
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent


class Told:
    """A record in step, with the changes of every event after that."""

    def __init__(self) -> None:
        self.scene = in_step(rules())
        self.found: list[FieldChange] = []

    def edit(self, system: str, **values: str) -> None:
        before = self.scene.state
        self.scene.change(system, row(**values))
        self._settle(system, before)

    def delete(self, system: str) -> None:
        before = self.scene.state
        self.scene.change(system, None)
        self._settle(system, before)

    def _settle(self, system: str, before: State) -> None:
        other = "erp" if system == "crm" else "crm"
        after = self.scene.state
        self.found += changes.changes("r", self.scene.position, before, after)
        if after.systems[other].out is not None:
            unit = sent(self.scene, other).units[0]
            self.scene.echo(
                other, None if unit.set is None else {**(self.scene.state.systems[other].image or {}), **unit.set}
            )

    def steps(self, *chosen: FieldChange) -> list[Step]:
        return changes.steps(chosen or self.found, self.scene.state)

    def undo(self, steps: list[Step]) -> None:
        fields = tuple(Amend(step.field, step.version, step.back_to) for step in steps)
        self.scene.give(Amended(kind="undo", fields=fields, ts_us=9000))

    def values(self) -> dict[str, object]:
        return dict(self.scene.golden.values)


def test_an_edit_goes_back_to_the_value_before() -> None:
    told = Told()
    told.edit("crm", phone="2")
    (step,) = told.steps()
    assert (step.field, step.back_to, step.now, step.clear) == ("phone", "1", "2", True)
    told.undo([step])
    assert told.values()["phone"] == "1"


def test_several_edits_go_back_to_the_value_before_the_first() -> None:
    told = Told()
    told.edit("crm", phone="2")
    told.edit("erp", phone="3")
    (step,) = told.steps()
    assert (step.back_to, step.value, step.clear) == ("1", "3", True)


def test_what_was_turned_back_already_needs_nothing() -> None:
    told = Told()
    told.edit("crm", phone="2")
    told.edit("erp", phone="1")
    assert told.steps() == []


def test_a_field_edited_since_is_not_clear_and_the_merge_leaves_it_alone() -> None:
    told = Told()
    told.edit("crm", phone="2")
    told.edit("erp", phone="3")
    (step,) = told.steps(told.found[0])
    assert (step.clear, step.since_by, step.now) == (False, "erp", "3")
    told.undo([step])
    assert told.values()["phone"] == "3"
    assert told.scene.outcomes[-1].verdicts[0].rule == "undo"


def test_another_field_edited_since_is_no_hindrance() -> None:
    told = Told()
    told.edit("crm", phone="2")
    told.edit("erp", phone="2", name="Ben")
    told.undo(told.steps(told.found[0]))
    assert told.values() == {"name": "Ben", "phone": "1"}


def test_a_delete_is_undone_by_living_again() -> None:
    told = Told()
    told.delete("crm")
    (step,) = told.steps()
    assert (step.field, step.back_to, step.clear) == ("$", True, True)
    told.undo([step])
    assert told.scene.state.alive
    assert {command.op for command in told.scene.outcomes[-1].commands} == {"c"}


def created() -> tuple[Scene, list[FieldChange]]:
    scene = Scene(rules())
    scene.change("crm", row())
    return scene, changes.changes("r", 0, None, scene.state)


def test_a_create_is_undone_by_ending_and_nothing_else() -> None:
    scene, made = created()
    (step,) = changes.steps(made, scene.state)
    assert (step.field, step.back_to, step.clear) == ("$", None, True)
    scene.give(Amended(kind="undo", fields=(Amend("$", step.version, None),), ts_us=9000))
    assert not scene.state.alive


def test_a_created_record_that_was_edited_since_is_not_ended() -> None:
    scene, made = created()
    scene.echo("erp", row())
    scene.change("erp", row(phone="2"))
    (step,) = changes.steps(made, scene.state)
    assert (step.clear, step.since_by) == (False, "erp")


def test_the_last_change_is_that_of_the_last_event_that_changed_anything() -> None:
    told = Told()
    told.edit("crm", phone="2")
    told.edit("crm", phone="3", name="Ben")
    told.edit("crm", phone="3", name="Cleo")
    assert [(one.field, one.after) for one in changes.last_of(told.found, ())] == [("name", "Cleo")]
    assert [(one.field, one.after) for one in changes.last_of(told.found, ("phone",))] == [("phone", "3")]


def test_a_state_from_bytes_says_the_same() -> None:
    told = Told()
    told.edit("crm", phone="2")
    again = states.decode(states.encode(told.scene.state))
    assert changes.steps(told.found, again) == told.steps()
