"""The demo's figures, from the databases and the topics alone: what was edited, what became of each edit."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from duplex.demo.databases import Comparison
from duplex.demo.history import History, Logged
from schemas.messages import Conflict

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The summary, with the keys of the JSON object that `duplex demo --json` prints."""

    ok: bool
    edits: int
    commands: int
    echoes: int
    conflicts: int
    lost: int
    duplicates: int
    differences: int
    p50_ms: float
    p99_ms: float
    cold_start_s: float


def fields_of(system: str, image: str | None) -> Fields | None:
    """A row image in the entity's words: written by hand, so that judging does not trust the mapping."""
    if image is None:
        return None
    row = json.loads(image, parse_float=Decimal)
    return _crm_fields(row) if system == "crm" else _erp_fields(row)


def _crm_fields(row: Mapping[str, Any]) -> Fields:
    return {
        "email": row["email"],
        "name": f"{row['first_name']} {row['last_name']}".strip(),
        "phone": row["phone"],
        "status": row["status"],
        "credit": Decimal(row["credit_limit"]),
        "birthday": row["birthday"],
        "address": [row["street"], row["city"], row["zip"]],
    }


def _erp_fields(row: Mapping[str, Any]) -> Fields:
    born = row["born"]
    return {
        "email": row["mail"],
        "name": row["full_name"],
        "phone": row["tel"],
        "status": {"L": "lead", "A": "active", "X": "former"}[row["status_code"]],
        "credit": Decimal(row["credit"]),
        "birthday": born and datetime.strptime(born, "%d.%m.%Y").date().isoformat(),
        "address": [row["addr1"], row["town"], row["postcode"]],
    }


def lost_edits(history: History) -> list[tuple[Logged, str]]:
    """Field edits that are not final, that nobody who saw them replaced, and that no conflict names."""
    final = _final_rows(history)
    named = _named(history.conflicts.values())
    by_record = defaultdict(list)
    for entry in history.edits:
        by_record[entry.record_id].append(entry)
    return [
        (entry, field)
        for entries in by_record.values()
        for entry in entries
        for field, value in _edited(entry)
        if not _survives(final[entry.record_id], field, value)
        and not any(_replaced(other, field, value) for other in entries)
        and (entry.record_id, field, _text(value)) not in named
    ]


def _final_rows(history: History) -> dict[str, dict[str, Fields | None]]:
    rows: dict[str, dict[str, Fields | None]] = defaultdict(dict)
    for entry in history.changes:
        if entry.change.origin and entry.change.origin.outcome == "failed":
            continue  # It says what was not written, and of a create that came to nothing there is no row.
        rows[entry.record_id][entry.change.system] = fields_of(entry.change.system, entry.change.after)
    return rows


def _edited(entry: Logged) -> Iterable[tuple[str, Any]]:
    before = fields_of(entry.change.system, entry.change.before)
    after = fields_of(entry.change.system, entry.change.after)
    if after is None:
        return [("$", None)]
    return [(field, value) for field, value in after.items() if before is None or before[field] != value]


def _survives(rows: Mapping[str, Fields | None], field: str, value: Any) -> bool:
    if field == "$":
        return all(row is None for row in rows.values())
    return all(row is not None and row[field] == value for row in rows.values())


def _replaced(entry: Logged, field: str, value: Any) -> bool:
    before = fields_of(entry.change.system, entry.change.before)
    after = fields_of(entry.change.system, entry.change.after)
    if before is None:
        return field == "$" and after is not None
    return field != "$" and before[field] == value and (after is None or after[field] != value)


def _named(conflicts: Iterable[Conflict]) -> set[tuple[str, str, str]]:
    found = set()
    for conflict in conflicts:
        for side in (conflict.current, conflict.incoming):
            value = None if side.value is None else json.loads(side.value, parse_float=Decimal)
            found.add((conflict.record_id, conflict.field, _text(value)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return json.dumps(value, default=str) if isinstance(value, list) else str(value)


def delays_ms(history: History) -> list[float]:
    """From a user's write to the write in the other database, for every command that an edit led to directly."""
    caused = {(entry.partition, entry.offset): entry.change.ts_us for entry in history.edits}
    delays = []
    for entry in history.echoes:
        command = history.commands.get(entry.change.origin.command) if entry.change.origin else None
        edited_us = caused.get((command.partition, command.offset)) if command else None
        if edited_us is not None:
            delays.append((entry.change.ts_us - edited_us) / 1000)
    return sorted(delays)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which this share of an ordered list lies; 0 for an empty list."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else 0.0


def summarise(history: History, comparison: Comparison, cold_start_s: float, steps_held: bool) -> Figures:
    """Count everything; `ok` only if every step landed and nothing was lost, doubled or left different."""
    lost, delays = len(lost_edits(history)), delays_ms(history)
    conflicts = [c for c in history.conflicts.values() if c.kind in ("value", "existence")]
    answered = {entry.change.origin.command for entry in history.echoes if entry.change.origin}
    sound = not lost and not comparison.duplicates and not comparison.differences
    return Figures(
        ok=steps_held and sound and bool(history.edits) and history.commands.keys() <= answered,
        edits=len(history.edits),
        commands=len(history.commands),
        echoes=len(history.echoes),
        conflicts=len(conflicts),
        lost=lost,
        duplicates=comparison.duplicates,
        differences=comparison.differences,
        p50_ms=percentile(delays, 0.5),
        p99_ms=percentile(delays, 0.99),
        cold_start_s=round(cold_start_s, 1),
    )
