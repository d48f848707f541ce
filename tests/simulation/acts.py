"""What people did and saw: all that the oracle knows of them."""

import msgspec

from streams.merge.goldens import Golden
from streams.merge.values import Row, Value
from tests.simulation.tables import Cell
from tests.simulation.tokens import Token

OPERATOR = "(operator)"


class Act(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What somebody did, what they saw, and what they left. `wrote` has the fields that the hub is to hear of."""

    number: int
    system: str
    kind: str
    at: int
    ts_us: int
    wrote: dict[str, Token]
    saw: dict[str, Cell]
    saw_row: Row | None
    left_row: Row | None
    absent_since: int
    was_present: bool
    reverts: frozenset[str] = frozenset()


class Look(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An item as an operator saw it, and the record beside it."""

    item: int
    field: str
    candidate: Value
    version: int
    golden: Golden


def operators_act(number: int, at: int, wrote: dict[str, Token]) -> Act:
    """A value that an operator made up."""
    return Act(number, OPERATOR, "decision", at, at, wrote, {}, None, None, 0, False)
