"""What a first synchronisation would do, as values to count and to show."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

Kind = Literal["create", "update", "delete", "link", "conflict", "duplicate", "invalid"]
KINDS: tuple[Kind, ...] = ("create", "update", "delete", "link", "conflict", "duplicate", "invalid")
# A link writes to no system: a pipeline that is in step has nothing but links.
CHANGES: frozenset[Kind] = frozenset(KINDS) - {"link"}
SIGNS: dict[Kind, str] = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "link": "=",
    "conflict": "!",
    "duplicate": "?",
    "invalid": "?",
}


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that would happen to one record.

    `record` is what people know it by: its natural key, or its row. `system` and `local_id` name the row that is
    written, or cannot take part. `values` has, by column or field, what is there and what comes.
    """

    kind: Kind
    entity: str
    record: str
    system: str = ""
    local_id: str | None = None
    values: dict[str, tuple[Any, Any]] = {}
    detail: str = ""

    def sentence(self) -> str:
        """The action on one line: sign, record, system, what changes."""
        place = f"{self.system} {self.local_id or ''}".strip()
        parts = [f"{SIGNS[self.kind]} {_name(self.record)}", place, self._changes(), self.detail]
        return "  ".join(part for part in parts if part)

    def _changes(self) -> str:
        if self.kind == "create":
            given = {name: will for name, (_, will) in self.values.items() if will is not None}
            return ", ".join(f"{name}: {_shown(will)}" for name, will in given.items())
        return ", ".join(f"{name}: {_shown(was)} → {_shown(will)}" for name, (was, will) in self.values.items())


class Counts(msgspec.Struct, kw_only=True):
    """How often each kind of action occurs in an entity; `by_system` for the kinds that write to one."""

    records: int = 0
    rows: dict[str, int] = {}
    total: dict[str, int] = {}
    by_system: dict[str, dict[str, int]] = {}


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """An open conflict that new rules would decide: both sides as text, and whose value the record would have."""

    record_id: str
    field: str
    rule: str
    current: str
    incoming: str
    winner: str

    def sentence(self) -> str:
        """The decision on one line."""
        return (
            f"! {self.record_id}  {self.field}: {self.current} against {self.incoming}, by {self.rule}: {self.winner}"
        )


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """New rules of an entity: the number they would have, what changes in words, and what becomes of the conflicts
    that are open: how many, which of them are decided, how many are left, and how many commands that would send.
    """

    entity: str
    number: int
    changes: tuple[str, ...]
    open: int = 0
    left: int = 0
    commands: int = 0
    decided: tuple[Ruled, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole plan: every action, how many of each kind there are, and the rules that would change.

    `silence` says why it is not known which rules would change, where that is so.
    """

    entities: dict[str, Counts]
    actions: tuple[Action, ...]
    rules: tuple[RuleChange, ...] = ()
    silence: str = ""

    @property
    def changes(self) -> bool:
        """Whether anything would be written, decided or parked, or other rules would hold."""
        return bool(self.rules) or any(action.kind in CHANGES for action in self.actions)


def counted(records: int, rows: dict[str, int], actions: Iterable[Action]) -> Counts:
    """The counts of one entity's actions."""
    total: Counter[str] = Counter()
    by_system: dict[str, Counter[str]] = {}
    for action in actions:
        total[action.kind] += 1
        if action.system:
            by_system.setdefault(action.kind, Counter())[action.system] += 1
    return Counts(
        records=records,
        rows=rows,
        total={kind: total[kind] for kind in KINDS},
        by_system={kind: dict(found) for kind, found in by_system.items()},
    )


def limited(actions: Sequence[Action], limit: int) -> list[Action]:
    """At most `limit` actions of each entity and kind, those that ask for attention first."""
    order = {
        kind: place
        for place, kind in enumerate(("duplicate", "invalid", "conflict", "delete", "update", "create", "link"))
    }
    left: Counter[tuple[str, str]] = Counter()
    chosen = []
    for action in sorted(actions, key=lambda each: (each.entity, order[each.kind])):
        left[action.entity, action.kind] += 1
        if left[action.entity, action.kind] <= limit:
            chosen.append(action)
    return chosen


def _name(record: str) -> str:
    """A natural key of one part without the brackets that it travels in."""
    try:
        parts = msgspec.json.decode(record)
    except msgspec.DecodeError:
        return record
    return parts[0] if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], str) else record


def _shown(value: Any) -> str:
    return "nothing" if value is None else msgspec.json.encode(value).decode()
