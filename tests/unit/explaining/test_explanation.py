"""Every fact of an explanation is the event, conflict, command or echo that it was."""

from duplex.explaining.facts import Explanation, StandingFacts
from streams.merge.rules import Manual, Owner, Priority
from tests.unit.explaining.logs import Log
from tests.unit.merge.scenes import row, rules, upper_lens

CRM_FIRST = Priority(("crm", "erp"))


def in_step(**more) -> Log:
    """A record that crm created and erp has taken over: the edit at offset 0, the echo at 10."""
    log = Log(rules(**more))
    log.edit("crm", row(), op="c")
    log.obey("erp")
    return log


def standing(found: Explanation, name: str, system: str) -> StandingFacts:
    return next(one for one in found.fields[name].standing if one.system == system)


def test_a_created_record_names_its_row_its_command_and_its_echo():
    field = in_step().explain().fields["name"]
    event, (command,) = field.current.event, field.current.commands
    assert (event.kind, event.system, event.local_id, event.op, event.seq) == ("edit", "crm", "[1]", "c", 1)
    assert (event.offset, event.transaction, event.source_us, event.log_us) == (0, 701, 1_000_000, 1_005_000)
    assert (command.command, command.op, command.offset, command.outcome) == ("r/erp/1", "c", 0, "confirmed")
    assert (command.echo.offset, command.echo.seq, command.delay_us) == (10, 2, 1_000_000)
    assert (field.current.rule, field.current.policy) == ("first value", "newest")


def test_each_row_shows_the_value_since_its_own_edit_or_its_echo():
    found = in_step().explain()
    crm, erp = standing(found, "name", "crm"), standing(found, "name", "erp")
    assert (crm.shows, crm.how, crm.since.offset) == (True, "wrote", 0)
    assert (erp.shows, erp.how, erp.since.offset) == (True, "told", 10)


def test_an_edit_in_sight_of_the_value_before_it_is_no_conflict():
    log = in_step()
    log.edit("erp", row(phone="2"))
    log.obey("crm")
    found = log.explain(history=True)
    phone = found.fields["phone"]
    assert (phone.current.rule, phone.current.system, phone.current.met) == ("no conflict", "erp", ())
    assert [command.command for command in phone.current.commands] == ["r/crm/1"]
    assert [value.value for value in phone.earlier] == ["1"]
    assert found.fields["name"].earlier == ()


def test_the_value_that_came_first_and_won_names_the_edit_it_beat():
    log = in_step(policy=CRM_FIRST)
    log.edit("crm", row(phone="crm's"))
    log.edit("erp", row(phone="erp's"))
    (met,) = log.explain().fields["phone"].current.met
    assert (met.id, met.system, met.value, met.winner, met.rule) == ("r/1", "erp", "erp's", "current", "priority")
    assert (met.offset, met.ts_us) == (30, 4_000_000)


def test_the_value_that_came_later_and_won_names_the_value_it_beat():
    log = in_step(policy=Priority(("erp", "crm")))
    log.edit("crm", row(phone="crm's"))
    log.edit("erp", row(phone="erp's"))
    found = log.explain(history=True).fields["phone"]
    (met,) = found.current.met
    assert (met.system, met.value, met.winner) == ("crm", "crm's", "incoming")
    assert (found.current.rule, found.current.event.offset) == ("priority", 30)
    assert [value.value for value in found.earlier] == ["crm's", "1"]


def test_a_command_that_found_the_row_changed_says_that_nothing_was_written():
    log = in_step(policy=CRM_FIRST)
    log.edit("crm", row(phone="crm's"))
    log.edit("erp", row(phone="erp's"))
    log.echo("erp", row(phone="erp's"))
    log.obey("erp")
    first, second = log.explain().fields["phone"].current.commands
    assert (first.command, first.outcome, first.echo.offset) == ("r/erp/2", "left alone", 40)
    assert (second.command, second.outcome, second.offset) == ("r/erp/3", "confirmed", 40)


def test_a_command_that_found_the_value_there_already_says_so():
    log = in_step()
    log.edit("crm", row(phone="2"))
    log.edit("erp", row(phone="2"))
    log.obey("erp")
    found = log.explain()
    assert [command.outcome for command in found.fields["phone"].current.commands] == ["found"]
    assert (standing(found, "phone", "erp").how, standing(found, "phone", "erp").since.offset) == ("held", 30)


def test_a_system_that_was_not_told_yet_names_the_command_that_is_out():
    log = in_step()
    log.edit("crm", row(phone="2"))
    found = log.explain()
    (command,) = found.fields["phone"].current.commands
    assert (command.outcome, command.echo) == ("waiting", None)
    erp = standing(found, "phone", "erp")
    assert not erp.shows
    assert "command r/erp/2 (decided at 20) carries it" in erp.why


def test_a_system_told_of_another_field_first_says_which_command_goes_first():
    log = in_step()
    log.edit("crm", row(phone="2"))
    log.edit("crm", row(phone="2", name="Bea"))
    assert "command r/erp/2 (decided at 20) goes first" in standing(log.explain(), "name", "erp").why


