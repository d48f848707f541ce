"""What of a record is to be undone, from its own events alone."""

from duplex.explaining.finding import Found
from duplex.explaining.retelling import Retold
from duplex.undoing import selecting
from duplex.undoing.selecting import OfCommands, OfRecord
from streams.merge import states
from streams.processors import marks, refolding
from tests.unit.replaying.logs import Log, entity

KEY = b"R"


def told() -> Log:
    """A record in step whose phone crm set to 2, and then erp to 3; another record beside it."""
    log = Log(entity())
    for number in ("1", "2"):
        log.edit("crm", phone=number)
        log.serve()
    log.edit("crm", b"S", phone="9")
    log.edit("erp", phone="3")
    log.serve()
    return log


def retold(log: Log, since: int = 0) -> Retold:
    """The record's own events, from its number `since` on."""
    records = [record for record in log.records if record.key == KEY][since:]
    known, regimes = marks.marks_of(dict(log.store.items())), log.processor.regimes
    state = log.store.get(KEY)
    assert state is not None
    return Retold(states.decode(state), refolding.fold(records, known, regimes), since, regimes.first)


def found(log: Log) -> Found:
    return Found("contact", "R", 0, log.store.get(KEY) or b"", {})


def test_the_last_change_of_a_record_goes_back_one_step() -> None:
    log = told()
    (step,) = selecting.of_record(OfRecord(found(log)), retold(log))
    assert (step.record_id, step.field, step.back_to, step.now, step.clear) == ("R", "phone", "2", "3", True)


def test_what_a_command_carried_is_what_made_the_versions_it_brought() -> None:
    log = told()
    first = next(each for each in retold(log).steps if each.after and _out(each.after, "erp") == "2")
    assert first.after is not None
    sent = first.after.systems["erp"].out
    assert sent is not None
    (step,) = selecting.of_record(OfCommands(found(log), frozenset({("erp", sent.number)})), retold(log))
    assert (step.field, step.back_to, step.value, step.since_by) == ("phone", "1", "2", "erp")


def _out(state: states.State, system: str) -> object:
    out = state.systems[system].out
    return None if out is None or not out.units[0].set else out.units[0].set.get("phone")


def test_a_command_that_carried_nothing_undoes_nothing() -> None:
    log = told()
    assert selecting.of_record(OfCommands(found(log), frozenset({("erp", 99), ("crm", 99)})), retold(log)) == []


def test_events_that_do_not_make_the_live_state_are_not_gone_by() -> None:
    log = told()
    assert selecting.is_whole(retold(log))
    assert not selecting.is_whole(retold(log, since=2))
    assert not selecting.is_whole(retold(log, since=len(log.records)))
