"""The judge of three databases: it knows what users wrote and found, what rows show at rest, what is on record.

It knows nothing of versions, echoes, commands or logs. Every value was written once, so a value tells who wrote it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from schemas.messages import Conflict
from tests.acceptance.trio.databases import EMPTY, FIELDS, SYSTEMS, Record, Write

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclass(slots=True)
class Case:
    """All that is known: writes in each database's order, the rows at rest, conflicts, and whose record each is."""

    writes: Sequence[Write]
    finals: Mapping[str, Mapping[str, Record]]
    conflicts: Iterable[Conflict]
    emails: Mapping[str, str]
    wrong: list[str] = field(default_factory=list)

    def judge(self) -> list[str]:
        """Everything that is wrong, a sentence each."""
        conflicts = list(self.conflicts)
        self.all_equal()
        self.nothing_invented()
        self.no_edit_lost(_named(conflicts))
        self.no_deletion_undone(_deletes_named(conflicts, self.emails))
        return self.wrong

    @property
    def final(self) -> Mapping[str, Record]:
        """The records as the first database shows them."""
        return self.finals[SYSTEMS[0]]

    def all_equal(self) -> None:
        """At rest every database shows the same records."""
        for system in SYSTEMS[1:]:
            mine, first = self.finals[system], self.final
            for email in sorted(mine.keys() | first.keys()):
                if mine.get(email) != first.get(email):
                    self.wrong.append(f"{system} shows {mine.get(email)}, {SYSTEMS[0]} {first.get(email)} ({email})")

    def nothing_invented(self) -> None:
        """Every value at rest, and every one that duplex ever wrote, is one that a user wrote; groups are whole."""
        known: dict[str, set[Any]] = {name: {EMPTY[name]} for name in FIELDS}
        for write in self.users():
            for name in FIELDS:
                known[name].add((write.after or EMPTY)[name])
        shown = [record for rows in self.finals.values() for record in rows.values()]
        shown += [write.after for write in self.writes if write.after is not None and not write.by_user]
        for record in shown:
            for name in FIELDS:
                if record[name] not in known[name]:
                    self.wrong.append(f"{name}={record[name]!r} of {record['email']} was written by nobody")

    def no_edit_lost(self, named: Mapping[str, set[Any]]) -> None:
        """Every edit is final, or was replaced by someone who saw it, or is on record."""
        seen = self._replaced()
        for write in self.users():
            for name, value in write.edits().items():
                final = self.final.get(write.email)
                survives = final is not None and final[name] == value
                if not (survives or value in seen[name] or _is_named(value, named[name] | named["$"])):
                    self.wrong.append(f"lost: {name}={value!r} of {write.email}, written in {write.system}")

    def no_deletion_undone(self, named: set[str]) -> None:
        """Every deletion is final, or is on record as one that lost."""
        for write in self.users():
            if write.after is None and write.email in self.final and write.email not in named:
                self.wrong.append(f"undone: the deletion of {write.email} in {write.system}")

    def users(self) -> Iterator[Write]:
        """What users wrote."""
        return (write for write in self.writes if write.by_user)

    def _replaced(self) -> dict[str, set[Any]]:
        """Values that a user found in the row, and wrote over or deleted."""
        seen: dict[str, set[Any]] = {name: set() for name in FIELDS}
        for write in self.users():
            for name in FIELDS:
                if write.before is not None and (write.after is None or write.after[name] != write.before[name]):
                    seen[name].add(write.before[name])
        return seen


def _named(conflicts: Iterable[Conflict]) -> dict[str, set[Any]]:
    """By field, every word and number on either side of a conflict; "$": those that a decision on existence names."""
    named: dict[str, set[Any]] = defaultdict(set)
    for conflict in conflicts:
        for side in (conflict.current, conflict.incoming):
            if side.value is not None:
                named[conflict.field].update(_leaves(_decode(side.value)))
    return named


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield _number(value)


def _number(value: Any) -> Any:
    """Amounts are on record as plain text: a text that is a number counts as one."""
    text = str(value)
    return Decimal(text).normalize() if text.replace(".", "", 1).isdigit() else value


def _is_named(value: Any, named: set[Any]) -> bool:
    return all(part in named for part in (value if isinstance(value, tuple) else (value,)))


def _deletes_named(conflicts: Iterable[Conflict], emails: Mapping[str, str]) -> set[str]:
    """Records of which a deletion is on record that met edits."""
    return {
        emails[conflict.record_id]
        for conflict in conflicts
        if conflict.kind == "existence" and None in (conflict.current.value, conflict.incoming.value)
    }
