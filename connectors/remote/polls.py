"""Polls by time, and lists of removed rows: what changed since the last time, asked for again and again.

A poll asks once more for what changed within the overlap before the last time: a change may be committed late, or be
stamped by a clock that is slow. What is known already is not told again.
"""

from dataclasses import dataclass

from connectors.remote import metrics
from connectors.remote.api import AnswerLostError, Page
from connectors.remote.flows import Flow
from connectors.remote.looks import Row
from connectors.remote.schedule import Due, due_us
from connectors.remote.sweeps import loaded
from connectors.remote.tellings import Piece, Teller

FIRST_PRIORITY = 1


@dataclass(slots=True)
class _Asking:
    started_us: int
    since_us: int
    cursor: str | None = None
    changed_us: int | None = None


class Poll:
    """Asks for rows changed since the last time: by the application's clock where it shows it, else by ours."""

    def __init__(self, teller: Teller, flow: Flow) -> None:
        self._teller = teller
        self._flow = flow
        self._note = f"poll/{teller.resource.entity}"
        self._notes = teller.engine.surroundings.notes
        self._last_us: int | None = None
        self._reached_us = _number(self._notes.get(self._note))
        self._asking: _Asking | None = None
        self._started_us = teller.engine.clock.now_us()

    def due(self, now_us: int) -> Due | None:
        """What there is to do: nothing before the entity's load has ended."""
        if self._teller.loading:
            return None
        if self._asking is not None:
            return Due(min(self._asking.started_us, now_us), self._flow.priority)
        at = due_us(self._flow, _since(self._flow, self._last_us, self._started_us), now_us)
        return None if at is None else Due(at, self._flow.priority)

    async def step(self) -> Piece:
        """One page. Raises UnreachableError."""
        piece, engine = Piece(), self._teller.engine
        asking = self._asking or self._begun()
        self._asking = asking
        token, number = engine.writes.page_begins(), engine.numbers.take()
        try:
            page = await self._page(asking)
            for found in page.rows:
                await self._teller.listed(piece, found, number, token, "poll")
                asking.changed_us = max(asking.changed_us or 0, found.changed_us or 0) or None
        finally:
            engine.writes.page_ends(token)
        asking.cursor = page.cursor
        if page.cursor is None:
            self._end(piece, asking)
        return piece

    def _begun(self) -> _Asking:
        now_us = self._teller.engine.clock.now_us()
        self._last_us = now_us
        return _Asking(now_us, max(0, self._reached(now_us) - self._flow.overlap_us))

    def _reached(self, now_us: int) -> int:
        if self._reached_us is not None:
            return self._reached_us
        end = loaded(self._notes.get(f"loaded/{self._teller.resource.entity}"))
        if end is None:
            return self._started_us
        return min(end.started_us, end.changed_us or end.started_us)

    async def _page(self, asking: _Asking) -> Page:
        metrics.STEPS.labels(self._teller.engine.system, "poll").inc()
        try:
            return await self._teller.resource.api.page(asking.cursor, asking.since_us)
        except AnswerLostError as error:
            raise self._teller.engine.unreachable(str(error)) from error

    def _end(self, piece: Piece, asking: _Asking) -> None:
        """By the application's clock nothing is reached that it has not shown; by ours, the time of asking."""
        self._asking = None
        if asking.changed_us is not None:
            self._reached_us = max(asking.changed_us, self._reached_us or 0)
        elif not self._is_dated():
            self._reached_us = asking.started_us
        if self._reached_us is not None:
            piece.notes[self._note] = str(self._reached_us).encode()

    def _is_dated(self) -> bool:
        end = loaded(self._notes.get(f"loaded/{self._teller.resource.entity}"))
        return self._reached_us is not None if end is None else end.changed_us is not None


class Doubts:
    """Looks at rows of which the sink could not tell all. What is forgotten by a crash is found by the next sweep."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    def due(self, now_us: int) -> Due | None:
        """What there is to do."""
        return Due(now_us, FIRST_PRIORITY) if self._rows() else None

    async def step(self) -> Piece:
        """All of them. Raises UnreachableError."""
        piece, rows = Piece(), self._rows()
        await self._teller.look_all(piece, [local_id for _, local_id in rows], "doubt")
        for row in rows:
            self._teller.engine.doubtful.pop(row, None)
        return piece

    def _rows(self) -> list[Row]:
        entity = self._teller.resource.entity
        return [row for row in self._teller.engine.doubtful if row[0] == entity]


class Removals:
    """Asks for the ids of removed rows; each is asked for by itself before it is told gone."""

    def __init__(self, teller: Teller, flow: Flow) -> None:
        self._teller = teller
        self._flow = flow
        self._note = f"removed/{teller.resource.entity}"
        self._notes = teller.engine.surroundings.notes
        self._started_us = teller.engine.clock.now_us()
        self._last_us: int | None = None

    def due(self, now_us: int) -> Due | None:
        """What there is to do: nothing before the entity's load has ended."""
        if self._teller.loading:
            return None
        at = due_us(self._flow, _since(self._flow, self._last_us, self._started_us), now_us)
        return None if at is None else Due(at, self._flow.priority)

    async def step(self) -> Piece:
        """The whole list. Raises UnreachableError."""
        piece, engine = Piece(), self._teller.engine
        now_us = self._last_us = engine.clock.now_us()
        entity = self._teller.resource.entity
        end = loaded(self._notes.get(f"loaded/{entity}"))
        reached_us = _number(self._notes.get(self._note)) or (self._started_us if end is None else end.started_us)
        metrics.STEPS.labels(engine.system, "removed").inc()
        try:
            removed = await self._teller.resource.api.removed(max(0, reached_us - self._flow.overlap_us))
        except AnswerLostError as error:
            raise engine.unreachable(str(error)) from error
        known = [one for one in dict.fromkeys(removed) if (mark := engine.marks.of(entity, one)) and not mark.is_gone]
        await self._teller.look_all(piece, known, "removed")
        piece.notes[self._note] = str(now_us).encode()
        return piece


def _since(flow: Flow, last_us: int | None, started_us: int) -> int | None:
    """What a flow's times are counted from: by the clock of the day, the start of this process at first."""
    return started_us if last_us is None and flow.at is not None else last_us


def _number(data: bytes | None) -> int | None:
    return None if data is None else int(data)
