"""Sweeps: list every row, compare each with what is known of it, and ask for those that the listing lacks.

The first sweep of an entity is its initial load, and ends with the marker. A sweep is kept in the notes page by page
(the cursor, and eight bytes for each row listed), so that one that was interrupted a short while ago goes on.

A row that a complete listing lacks is not gone for that: it is asked for by itself. A listing that lacks too many rows
is no more believed than any other, only said aloud, and looked into with what is left of the budget: an application
that is half broken answers with empty pages, and nobody's rows are deleted for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec
import structlog

from connectors.errors import RefusedError
from connectors.remote import metrics
from connectors.remote.api import AnswerLostError, Page, RowRefusedError
from connectors.remote.flows import PRIORITIES, Flow
from connectors.remote.schedule import Due, due_us
from connectors.remote.surroundings import ASKED
from connectors.remote.tellings import Piece, Teller

log = structlog.get_logger(__name__)

RESUMED_WITHIN_US = 15 * 60 * 1_000_000
ASKED_AT_ONCE = 32
LAST_PRIORITY = 9
LOAD_PRIORITY = 2
ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Doubt:
    """When a listing lacks too much: at least this share of the known rows, and at least so many."""

    share: float = 0.2
    rows: int = 10

    def about(self, missing: int, known: int, listed: int) -> bool:
        """Whether a listing is doubted."""
        return (listed == 0 and missing > 0) or (missing >= self.rows and missing > self.share * known)


class Progress(msgspec.Struct, array_like=True):
    """A sweep under way, as it is noted: `page` pages were read, `number` is that of its first look, `priority` that of
    the flow that began it."""

    started_us: int
    number: int
    cursor: str | None = None
    page: int = 0
    is_listed: bool = False
    priority: int = PRIORITIES["sweep"]


class Loaded(msgspec.Struct, array_like=True):
    """An entity whose load has ended: when it began, and the last change that it saw by the application's clock."""

    started_us: int
    changed_us: int | None = None


_encode = msgspec.msgpack.Encoder().encode
_progress = msgspec.msgpack.Decoder(Progress)
_loaded = msgspec.msgpack.Decoder(Loaded)


@dataclass(slots=True)
class _Running:
    progress: Progress
    seen: set[bytes] = field(default_factory=set)
    missing: list[str] | None = None
    is_doubted: bool = False
    is_resumed: bool = False


