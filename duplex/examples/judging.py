"""A showing judged from what both sides hold at its end, and from the conflicts on record."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from duplex.demo.scenario import Landing
from duplex.examples.sides import Row
from duplex.examples.steps import EXISTENCE, Edit
from schemas.messages import Conflict

Edits = Sequence[Sequence[Edit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The summary, with the keys of the JSON object that `duplex demo --example NAME --json` prints.

    `records` is how many both sides have; `steps` says of each step how many milliseconds after the edit it had landed.
    """

    ok: bool
    example: str
    edits: int
    records: int
    conflicts: int
    lost: int
    duplicates: int
    differences: int
    cold_start_s: float
    steps: dict[str, float]


@dataclass(frozen=True, slots=True)
class End:
    """What is there when nothing moves any more: both sides' rows, their key field, the conflicts on record."""

    left: Sequence[Row]
    right: Sequence[Row]
    key: str
    conflicts: Sequence[Conflict]

    @property
    def duplicates(self) -> int:
        """Keys that occur more than once on one side, once for each time too many."""
        return sum(len(rows) - len({row[self.key] for row in rows}) for rows in (self.left, self.right))

    @property
    def differences(self) -> int:
        """Records that are not the same on both sides, or on one side only."""
        left, right = ({row[self.key]: row for row in rows} for rows in (self.left, self.right))
        return sum(left.get(key) != right.get(key) for key in left.keys() | right.keys())

    def lost(self, edits: Edits) -> list[Edit]:
        """Edits, given step by step, that no side shows, no later step replaced, and no conflict names."""
        named = set(_named(self.conflicts))
        return [
            edit
            for place, step in enumerate(edits)
            for edit in step
            if not self._shown(edit)
            and not any(_replaces(later, edit) for after in edits[place + 1 :] for later in after)
            and (edit.field, _text(edit.value)) not in named
        ]

    def _shown(self, edit: Edit) -> bool:
        found = [[row for row in rows if row[self.key] == edit.key] for rows in (self.left, self.right)]
        if edit.field == EXISTENCE:
            return not any(found)
        return all(rows and _holds(rows[0][edit.field], edit.value) for rows in found)


def _holds(shown: object, edited: object) -> bool:
    if isinstance(shown, list) and isinstance(edited, list):
        return set(edited) <= set(shown)
    return shown == edited


def _replaces(later: Edit, edit: Edit) -> bool:
    return later.key == edit.key and later.field in (edit.field, EXISTENCE)


def _named(conflicts: Iterable[Conflict]) -> Iterable[tuple[str, str]]:
    for conflict in conflicts:
        for side in (conflict.current, conflict.incoming):
            yield conflict.field, _text(None if side.value is None else json.loads(side.value))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def summarised(example: str, landings: Sequence[Landing], edits: Edits, end: End, cold_start_s: float) -> Figures:
    """Count everything; `ok` only if every step landed and nothing was lost, doubled or left different."""
    lost, duplicates, differences = len(end.lost(edits)), end.duplicates, end.differences
    return Figures(
        ok=all(landing.held for landing in landings) and not (lost or duplicates or differences) and bool(end.left),
        example=example,
        edits=sum(len(step) for step in edits),
        records=len(end.left),
        conflicts=len(end.conflicts),
        lost=lost,
        duplicates=duplicates,
        differences=differences,
        cold_start_s=round(cold_start_s, 1),
        steps={landing.title: round(landing.delay_ms, 1) for landing in landings},
    )
