"""What lags behind a record in one system's row."""

from dataclasses import dataclass, replace

from duplex.explaining.showing import _row
from tests.unit.explaining.logs import Log
from tests.unit.merge.scenes import row, rules


@dataclass(frozen=True)
class OnlyRead:
    """What a lens that writes nothing says of itself."""

    readable = frozenset({"name"})
    writable = frozenset()
    columns = ()
    units = ()


def behind() -> Log:
    """Erp does not show what crm's user has just written."""
    log = Log(rules())
    log.edit("crm", row(), op="c")
    log.obey("erp")
    log.edit("crm", row(name="Anna"))
    return log


def test_a_field_that_is_on_its_way_lags():
    log = behind()
    assert list(_row(log.state, log.rules, "erp").behind) == ["name"]


def test_a_field_that_is_never_told_there_does_not_lag():
    log = behind()
    narrow = replace(log.rules, lenses={**log.rules.lenses, "erp": OnlyRead()})
    assert _row(log.state, narrow, "erp").behind == {}
