"""Webhooks' deliveries, batch by batch: which rows they are about, and a look at each of those.

A delivery is a hint. Several about one row make one look; a row that the delivery itself holds is taken as it is only
where the project says so, the application says when it was changed, and that is later than what is known of the row.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from connectors.http.urgency import urgent
from connectors.remote import metrics
from connectors.remote.api import Found
from connectors.remote.engine import Engine
from connectors.remote.hints import Hint, HintReader
from connectors.remote.marks import Mark
from connectors.remote.surroundings import Hook
from connectors.remote.tellings import Piece, Teller

HOOKS_OF_A_PIECE = 500


@dataclass(slots=True)
class _Concerned:
    """Rows of one entity that a batch is about: to be fetched, in order; or taken from the deliveries, the last one."""

    fetched: dict[str, None] = field(default_factory=dict)
    trusted: dict[str, Found] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told of rows of one entity, and how urgent that is: the priority of its flow `webhook`."""

    teller: Teller
    priority: int


class Deliveries:
    """Goes through the deliveries of a system's webhooks. `listeners`, by entity: what is about others is passed by."""

    def __init__(self, engine: Engine, listeners: Mapping[str, Listener], reader: HintReader) -> None:
        self._engine = engine
        self._listeners = listeners
        self._reader = reader

    async def run(self, pieces: "asyncio.Queue[Piece]") -> None:
        """Look at what deliveries are about, for ever, or until there can be none. Raises UnreachableError."""
        reading = cast(Any, self._engine.surroundings.hooks.read())
        async with aclosing(reading):
            async for hooks in reading:
                for start in range(0, len(hooks), HOOKS_OF_A_PIECE):
                    await pieces.put(await self.piece(hooks[start : start + HOOKS_OF_A_PIECE]))

    async def piece(self, hooks: Sequence[Hook]) -> Piece:
        """What these deliveries lead to."""
        piece = Piece(hooks=[hook.position for hook in hooks])
        concerned: dict[str, _Concerned] = {}
        for hook in hooks:
            hints = self._reader.read(hook)
            about = [self._sort(concerned, hint) for hint in hints]
            metrics.DELIVERIES.labels(self._engine.system, "rows" if any(about) else "nothing").inc()
        for entity in sorted(concerned, key=lambda one: self._listeners[one].priority):
            with urgent(self._listeners[entity].priority):
                await self._look(piece, self._listeners[entity].teller, concerned[entity])
        return piece

    async def _look(self, piece: Piece, teller: Teller, rows: _Concerned) -> None:
        for local_id, found in rows.trusted.items():
            if local_id not in rows.fetched:
                await self._trust(piece, teller, rows, local_id, found)
        await teller.look_all(piece, list(rows.fetched), "webhook")

    def _sort(self, concerned: dict[str, _Concerned], hint: Hint) -> bool:
        """Put a row among those of its entities; False if it is of none of ours."""
        tellers = [one.teller for one in self._listeners.values() if one.teller.resource.api.name == hint.resource]
        for teller in tellers:
            rows = concerned.setdefault(teller.resource.entity, _Concerned())
            try:
                local_id = teller.resource.columns.local_id(hint.key)
            except ValueError:
                return False
            known = rows.trusted.get(local_id)
            # Deliveries overtake each other: of two rows, or where one says nothing of its age, the application tells.
            if hint.found is None or (known is not None and not _is_later(hint.found, known)):
                rows.fetched[local_id] = None
            else:
                rows.trusted[local_id] = hint.found
        return bool(tellers)

    async def _trust(self, piece: Piece, teller: Teller, rows: _Concerned, local_id: str, found: Found) -> None:
        entity = teller.resource.entity
        known = self._engine.marks.last_look(entity, local_id)
        is_plain = known is not None and not known.is_gone and _is_after(found, known)
        # Whoever is at the row has a lesser number by now, and may see a younger row.
        if is_plain and not self._engine.locks.is_taken((entity, local_id)):
            await teller.tell(piece, local_id, found, self._engine.numbers.take(), "webhook")
        else:
            rows.fetched[local_id] = None


def _is_after(found: Found, known: Mark) -> bool:
    if found.version is not None and known.versioned:
        return found.version > known.order
    return found.changed_us is not None and known.changed_us is not None and found.changed_us > known.changed_us


def _is_later(found: Found, known: Found) -> bool:
    if found.version is not None and known.version is not None:
        return found.version > known.version
    return found.changed_us is not None and known.changed_us is not None and found.changed_us > known.changed_us
