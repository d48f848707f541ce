"""An explanation as people read it."""

import msgspec

from duplex.explaining.sentences import page
from streams.merge.rules import Manual, Priority
from tests.unit.explaining.logs import Log
from tests.unit.explaining.test_explanation import in_step
from tests.unit.merge.scenes import row, rules


def told(log: Log, name: str, **more) -> str:
    return page([log.explain(**more).only(name)])


def test_a_value_its_rule_its_loser_its_command_and_its_echo() -> None:
    log = in_step(policy=Priority(("crm", "erp")))
    log.edit("crm", row(phone="crm's"))
    log.edit("erp", row(phone="erp's"))
    log.echo("erp", row(phone="erp's"))
    log.obey("erp")
    assert told(log, "phone").splitlines() == [
        "contact r: alive (partition 2, 6 events, offsets 0 to 50 of the record log)",
        '  phone: "crm\'s" (version 4)',
        "    From crm, which updated its row [1] (log entry 1.3, transaction 703), at 1970-01-01 00:00:03.000Z, "
        "at offset 20 of the record log, appended 1970-01-01 00:00:03.005Z.",
        "    No conflict: it was written in sight of the value before it (policy priority).",
        "    It beat erp's \"erp's\" of 1970-01-01 00:00:04.000Z (by priority, conflict r/1 at offset 30).",
        "    Command r/erp/2 (decided at offset 20) took it to erp: nothing was written, the row had changed, says "
        "echo 1.5 of row [1], offset 40 after 2,000 ms.",
        "    Command r/erp/3 (decided at offset 40) took it to erp: confirmed by echo 1.6 of row [1], offset 50 "
        "after 3,000 ms.",
        "    crm shows it since offset 20 (its own edit).",
        "    erp shows it since offset 50 (by the command's echo).",
    ]


def test_where_there_is_no_log_a_result_confirms_a_command() -> None:
    explanation = in_step().explain().only("phone")
    found = msgspec.json.decode(msgspec.json.encode(explanation))
    for command in found["fields"]["phone"]["current"]["commands"]:
        command["echo"] |= {"incarnation": None, "seq": 17}
    text = page([msgspec.convert(found, type(explanation))])
    assert "confirmed by result 17 of row [1]" in text


def test_history_lists_every_earlier_value_with_its_facts() -> None:
    log = in_step()
    log.edit("crm", row(phone="2"))
    text = told(log, "phone", history=True)
    assert '    Before: "1" (version 2)\n      From crm, which created its row [1]' in text
    assert "Command r/erp/1 (decided at offset 0) created the row with it in erp: confirmed" in text


def test_what_waits_for_a_person_is_said() -> None:
    log = in_step(policy=Manual())
    log.edit("crm", row(phone="crm's"))
    log.edit("erp", row(phone="erp's"))
    text = told(log, "phone")
    assert "Parked beside it: erp's \"erp's\"" in text
    assert "erp does not show it: parked: its own value waits for a decision (item 1)." in text
    assert "Waits for a decision: erp's \"erp's\" (item r/1)." in text
    log.decide(1, "phone", "neither's")
    assert "From the operator by decision (asked by phone)" in told(log, "phone")


def test_a_deleted_record_and_what_is_missing_are_said() -> None:
    log = in_step()
    log.edit("erp", None)
    log.echo("crm", row(), error="still referenced")
    text = told(log, "$", since=1)
    assert text.startswith("contact r: deleted")
    assert "  NOTE: the log no longer reaches back" in text
    assert "existence: deleted" in text
    assert "REFUSED" in text
    assert "still referenced" in text


def test_a_loaded_row_has_no_time_of_its_own() -> None:
    log = Log(rules())
    log.edit("crm", row(), op="r", ts_us=0)
    assert "From crm, whose initial load read row [1], at a time that the load does not know" in told(log, "name")


def test_what_one_event_did_to_many_fields_is_told_once() -> None:
    lines = page([in_step().explain()]).splitlines()
    assert "    As name." in lines
    assert sum("Command" in line for line in lines) == 2
