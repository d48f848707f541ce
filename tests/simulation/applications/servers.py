"""An application without a log, from within: its rows, its API, its webhooks, its count of requests, and what it does
wrong when it is asked to.

A request is a function that is carried out in one moment, while it is under way between the two (`Wire`): whoever sent
it may be gone by then.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.remote.api import Found, Page
from streams.merge.values import Row
from tests.simulation.applications.draws import Nature, Troubles
from tests.simulation.applications.rows import ThingRow

LATE_S = 90.0
WHOLE_LISTINGS = 3


@dataclass(frozen=True, slots=True)
class SeenRow(Found):
    """A row as the API gave it, with the place that it was at."""

    place: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status 0 is none at all."""

    status: int
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The application does not take this row."""


class StaleError(Exception):
    """The row is not any more as it was."""


class MissingError(Exception):
    """There is no such row."""


@dataclass
class Counts:
    """Which faults were met, by name."""

    met: dict[str, int] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """One more."""
        self.met[name] = self.met.get(name, 0) + 1


class Application:
    """See the module's text. `rows` has one for each record, by natural key; `extras` are further rows with the key of
    another, by local id. `sights` says of each look, by its number and local id, which place it saw."""

    def __init__(
        self,
        name: str,
        nature: Nature,
        chance: random.Random,
        now_us: Callable[[], int],
        counts: Counts,
    ) -> None:
        self.name = name
        self.nature = nature
        self.chance = chance
        self.now_us = now_us
        self.counts = counts
        self.troubles = Troubles()
        self.rows: dict[str, ThingRow] = {}
        self.extras: dict[str, dict[str, Any]] = {}
        self.sights: dict[tuple[int, str], int] = {}
        self.gone: list[tuple[int, str]] = []
        self.made: dict[str, str] = {}
        self.keys = self.population = 0
        self.is_away = False
        self.hooks: list[bytes] = []
        self.on_hook: Callable[[], None] = lambda: None
        self.on_death: Callable[[], None] = lambda: None
        self.on_haste: Callable[[str], None] = lambda key: None
        self.pending: dict[str, int] = {}
        self.duplicates: list[str] = []
        self.spent: list[float] = []
        self.refused_at: list[float] = []

    # --- what happens in it

    def clock_us(self) -> int:
        """Its own clock, which may be wrong."""
        return self.now_us() + self.nature.skew_us

    def next_key(self) -> int:
        """A key that no row has had."""
        self.keys += 1
        return self.keys

    def happens(self, share: float, name: str) -> bool:
        """Whether something goes wrong now; counted."""
        if share <= 0 or self.chance.random() >= share:
            return False
        self.counts.add(name)
        return True

    def tell(self, row: ThingRow, event: str) -> None:
        """A row was changed: webhooks, as far as they are sent, when they are sent."""
        local_id = row.local_id
        self.population += event != "edited"
        if event == "deleted":
            self.gone.append((self.clock_us(), local_id))
        elif event == "added" and len(row.begins) > 1:
            self.counts.add("row made anew")
        if "webhook" not in self.nature.flows or self.happens(self.troubles.lost, "webhook lost"):
            return
        if self.pending.get(local_id) and self.happens(self.troubles.coalesced, "webhooks coalesced"):
            return
        key = msgspec.json.decode(local_id)[0]
        there = None if row.row is None else self._payload(row)
        body = msgspec.json.encode({"event": event, "id": key, "row": there})
        for _ in range(2 if self.happens(self.troubles.repeated, "webhook repeated") else 1):
            self._send(local_id, body)

    def _payload(self, row: ThingRow) -> dict[str, Any]:
        return {"values": row.values(), "version": row.version, "changed": row.changed_us, "place": len(row.log)}

    def _send(self, local_id: str, body: bytes) -> None:
        delay_s = self.chance.uniform(0.01, 0.5)
        if self.happens(self.troubles.reordered, "webhooks reordered"):
            delay_s = self.chance.uniform(0.01, 8.0)
        if self.happens(self.troubles.late, "webhook late"):
            delay_s = self.chance.uniform(10.0, LATE_S)
        self.pending[local_id] = self.pending.get(local_id, 0) + 1
        asyncio.get_running_loop().call_later(delay_s, self._arrive, local_id, body)

    def _arrive(self, local_id: str, body: bytes) -> None:
        self.pending[local_id] -= 1
        self.hooks.append(body)
        self.on_hook()

    # --- how requests are counted

    def refuse_or_count(self, now_s: float) -> Mapping[str, str] | None:
        """Count a request; headers to say in the answer, where it says any. None: it is one too many."""
        nature = self.nature
        begin_s = now_s // nature.window_s * nature.window_s
        self.spent = [at_s for at_s in self.spent if at_s >= begin_s]
        if self.happens(self.troubles.others, "others used the budget"):
            self.spent += [now_s] * (nature.limit // 4)
        end_s = begin_s + nature.window_s
        if len(self.spent) >= nature.limit:
            self.refused_at.append(now_s)
            self.counts.add("429 by the limit")
            return None
        self.spent.append(now_s)
        return self.standing(end_s - now_s)

    def standing(self, left_s: float) -> Mapping[str, str]:
        """What its answers say of the limit."""
        if self.nature.telling != "headers":
            return {}
        left = max(0, self.nature.limit - len(self.spent))
        return {
            "X-RateLimit-Limit": str(self.nature.limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(int(left_s) + 1),
        }

    def too_many(self, now_s: float) -> Reply:
        """The answer to one request too many."""
        window_s = self.nature.window_s
        left_s = int((now_s // window_s + 1) * window_s - now_s) + 1
        again = {"Retry-After": str(left_s)} if self.nature.telling != "bare" else {}
        self.counts.add("429 with Retry-After" if again else "429 without Retry-After")
        return Reply(429, headers={**self.standing(left_s), **again})

    # --- what its API does

    def page(self, number: int, cursor: str | None, since_us: int | None) -> Page:
        """Part of a listing: by key, or by number from the newest on, so that rows shift while it is read."""
        # Whole listings are asked for rarely: they come empty the oftener.
        if self.happens(self.troubles.empty * (WHOLE_LISTINGS if since_us is None else 1), "page empty"):
            return Page(())
        found = [row for row in self._listed() if since_us is None or self._changed_us(row[0]) >= since_us]
        by_key = self.nature.paging == "key"
        found.sort(key=lambda row: _key(row[0]), reverse=not by_key)
        begin, _, population = (cursor or f"0/{self.population}").partition("/")
        return self._part(number, found, int(begin), int(population) != self.population)

    def _part(self, number: int, found: "list[tuple[str, SeenRow]]", begin: int, has_shifted: bool) -> Page:
        by_key = self.nature.paging == "key"
        if has_shifted and not by_key:
            self.counts.add("rows shifted between pages")
        if by_key:
            found = [row for row in found if _key(row[0]) > begin]
            part = found[: self.nature.page_size]
            end = _key(part[-1][0]) if part else 0
        else:
            found = found[begin:]
            part = found[: self.nature.page_size]
            end = begin + len(part)
        is_last = len(found) <= self.nature.page_size
        if part and self.happens(self.troubles.partial, "page partial"):
            return Page([self._noted(number, row) for _, row in part[: len(part) // 2]])
        return Page([self._noted(number, row) for _, row in part], None if is_last else f"{end}/{self.population}")

    def removed(self, since_us: int) -> list[str]:
        """Keys of rows removed since then."""
        return [local_id for at_us, local_id in self.gone if at_us >= since_us]

    def get(self, number: int, local_id: str) -> Found | None:
        """A row."""
        found = next((row for one, row in self._listed() if one == local_id), None)
        if found is None:
            return None
        if local_id not in self.extras and self.happens(self.troubles.hasty, "edited in haste"):
            delay_s = self.chance.uniform(0.001, 2 * self.troubles.slow_s)
            asyncio.get_running_loop().call_later(delay_s, self.on_haste, str(found.values["k"]))
        return self._noted(number, found)

    def find(self, number: int, wanted: Mapping[str, Any]) -> list[Found]:
        """Rows with these values."""
        if (sought := self.rows.get(str(wanted.get("k")))) is not None:
            sought.searched_at = len(sought.log)
        rows = [row for _, row in self._listed() if all(row.values.get(name) == wanted[name] for name in wanted)]
        return [self._noted(number, row) for row in rows]

    def create(self, number: int, values: Mapping[str, Any], idempotency_key: str) -> Found:
        """Make a row. Raises RefusedError."""
        if self.nature.abilities.idempotent and idempotency_key in self.made:
            again = self.get(number, self.made[idempotency_key])
            if again is not None:
                return again
        row = self.rows[str(values["k"])]
        after = row.normal({column: values.get(column) for column in row.lens.columns})
        if row.row is not None and self.nature.unique:
            raise RefusedError("the natural key is taken")
        if row.forbids(after.values()):
            raise RefusedError("a value is not allowed")
        if row.row is not None:
            return self._duplicated(row, after)
        wanted = {column: values.get(column) for column in row.lens.columns}
        self._count_alteration(wanted, after)
        row.api_writes(wanted, self.now_us(), self.clock_us(), values.get("marker"))
        self.made[idempotency_key] = row.local_id
        return self._noted(number, self._seen(row))

    def update(self, number: int, before: Found, values: Mapping[str, Any]) -> Found:
        """Set columns of a row. Raises RefusedError, StaleError, MissingError."""
        row = self._row(before)
        written = {column: value for column, value in values.items() if column in row.lens.columns}
        assert row.row is not None
        after = row.normal({**row.row, **written})
        if row.forbids(value for column, value in after.items() if value != row.row.get(column)):
            raise RefusedError("a value is not allowed")
        if not self.nature.abilities.conditional:
            row.covers(before.place if isinstance(before, SeenRow) else 0, written)
        row.repeats(written)
        row.sent.append((len(row.log) + (after != row.row), dict(written)))
        self._count_alteration(written, after)
        if after != row.row:
            row.api_writes(written, self.now_us(), self.clock_us())
        elif self.nature.touchy:
            row.touch()
        return self._noted(number, self._seen(row))

    def delete(self, before: Found) -> None:
        """Remove a row. Raises StaleError."""
        if before.local_id in self.extras:
            del self.extras[before.local_id]
            return
        try:
            row = self._row(before)
        except MissingError:
            return
        if not self.nature.abilities.conditional and isinstance(before, SeenRow):
            row.covers(before.place, dict.fromkeys(row.lens.columns))
        self.counts.add("row deleted by us")
        row.api_writes(None, self.now_us(), self.clock_us())

    def _count_alteration(self, wanted: Row, after: Row) -> None:
        if any(value != after[column] for column, value in wanted.items()):
            self.counts.add("value altered silently")

    def has_twins(self, key: str) -> bool:
        """Whether there are two rows of a record now."""
        return self.rows[key].row is not None and any(values["k"] == key for values in self.extras.values())

    def _row(self, before: Found) -> ThingRow:
        row = next((one for one in self.rows.values() if one.local_id == before.local_id), None)
        if row is None or row.row is None:
            raise MissingError
        if self.nature.abilities.conditional and before.tag != str(row.version):
            self.counts.add("moved")
            raise StaleError
        return row

    def _duplicated(self, row: ThingRow, values: Row) -> Found:
        """A second row for a record: excused only if a user made the first since it was looked for, or if there is no
        way to look for one here."""
        local_id, begin = f"[{self.next_key()}]", row.begins[row.local_id]
        self.extras[local_id] = {"id": self.keys, **values, "marker": None}
        is_users = row.log[begin - 1].act is not None
        if (is_users and begin > row.searched_at) or not (self.nature.searchable or row.is_recognised):
            row.is_twinned = True
        else:
            self.duplicates.append(str(values["k"]))
        return SeenRow(local_id, self.extras[local_id])

    def _listed(self) -> "list[tuple[str, SeenRow]]":
        there = [(row.local_id, self._seen(row)) for row in self.rows.values() if row.row is not None]
        return there + [(local_id, SeenRow(local_id, values)) for local_id, values in self.extras.items()]

    def _changed_us(self, local_id: str) -> int:
        return next((row.changed_us for row in self.rows.values() if row.local_id == local_id), 0)

    def _seen(self, row: ThingRow) -> SeenRow:
        return SeenRow(
            row.local_id,
            row.values(),
            row.version if self.nature.versioned else None,
            row.changed_us if self.nature.dated else None,
            str(row.version) if self.nature.abilities.conditional else None,
            len(row.log),
        )

    def _noted(self, number: int, found: SeenRow) -> SeenRow:
        self.sights[number, found.local_id] = found.place
        return found


def _key(local_id: str) -> int:
    return int(local_id[1:-1])
