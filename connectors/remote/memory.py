"""An application in memory, with the habits of real ones: for tests, trials, and as the plainest example of an `Api`.

    blog = MemoryApplication()
    members = blog.resource("members", {"id": "bigint", "email": "text"}, Abilities(since=True))
    members.insert(email="ada@example.org")

What an application may lack or do wrong is a switch (`Habits`), and every choice is drawn from one seed.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from connectors.base import ColumnInfo
from connectors.errors import UnreachableError
from connectors.remote.api import Abilities, AnswerLostError, Found, MovedError, Page, RowRefusedError, Values
from connectors.remote.values import Columns, decode

OVERTAKING = 3


@dataclass(slots=True)
class Habits:
    """What an application does that it should not, each a probability from 0 to 1; and how it is.

    `busy`: refuses a request (429). `lost_before`, `lost_after`: a write's answer is lost, without and with its
    effect. `empty`: a listing ends at once, with nothing. `coalesce`, `repeat`, `overtake`, `drop`: webhooks of rows
    with one under way are not sent, are sent twice, out of order, never. `latency_s`: at most, of every request.
    `normalise`: what it makes of a row without saying so. `refuses`: why it does not take a row, if it does not.
    """

    busy: float = 0.0
    lost_before: float = 0.0
    lost_after: float = 0.0
    empty: float = 0.0
    coalesce: float = 0.0
    repeat: float = 0.0
    overtake: float = 0.0
    drop: float = 0.0
    latency_s: float = 0.0
    down: bool = False
    normalise: Callable[[dict[str, Any]], dict[str, Any]] = dict
    refuses: Callable[[Mapping[str, Any]], str | None] = lambda row: None


@dataclass(slots=True)
class Stored:
    """A row, how often it was changed, and when last (us)."""

    values: dict[str, Any]
    version: int
    changed_us: int


@dataclass(slots=True)
class MemoryApplication:
    """Resources, and the webhooks sent about them (`sent`: JSON bodies in the order of sending)."""

    seed: int = 0
    habits: Habits = field(default_factory=Habits)
    clock_us: Callable[[], int] = lambda: time.time_ns() // 1000
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    resources: dict[str, "MemoryResource"] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    requests: int = 0
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def resource(
        self, name: str, columns: Mapping[str, str], abilities: Abilities | None = None, **how: Any
    ) -> "MemoryResource":
        """Add a kind of row; its first column is the key. `how` are the other attributes of `MemoryResource`."""
        self.resources[name] = MemoryResource(self, name, dict(columns), abilities or Abilities(), **how)
        return self.resources[name]

    async def request(self) -> None:
        """What every request goes through. Raises UnreachableError."""
        self.requests += 1
        if self.habits.latency_s:
            await self.sleep(self.chance.uniform(0, self.habits.latency_s))
        if self.habits.down or self.happens(self.habits.busy):
            reason = "it is down" if self.habits.down else "it answered 429"
            raise UnreachableError("memory", "memory", "systems.memory", reason)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return probability > 0 and self.chance.random() < probability

    def tell(self, resource: str, event: str, local_id: str, values: Mapping[str, Any] | None) -> None:
        """Send a webhook, as far as it is sent, when it is sent."""
        key = decode(local_id)[0]
        body = msgspec.json.encode({"event": f"{resource}.{event}", "id": key, "row": values})
        habits = self.habits
        if self.happens(habits.drop) or (body in self.sent and self.happens(habits.coalesce)):
            return
        for _ in range(2 if self.happens(habits.repeat) else 1):
            back = self.chance.randint(0, OVERTAKING) if self.happens(habits.overtake) else 0
            self.sent.insert(max(0, len(self.sent) - back), body)


@dataclass(slots=True)
class MemoryResource:
    """One kind of row, as an `Api` and as its users see it (`insert`, `update`, `delete`, `rows`).

    `versioned`: every row has a version; `dated`: it says when it was changed; `searchable`: rows can be found by
    value; `unique`: columns of which no two rows may have the same values. Numbers of removed rows are not used again.
    """

    application: MemoryApplication
    name: str
    types: dict[str, str]
    abilities: Abilities
    page_size: int = 100
    versioned: bool = False
    dated: bool = True
    searchable: bool = True
    unique: tuple[str, ...] = ()
    stored: dict[str, Stored] = field(default_factory=dict)
    gone: list[tuple[int, str]] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    last: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """The first column."""
        return (next(iter(self.types)),)

    @property
    def columns(self) -> Sequence[ColumnInfo]:
        """The columns as declared; the application makes keys itself."""
        return [ColumnInfo(name, kind, has_default=name in self.key) for name, kind in self.types.items()]

    # --- what its users do

    def insert(self, **values: Any) -> str:
        """Add a row; its local id. Raises RowRefusedError."""
        key = values.get(self.key[0])
        if key is None:
            self.last += 1
            key = self.last
        local_id = self._judge().local_id([key])
        if local_id in self.stored:
            raise RowRefusedError(self.name, f"{local_id} is there already")
        self._put(local_id, dict.fromkeys(self.types) | values | {self.key[0]: key}, 0, "added")
        return local_id

    def update(self, local_id: str, **values: Any) -> None:
        """Change a row. Raises KeyError, RowRefusedError."""
        stored = self.stored[local_id]
        self._put(local_id, stored.values | values, stored.version, "edited")

    def delete(self, local_id: str) -> None:
        """Remove a row. Raises KeyError."""
        del self.stored[local_id]
        self.gone.append((self.application.clock_us(), local_id))
        self.application.tell(self.name, "deleted", local_id, None)

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows as they are, by local id."""
        return {local_id: dict(stored.values) for local_id, stored in self.stored.items()}

    def _put(self, local_id: str, values: dict[str, Any], version: int, event: str) -> None:
        row = self.application.habits.normalise(values)
        unknown = sorted(set(row) - set(self.types))
        reason = f"there is no field {unknown[0]}" if unknown else self.application.habits.refuses(row)
        if reason is None and self._is_taken(local_id, row):
            reason = f"{', '.join(self.unique)} is taken"
        if reason is not None:
            raise RowRefusedError(self.name, reason)
        self.stored[local_id] = Stored(row, version + 1, self.application.clock_us())
        self.application.tell(self.name, event, local_id, row)

    def _is_taken(self, local_id: str, row: Mapping[str, Any]) -> bool:
        others = (stored.values for other, stored in self.stored.items() if other != local_id)
        wanted = {name: row.get(name) for name in self.unique}
        return bool(wanted) and any(self._judge().same(wanted, other) for other in others)

    # --- what programs ask

    async def page(self, cursor: str | None, since_us: int | None = None) -> Page:
        """Rows by local id, after the one that the cursor names."""
        await self.application.request()
        if self.application.happens(self.application.habits.empty):
            return Page(())
        wanted = sorted(self._changed_since(since_us), key=_by_size)
        if cursor is not None:
            wanted = [local_id for local_id in wanted if _by_size(local_id) > _by_size(cursor)]
        part = wanted[: self.page_size]
        rows = [self._found(local_id) for local_id in part]
        return Page(rows, part[-1] if len(wanted) > self.page_size else None)

    async def removed(self, since_us: int) -> Sequence[str]:
        """The local ids of rows removed since then."""
        await self.application.request()
        return [local_id for at_us, local_id in self.gone if at_us >= since_us]

    async def get(self, local_id: str) -> Found | None:
        """A row as it is."""
        await self.application.request()
        return self._found(local_id) if local_id in self.stored else None

    async def find(self, columns: Values) -> Sequence[Found]:
        """Rows with these values. Raises NotImplementedError where it cannot."""
        if not self.searchable:
            raise NotImplementedError
        await self.application.request()
        judge = self._judge()
        return [self._found(name) for name, stored in self.stored.items() if judge.same(columns, stored.values)]

    async def create(self, values: Values, idempotency_key: str) -> Found:
        """Make a row; the same key makes no second one (`abilities.idempotent`)."""
        await self._write_request()
        local_id = self.made.get(idempotency_key) if self.abilities.idempotent else None
        if local_id is None or local_id not in self.stored:
            local_id = self.insert(**values)
            self.made[idempotency_key] = local_id
        self._lose_answer()
        return self._found(local_id)

    async def update_row(self, before: Found, values: Values) -> Found:
        """Set columns of a row."""
        await self._write_request()
        self._require_unmoved(before)
        if before.local_id not in self.stored:
            raise RowRefusedError(self.name, f"there is no row {before.local_id}")
        self.update(before.local_id, **values)
        self._lose_answer()
        return self._found(before.local_id)

    async def delete_row(self, before: Found) -> None:
        """Remove a row, if it is there."""
        await self._write_request()
        if before.local_id in self.stored:
            self._require_unmoved(before)
            self.delete(before.local_id)
        self._lose_answer()

    def found(self, payload: Any) -> Found:
        """The row that a webhook's payload holds. Raises ValueError."""
        if not isinstance(payload, Mapping) or self.key[0] not in payload:
            raise ValueError(f"{payload!r} is no row of {self.name}")
        local_id = self._judge().local_id([payload[self.key[0]]])
        return Found(local_id, dict(payload))

    async def _write_request(self) -> None:
        await self.application.request()
        if self.application.happens(self.application.habits.lost_before):
            raise AnswerLostError(self.name, "the connection broke")

    def _lose_answer(self) -> None:
        if self.application.happens(self.application.habits.lost_after):
            raise AnswerLostError(self.name, "the connection broke")

    def _require_unmoved(self, before: Found) -> None:
        if not self.abilities.conditional:
            return
        stored = self.stored.get(before.local_id)
        if stored is None or str(stored.version) != before.tag:
            raise MovedError(self.name, before.local_id)

    def _changed_since(self, since_us: int | None) -> Iterator[str]:
        for local_id, stored in self.stored.items():
            if since_us is None or stored.changed_us >= since_us:
                yield local_id

    def _found(self, local_id: str) -> Found:
        stored = self.stored[local_id]
        return Found(
            local_id,
            dict(stored.values),
            stored.version if self.versioned else None,
            stored.changed_us if self.dated else None,
            str(stored.version) if self.abilities.conditional else None,
        )

    def _judge(self) -> Columns:
        return Columns(self.columns, self.key)


class MemoryApi:
    """A `MemoryResource` as `connectors.remote.api.Api`: its `update` and `delete` are a program's, not a user's."""

    def __init__(self, resource: MemoryResource) -> None:
        self.resource = resource
        self.name, self.key, self.columns = resource.name, resource.key, resource.columns
        self.page, self.removed, self.get, self.find = resource.page, resource.removed, resource.get, resource.find
        self.create, self.update, self.delete = resource.create, resource.update_row, resource.delete_row
        self.found = resource.found

    @property
    def abilities(self) -> Abilities:
        """What the application offers."""
        return self.resource.abilities

    async def close(self) -> None:
        """Nothing is held open."""


def able(**abilities: Any) -> Abilities:
    """Abilities other than the standard ones."""
    return replace(Abilities(), **abilities)


def _by_size(local_id: str) -> tuple[int, str]:
    return (len(local_id), local_id)
