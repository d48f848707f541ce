"""From looks to changes: what of what was seen is news, and how it is told.

A look that saw the row as it was told last is not told again; nor is one that is older. What is told is marked when it
is safe in Kafka. A row that nobody knows may be the one that a create of ours makes: it waits for the creates that
were under way, and is then known.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from connectors.remote import marks, metrics
from connectors.remote.api import AnswerLostError, Found, RowRefusedError
from connectors.remote.engine import Engine, Resource
from connectors.remote.marks import UNSURE, Mark
from schemas.messages import Change, Operation

log = structlog.get_logger(__name__)

LONGEST_WAIT_S = 60.0
AT_ONCE = 8


@dataclass(slots=True)
class Piece:
    """Changes of one step, and what to note when they are safe: marks, notes, places of webhooks' deliveries."""

    changes: list[Change] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)
    notes: dict[str, bytes | None] = field(default_factory=dict)
    hooks: list[tuple[int, int]] = field(default_factory=list)


class Teller:
    """Looks at rows of one entity, and tells what is news. `loading`: its first load has not ended."""

    def __init__(self, engine: Engine, resource: Resource, loading: bool) -> None:
        self.engine = engine
        self.resource = resource
        self.loading = loading

    async def look_all(self, piece: Piece, local_ids: Sequence[str], flow: str) -> None:
        """Look at these rows singly, a few at a time. Raises UnreachableError."""
        for start in range(0, len(local_ids), AT_ONCE):
            looks = [self._look(one, flow) for one in local_ids[start : start + AT_ONCE]]
            for seen in await asyncio.gather(*looks):
                if seen is not None:
                    await self.tell(piece, *seen, flow)

    async def listed(self, piece: Piece, found: Found, number: int, page: int, flow: str) -> None:
        """Tell a row of a listing; look again at one that was written, or looked at, while the page was on its way: a
        lesser number may have seen the younger row."""
        row = (self.resource.entity, found.local_id)
        await self._unknown(found.local_id)
        was_seen = self.engine.writes.overlapped(page, row) or self._is_overtaken(found, number)
        if was_seen and not self._is_known(found):
            await self.look_all(piece, [found.local_id], flow)
        else:
            await self.tell(piece, found.local_id, found, number, flow)

    async def tell(self, piece: Piece, local_id: str, found: Found | None, number: int, flow: str) -> None:
        """Tell a look, if it is news."""
        if found is not None:
            await self._unknown(local_id)
        if found is not None and self._is_gone_by_version(local_id):
            # Whether that was before this look, or has been since, no version says: the row itself must.
            seen = await self._look(local_id, flow)
            if seen is None:
                return
            _, found, number = seen
        self._tell(piece, local_id, found, number, flow)

    def _is_gone_by_version(self, local_id: str) -> bool:
        """Whether the row was found gone, and placed behind its last known version for want of one of its own."""
        known = self.engine.marks.last_look(self.resource.entity, local_id)
        return known is not None and known.is_gone and known.versioned

    def _tell(self, piece: Piece, local_id: str, found: Found | None, number: int, flow: str) -> None:
        known = self.engine.marks.of(self.resource.entity, local_id)
        order, versioned = self.engine.order(self.resource, local_id, found, number)
        mark = self.engine.mark(self.resource, found, order, versioned)
        saw = _saw(known, mark)
        metrics.LOOKS.labels(self.engine.system, flow, saw).inc()
        if saw in ("news", "gone"):
            named = {marks.name(self.resource.entity, local_id): mark}
            self.engine.marks.expect(named)
            piece.marks |= named
            piece.changes.append(self._change(local_id, found, order))

    def _is_overtaken(self, found: Found, number: int) -> bool:
        """Whether a look that began after the listing saw something else: either may have seen the younger row."""
        known = self.engine.marks.of(self.resource.entity, found.local_id)
        if known is None or known.is_gone or known.versioned or number > known.order:
            return False
        return known.digest != self.resource.columns.digest(found.values)

    def _is_known(self, found: Found) -> bool:
        """Whether the row is as it was told last."""
        known = self.engine.marks.of(self.resource.entity, found.local_id)
        return known is not None and known.digest == self.resource.columns.digest(found.values)

    def end_of_load(self) -> Change:
        """The marker behind the last row."""
        return self._change("", None, self.engine.numbers.take(), "l")

    async def _unknown(self, local_id: str) -> None:
        """Wait for the create that has made this row; if nobody knows the row, for all that may have made it."""
        engine, entity = self.engine, self.resource.entity
        known = engine.marks.of(entity, local_id)
        is_known = known is not None and not known.is_gone
        if under_way := engine.creates.under_way(entity, local_id if is_known else None):
            try:
                async with asyncio.timeout(LONGEST_WAIT_S):
                    for over in under_way:
                        await over.wait()
            except TimeoutError:
                log.warning("a create takes very long; rows that it may have made are told", system=engine.system)

    async def _look(self, local_id: str, flow: str) -> tuple[str, Found | None, int] | None:
        engine, api = self.engine, self.resource.api
        async with engine.alone_at((self.resource.entity, local_id)):
            number = engine.numbers.take()
            try:
                found = await api.get(local_id)
            except RowRefusedError as error:
                metrics.LOOKS.labels(engine.system, flow, "refused").inc()
                log.warning("a row is not shown by its application", system=engine.system, row=local_id, why=str(error))
                return None
            except AnswerLostError as error:
                raise engine.unreachable(str(error)) from error
            await engine.reach.back("reading")
            return local_id, found, number

    def _change(self, local_id: str, found: Found | None, order: int, marker: Operation | None = None) -> Change:
        op: Operation = marker or ("d" if found is None else "r" if self.loading else "u")
        changed_us = None if found is None else found.changed_us
        return Change(
            system=self.engine.system,
            entity=self.resource.entity,
            table=self.resource.spec.table,
            incarnation=0,
            seq=order,
            op=op,
            local_id=local_id,
            after=None if found is None else self.resource.columns.image(found.values),
            types=self.resource.columns.fingerprint,
            ts_us=self.engine.clock.now_us() if changed_us is None else changed_us,
        )


def _saw(known: Mark | None, mark: Mark) -> str:
    if known is None:
        return "nothing" if mark.is_gone else "news"
    if mark.digest == known.digest:
        return "same"
    if mark.order < known.order or (mark.order == known.order and known.digest != UNSURE):
        return "older"
    return "gone" if mark.is_gone else "news"


def noted(piece: Piece, engine: Engine) -> Mapping[str, bytes | None]:
    """What to put when a piece has arrived."""
    return {**engine.marks.settled(piece.marks), **piece.notes, **engine.number_note()}