class Sweep:
    """The sweeps of one entity. `flows` are those that start one, and `manual`; none: only the load, and when asked to,
    which is what `manual` alone comes to as well."""

    def __init__(self, teller: Teller, flows: tuple[Flow, ...], doubt: Doubt) -> None:
        self._teller = teller
        self._flows = flows
        self._doubt = doubt
        self._entity = teller.resource.entity
        self._notes = teller.engine.surroundings.notes
        self._last_us = _number(self._notes.get(f"swept/{self._entity}"))
        self._begun_us: int | None = None
        self._changed_us: int | None = None
        self._running = self._resumed()

    def due(self, now_us: int) -> Due | None:
        """What there is to do, at which time."""
        if self._running is not None:
            # It may have begun by a clock that has been set back since.
            return Due(min(self._running.progress.started_us, now_us), self._priority(self._running))
        if self._teller.loading:
            return Due(now_us, LOAD_PRIORITY)
        asked_us = self._asked_us()
        if asked_us is not None:
            return Due(min(asked_us, now_us), self._asked_priority())
        times = [(due_us(flow, self._last(), now_us), flow.priority) for flow in self._flows]
        return min((Due(at, priority) for at, priority in times if at is not None), key=_when, default=None)

    async def step(self) -> Piece:
        """One page, or some of the rows that were missing. Raises UnreachableError."""
        piece = Piece()
        if self._running is None:
            self._running = self._begun(piece)
        if not self._running.progress.is_listed:
            await self._page(piece, self._running)
        else:
            await self._ask(piece, self._running)
        return piece

    def _priority(self, running: _Running) -> int:
        """That of what began it; or of what somebody asks for meanwhile, and which has to wait for its end."""
        if running.is_doubted:
            return LAST_PRIORITY
        if self._teller.loading or self._asked_us() is None:
            return running.progress.priority
        return min(running.progress.priority, self._asked_priority())

    def _asked_priority(self) -> int:
        return next((flow.priority for flow in self._flows if flow.kind == "manual"), PRIORITIES["manual"])

    def _last(self) -> int | None:
        return self._last_us if self._last_us is not None else self._begun_us

    def _asked_us(self) -> int | None:
        """When somebody asked for a sweep that has not begun since."""
        name = self._teller.resource.spec.table
        asked = [_number(self._notes.get(note)) for note in (f"{ASKED}{name}", ASKED)]
        last_us = max((one for one in asked if one is not None), default=None)
        return None if last_us is None or last_us <= (self._last() or 0) else last_us

    # --- listing

    def _begun(self, piece: Piece) -> _Running:
        now_us = self._teller.engine.clock.now_us()
        due = self.due(now_us)
        self._begun_us = self._last_us = now_us
        piece.notes |= dict.fromkeys(self._notes.names(f"seen/{self._entity}/"))
        priority = PRIORITIES["sweep"] if due is None else due.priority
        return _Running(Progress(now_us, self._teller.engine.numbers.take(), priority=priority))

    async def _page(self, piece: Piece, running: _Running) -> None:
        engine, progress = self._teller.engine, running.progress
        token, number = engine.writes.page_begins(), engine.numbers.take()
        try:
            page = await self._listed(running)
            for found in page.rows:
                await self._teller.listed(piece, found, number, token, "sweep")
                self._changed_us = max(self._changed_us or 0, found.changed_us or 0) or None
        finally:
            engine.writes.page_ends(token)
        seen = [row_digest(found.local_id) for found in page.rows]
        running.seen.update(seen)
        piece.notes[f"seen/{self._entity}/{progress.page}"] = b"".join(seen)
        progress.page, progress.cursor = progress.page + 1, page.cursor
        progress.is_listed = page.cursor is None
        piece.notes[f"sweep/{self._entity}"] = _encode(progress)
        if progress.is_listed:
            self._compare(running)
            if not running.missing:
                self._end(piece, running)

    async def _listed(self, running: _Running) -> Page:
        metrics.STEPS.labels(self._teller.engine.system, "sweep").inc()
        try:
            return await self._teller.resource.api.page(running.progress.cursor)
        except AnswerLostError as error:
            raise self._teller.engine.unreachable(str(error)) from error
        except (RowRefusedError, RefusedError):
            if not running.is_resumed or running.progress.cursor is None:
                raise
            # The cursor is of another day: the listing begins anew.
            log.info("a listing cannot be resumed, and begins anew", entity=self._entity)
            running.is_resumed, running.progress.cursor = False, None
            return await self._listed(running)

    # --- what the listing lacks

    def _compare(self, running: _Running) -> None:
        known = list(self._teller.engine.marks.rows(self._entity))
        running.missing = [one for one in known if row_digest(one) not in running.seen and not self._is_young(one)]
        running.is_doubted = self._doubt.about(len(running.missing), len(known), len(running.seen))
        if running.is_doubted:
            system = self._teller.engine.system
            metrics.DOUBTED.labels(system).inc()
            log.warning(
                "a listing lacks so many rows that it is not believed; each of them is asked for",
                system=system, entity=self._entity, known=len(known), missing=len(running.missing),
            )  # fmt: skip

    def _is_young(self, local_id: str) -> bool:
        """Whether a row was seen by other ways since the sweep began."""
        mark = self._teller.engine.marks.of(self._entity, local_id)
        assert self._running is not None
        return mark is not None and not mark.versioned and mark.order > self._running.progress.number

    async def _ask(self, piece: Piece, running: _Running) -> None:
        if running.missing is None:
            self._compare(running)
        asked, running.missing = (running.missing or [])[:ASKED_AT_ONCE], (running.missing or [])[ASKED_AT_ONCE:]
        await self._teller.look_all(piece, asked, "sweep")
        if not running.missing:
            self._end(piece, running)

    def _end(self, piece: Piece, running: _Running) -> None:
        names = [f"seen/{self._entity}/{page}" for page in range(running.progress.page)]
        piece.notes |= dict.fromkeys((*names, f"sweep/{self._entity}"))
        piece.notes[f"swept/{self._entity}"] = str(running.progress.started_us).encode()
        if self._teller.loading:
            piece.changes.append(self._teller.end_of_load())
            piece.notes[f"loaded/{self._entity}"] = _encode(Loaded(running.progress.started_us, self._changed_us))
            self._teller.loading = False
        self._running = None

    def _resumed(self) -> _Running | None:
        data = self._notes.get(f"sweep/{self._entity}")
        if data is None:
            return None
        progress = _progress.decode(data)
        if self._teller.engine.clock.now_us() - progress.started_us > RESUMED_WITHIN_US:
            return None
        self._last_us = progress.started_us
        seen = {one for page in range(progress.page) for one in self._seen(page)}
        return _Running(progress, seen, is_resumed=True)

    def _seen(self, page: int) -> Iterator[bytes]:
        data = self._notes.get(f"seen/{self._entity}/{page}") or b""
        yield from (data[start : start + ID_BYTES] for start in range(0, len(data), ID_BYTES))


def loaded(data: bytes | None) -> Loaded | None:
    """What is noted of an entity's load; None: it has not ended."""
    return None if data is None else _loaded.decode(data)


def row_digest(local_id: str) -> bytes:
    """Eight bytes for a row, to tell which ones a listing had."""
    return blake2b(local_id.encode(), digest_size=ID_BYTES).digest()


def _number(data: bytes | None) -> int | None:
    return None if data is None else int(data)


def _when(due: Due) -> tuple[int, int]:
    return due.since_us, due.priority