def test_a_refused_write_gives_the_targets_own_sentence():
    log = in_step()
    log.edit("crm", row(phone="far too long"))
    log.echo("erp", row(), error="value too long")
    found = log.explain()
    (command,) = found.fields["phone"].current.commands
    assert (command.outcome, command.error) == ("refused", "value too long")
    assert "value too long" in standing(found, "phone", "erp").why


def test_a_parked_value_is_named_beside_the_one_that_holds():
    log = in_step(policy=Manual())
    log.edit("crm", row(phone="crm's"))
    log.edit("erp", row(phone="erp's"))
    found = log.explain()
    (item,) = found.fields["phone"].parked
    assert (item.id, item.system, item.value) == ("r/1", "erp", "erp's")
    assert "waits for a decision (item 1)" in standing(found, "phone", "erp").why
    assert [met.winner for met in found.fields["phone"].current.met] == ["parked"]


def test_a_decision_names_who_decided():
    log = in_step(policy=Manual())
    log.edit("crm", row(phone="crm's"))
    log.edit("erp", row(phone="erp's"))
    log.decide(1, "phone", "neither's")
    phone = log.explain().fields["phone"]
    assert (phone.current.value, phone.current.rule) == ("neither's", "decision")
    assert (phone.current.event.kind, phone.current.event.by) == ("decision", "the operator")
    assert phone.parked == ()


def test_an_owners_value_beats_the_edit_that_is_not_the_owners():
    log = in_step(policy=Owner("crm"))
    log.edit("erp", row(phone="not mine"))
    phone = log.explain().fields["phone"]
    (met,) = phone.current.met
    assert (met.system, met.value, met.rule, met.winner) == ("erp", "not mine", "owner", "current")
    assert [command.op for command in phone.current.commands] == ["c", "u"]


def test_a_deleted_record_names_the_delete_and_its_echo():
    log = in_step()
    log.edit("erp", None)
    log.obey("crm")
    found = log.explain()
    life = found.fields["$"].current
    assert (found.deleted, life.value, life.event.op, life.event.offset) == (True, None, "d", 20)
    assert [(command.command, command.op, command.outcome) for command in life.commands] == [
        ("r/crm/1", "d", "confirmed")
    ]
    assert [one.shows for one in found.fields["$"].standing] == [True, True]


def test_a_row_that_is_still_there_names_the_delete_under_way():
    log = in_step()
    log.edit("erp", None)
    crm = standing(log.explain(), "$", "crm")
    assert not crm.shows
    assert crm.why.startswith("still has its row: command r/crm/1")


def test_an_edit_that_outlived_a_delete_says_so():
    log = in_step()
    log.edit("erp", None)
    log.edit("crm", row(phone="alive"))
    found = log.explain()
    assert found.fields["phone"].current.rule == "update_wins"
    assert [met.of_field for met in found.fields["phone"].current.met] == ["$"]
    assert found.fields["$"].current.value is True


def test_rows_of_two_loads_that_differ_are_a_conflict_of_the_load():
    log = Log(rules(policy=CRM_FIRST))
    log.edit("crm", row(phone="crm's"), op="r")
    log.edit("erp", row(phone="erp's"), op="r")
    phone = log.explain().fields["phone"].current
    assert (phone.event.kind, phone.system, phone.met[0].value) == ("load", "crm", "erp's")


def test_a_row_that_held_the_value_already_was_not_told():
    log = Log(rules())
    log.edit("crm", row(), op="r")
    log.obey("erp")
    log.edit("erp", row(phone="2"))
    log.edit("crm", row(phone="2"))
    crm = standing(log.explain(), "phone", "crm")
    assert (crm.shows, crm.how) == (True, "held")


def test_a_lossy_row_says_how_it_shows_the_value():
    found = in_step(lens=upper_lens()).explain()
    assert standing(found, "name", "erp").shown_as == "ADA"
    assert standing(found, "name", "crm").shown_as is None


def test_a_retry_withdraws_the_command_that_was_out():
    log = in_step()
    log.edit("crm", row(phone="2"))
    log.nudge()
    first, second = log.explain().fields["phone"].current.commands
    assert (first.outcome, second.outcome) == ("withdrawn", "waiting")


def test_a_load_under_way_says_why_nothing_is_told():
    log = Log(rules(loading=frozenset({"erp"})))
    log.edit("crm", row())
    assert "initial load of erp has not ended" in standing(log.explain(), "name", "erp").why


def test_a_record_whose_log_is_whole_is_complete():
    assert in_step().explain().complete


def test_a_log_cut_short_says_which_facts_are_missing():
    log = in_step()
    log.edit("crm", row(phone="2"))
    found = log.explain(since=2)
    assert not found.complete
    assert "no longer reaches back" in found.remarks[0]
    assert "offset 20" in found.remarks[0]


def test_a_value_older_than_the_log_is_told_by_the_state_alone():
    log = in_step()
    log.edit("crm", row(phone="2"))
    found = log.explain(since=2)
    name = found.fields["name"].current
    assert (name.value, name.system, name.event, name.ts_us) == ("Ada", "crm", None, 1_000_000)


def test_a_fold_that_comes_to_another_state_says_so():
    log = in_step()
    log.edit("crm", row(phone="2"))
    log.steps.pop()
    assert "merging the log's events again" in log.explain().remarks[0]
