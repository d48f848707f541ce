"""What a first synchronisation would do to one record, found out without a log and without writing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from streams.merge.events import Changed, Planned, Verdict
from streams.merge.goldens import Golden, golden
from streams.merge.merge import begin, plan, take
from streams.merge.rules import Rules
from streams.merge.values import Row


@dataclass(frozen=True, slots=True)
class Preview:
    """The commands and verdicts that loading these rows would lead to, and the record they would make."""

    commands: tuple[Planned, ...]
    verdicts: tuple[Verdict, ...]
    golden: Golden


def preview(found: Mapping[str, tuple[str, Row]], rules: Rules) -> Preview:
    """Load the rows of one record, by system: (local id, row), in the order of rank; plan only when all are in."""
    turn = begin(None, replace(rules, loading=frozenset()))
    for system in rules.systems:
        if system in found:
            local_id, row = found[system]
            take(turn, Changed(system=system, local_id=local_id, position=(0, 0), ts_us=0, after=row, load=True))
    plan(turn)
    return Preview(tuple(turn.outcome.commands), tuple(turn.outcome.verdicts), golden(turn.state, rules))
