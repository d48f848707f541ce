"""Which conflicts are meant: by their plain attributes, and by a condition over them in CEL."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from duplex.conflicts.book import Entry
from duplex.conflicts.errors import ConditionError
from schemas.messages import Side

Standing = Literal["open", "decided", "all"]
BOUND = re.compile(r"\.(?:all|exists|exists_one|existsOne|map|filter)\(\s*(\w+)\s*,")


Fact = Callable[[Entry, int], Any]
FACTS: dict[str, Fact] = {
    "id": lambda entry, _: entry.id,
    "record": lambda entry, _: entry.last.record_id,
    "entity": lambda entry, _: entry.last.entity,
    "field": lambda entry, _: entry.last.field,
    "kind": lambda entry, _: entry.last.kind,
    "rule": lambda entry, _: entry.last.rule,
    "winner": lambda entry, _: entry.last.winner,
    "state": lambda entry, _: "open" if entry.open else "decided",
    "detail": lambda entry, _: entry.last.detail,
    "version": lambda entry, _: entry.last.version,
    "since": lambda entry, _: _moment(entry.since_us),
    "due": lambda entry, _: _moment(entry.last.due_us) if entry.last.due_us else None,
    "age_s": lambda entry, now_us: (now_us - entry.since_us) / 1e6,
    "current": lambda entry, now_us: _side(entry.last.current, now_us),
    "incoming": lambda entry, now_us: _side(entry.last.incoming, now_us),
}
"""What a condition may speak of. Times are timestamps, ages seconds, values what their JSON text says."""


def _side(side: Side, now_us: int) -> dict[str, Any]:
    age_s = (now_us - side.ts_us) / 1e6
    return {"system": side.system, "value": value(side), "since": _moment(side.ts_us), "age_s": age_s}


def value(side: Side) -> Any:
    """The value of a side of a conflict; None for a row that is gone."""
    return None if side.value is None else msgspec.json.decode(side.value)


def _moment(ts_us: int) -> datetime:
    return datetime.fromtimestamp(ts_us / 1e6, UTC)


class Condition:
    """A compiled `--where`. A conflict that it cannot be asked of (a value of another type) does not match: `failed`
    counts those, and `reason` has the first's. Raises ConditionError for an expression that is wrong for all.
    """

    def __init__(self, source: str) -> None:
        import cel

        self.source, self.failed, self.reason = source, 0, ""
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ConditionError(source, " ".join(str(error).splitlines()[:1]), FACTS) from error
        used = {*self._program.variables()}
        unknown = sorted(used - {*FACTS, *BOUND.findall(source)})
        if unknown:
            raise ConditionError(source, f"there is no {', '.join(unknown)}", FACTS)
        self._facts = {name: fact for name, fact in FACTS.items() if name in used}

    def holds(self, entry: Entry, now_us: int) -> bool:
        """Whether a conflict matches. Raises ConditionError where the answer is no truth value."""
        try:
            answer = self._program.execute({name: fact(entry, now_us) for name, fact in self._facts.items()})
        except (TypeError, RuntimeError, KeyError, ValueError, IndexError) as error:
            self.failed += 1
            self.reason = self.reason or str(error)
            return False
        if not isinstance(answer, bool):
            raise ConditionError(self.source, f"it gives {answer!r}, and not true or false", FACTS)
        return answer


@dataclass(frozen=True, slots=True)
class Wanted:
    """The conflicts that a command is about; None asks nothing. `record` is the beginning of a record id; `since_us`
    and `before_us` bound when a conflict was first put on record."""

    standing: Standing = "open"
    entity: str | None = None
    field: str | None = None
    system: str | None = None
    rule: str | None = None
    kind: str | None = None
    record: str | None = None
    since_us: int | None = None
    before_us: int | None = None
    condition: Condition | None = None

    def matches(self, entry: Entry, now_us: int) -> bool:
        """Whether this conflict is meant; the condition, which costs most, is asked last."""
        return self._stands(entry) and self.asks(entry, now_us)

    def asks(self, entry: Entry, now_us: int) -> bool:
        """The same, whether it is open or decided."""
        return (
            self._plain(entry)
            and (self.since_us is None or entry.since_us >= self.since_us)
            and (self.before_us is None or entry.since_us <= self.before_us)
            and (self.condition is None or self.condition.holds(entry, now_us))
        )

    def _stands(self, entry: Entry) -> bool:
        return self.standing == "all" or entry.open == (self.standing == "open")

    def _plain(self, entry: Entry) -> bool:
        last = entry.last
        asked = ((self.entity, last.entity), (self.field, last.field), (self.rule, last.rule), (self.kind, last.kind))
        return (
            all(wanted is None or wanted == found for wanted, found in asked)
            and (self.system is None or self.system in (last.current.system, last.incoming.system))
            and (self.record is None or last.record_id.startswith(self.record))
        )

    def among(self, entries: Iterable[Entry], now_us: int) -> list[Entry]:
        """Those of these conflicts that are meant, the oldest first."""
        return sorted(self._matching(entries, now_us), key=lambda entry: (entry.since_us, entry.id))

    def _matching(self, entries: Iterable[Entry], now_us: int) -> Iterator[Entry]:
        return (entry for entry in entries if self.matches(entry, now_us))


def counted(entries: Sequence[Entry]) -> dict[str, int]:
    """How many conflicts there are of each entity and field, as `entity.field`."""
    counts: dict[str, int] = {}
    for entry in entries:
        name = f"{entry.last.entity}.{entry.last.field}"
        counts[name] = counts.get(name, 0) + 1
    return counts
