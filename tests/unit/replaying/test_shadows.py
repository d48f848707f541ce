"""Other rules over the same log: exact where the rules are the same, and told apart where they are not."""

from dataclasses import replace

import pytest

from streams.merge.events import Amend, Amended, Changed, Decided, Event
from streams.merge.rules import Manual, Newest, Priority, Rules
from streams.merge.states import NOT_SHOWN
from streams.replaying.shadows import items
from tests.unit.merge.scenes import row, rules
from tests.unit.replaying.folds import Fold, decoded, folded, world

SEEDS = range(1, 121)


def parked(fold: Fold) -> tuple[list, list]:
    both = [list(items(decoded(data))) for data in (fold.true, fold.other)]
    listed = [[(item.number, item.system, item.field, item.shown()) for item in found] for found in both]
    return listed[0], listed[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_rules_make_the_same_record_even_where_nothing_is_taken_over(seed: int) -> None:
    made = world(seed)
    if not any(given.event for given in made.hub.log):
        return
    fold = folded(made, apart=True)
    true, other = fold.goldens()
    assert other == true
    assert parked(fold)[0] == parked(fold)[1]
    assert fold.finished() == ()
    assert fold.orphans == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_rules_never_part(seed: int) -> None:
    made = world(seed)
    assert folded(made).separations == 0


class Told(Fold):
    """A record between crm and erp, written by hand; the sinks carry out at once what the true merge wants."""

    def __init__(self, true: Rules, other: Rules) -> None:
        super().__init__(true, other)
        self.position = 0
        self.give(self.entry("crm", row()))
        self.echo("erp", row())

    def entry(self, system: str, after: dict | None, **more: object) -> Event:
        self.position += 1
        names = {"local_id": "[1]", "position": (1, self.position), "ts_us": 1000 + self.position}
        return Changed(system=system, after=after, **(names | more))  # type: ignore[arg-type]

    def edit(self, system: str, **values: str) -> None:
        self.give(self.entry(system, row(**values)))

    def echo(self, system: str, after: dict | None) -> None:
        true = decoded(self.true)
        assert true is not None
        out = true.systems[system].out
        assert out is not None
        self.give(self.entry(system, after, command=f"r/{system}/{out.number}"))

    def phones(self) -> tuple[object, object]:
        true, other = self.goldens()
        return true.values["phone"], other.values["phone"]


def clash(other: Rules) -> Told:
    """Both edit the phone out of sight of each other; by the true rules the later one, erp's, wins."""
    told = Told(rules(Newest()), other)
    told.edit("crm", phone="crm's")
    told.edit("erp", phone="erp's")
    told.echo("erp", row(phone="erp's"))
    told.echo("crm", row(phone="erp's"))
    return told


def test_a_conflict_is_decided_by_the_other_rules() -> None:
    told = clash(rules(Priority(("crm", "erp"))))
    assert told.phones() == ("erp's", "crm's")
    (verdict,) = told.verdicts
    assert (verdict.rule, verdict.winner) == ("priority", "current")


def test_what_would_be_sent_is_what_the_rows_lack() -> None:
    commands = clash(rules(Priority(("crm", "erp")))).finished()
    assert {command.system: command.units[0].set for command in commands} == {
        "crm": {"phone": "crm's"},
        "erp": {"phone": "crm's"},
    }


def test_a_write_of_the_true_merge_is_nobodys_edit() -> None:
    told = clash(rules(Priority(("crm", "erp"))))
    other = decoded(told.other)
    assert other is not None
    assert other.systems["crm"].behind["phone"] == NOT_SHOWN
    assert other.fields["phone"].by == "crm"


def test_an_edit_of_a_row_that_showed_another_value_is_a_conflict() -> None:
    told = clash(rules(Priority(("crm", "erp"))))
    told.edit("erp", phone="newer")
    assert told.phones() == ("newer", "crm's")
    assert [verdict.winner for verdict in told.verdicts] == ["current", "current"]


def test_an_edit_of_another_field_is_none_of_it() -> None:
    told = clash(rules(Priority(("crm", "erp"))))
    told.edit("erp", phone="erp's", name="Ben")
    true, other = told.goldens()
    assert true.values["name"] == other.values["name"] == "Ben"
    assert len(told.verdicts) == 1


def test_a_parked_value_that_the_true_merge_wrote_over_stays_open() -> None:
    told = Told(rules(Priority(("crm", "erp"))), rules(Manual()))
    told.edit("crm", phone="crm's")
    told.edit("erp", phone="erp's")
    told.echo("erp", row(phone="erp's"))
    told.echo("erp", row(phone="crm's"))
    assert [item[3] for item in parked(told)[1]] == ["erp's"]


def test_a_trigger_beside_our_write_is_an_edit_in_both() -> None:
    told = Told(rules(Newest()), rules(Priority(("erp", "crm"))))
    told.edit("crm", phone="2")
    told.echo("erp", row(phone="2", name="by trigger"))
    true, other = told.goldens()
    assert true.values["name"] == other.values["name"] == "by trigger"


def test_the_true_merges_delete_is_no_users_delete() -> None:
    told = Told(rules(existence="delete_wins"), rules(existence="update_wins"))
    told.edit("crm", phone="2")
    told.give(told.entry("erp", None))
    told.echo("erp", None)
    told.echo("crm", None)
    true, other = told.goldens()
    assert (true.deleted, other.deleted) == (True, False)
    assert {command.op for command in told.finished()} == {"c"}


def test_a_decision_needs_an_open_item() -> None:
    told = Told(rules(Manual()), rules(Newest()))
    told.edit("crm", phone="crm's")
    told.edit("erp", phone="erp's")
    ((number, _, _, candidate),) = parked(told)[0]
    true, _ = told.goldens()
    version = true.provenance["phone"].version
    told.give(Decided(item=str(number), candidate=candidate, version=version, value="third", ts_us=9000))
    assert told.phones() == ("third", "erp's")
    assert [(orphan.kind, orphan.field, orphan.value) for orphan in told.orphans] == [("decision", "phone", "third")]


def test_a_decision_is_found_by_its_candidate() -> None:
    other = replace(rules(Manual()), policies={"name": Newest(), "phone": Manual()})
    told = Told(rules(Manual()), other)
    told.edit("crm", name="Cleo", phone="crm's")
    told.edit("erp", name="Dina", phone="erp's")
    number = next(number for number, _, field, _ in parked(told)[0] if field == "phone")
    true, _ = told.goldens()
    version = true.provenance["phone"].version
    told.give(Decided(item=str(number), candidate="erp's", version=version, value="third", ts_us=9000))
    assert told.phones() == ("third", "third")
    assert parked(told)[1] == []


def amend(told: Told, kind: str, value: str) -> None:
    true, _ = told.goldens()
    version = true.provenance["phone"].version
    told.give(Amended(kind=kind, fields=(Amend("phone", version, value),), ts_us=9000))  # type: ignore[arg-type]


def test_an_amendment_of_an_earlier_replay_is_left_out() -> None:
    told = Told(rules(Newest()), rules(Newest()))
    amend(told, "replay", "by other rules")
    assert told.phones() == ("by other rules", "1")


def test_an_undo_counts_where_the_field_has_the_value_that_was_undone() -> None:
    told = Told(rules(Newest()), rules(Priority(("crm", "erp"))))
    amend(told, "undo", "0")
    assert told.phones() == ("0", "0")


def test_an_undo_of_another_value_is_named() -> None:
    told = clash(rules(Priority(("crm", "erp"))))
    amend(told, "undo", "0")
    assert told.phones() == ("0", "crm's")
    assert [orphan.kind for orphan in told.orphans] == ["amendment"]
