"""The source of an application without a log: sweeps, polls, lists of removed rows and webhooks, as one order of looks.

Two tasks work side by side: one goes through what is due by the clock, step by step, the most urgent first; the other
takes webhooks' deliveries as they come. Everything that must survive is in the notes, and is put there only when what
led to it is safe in Kafka: so `read` begins anew at any time, and only repeats.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import structlog

from connectors.base import Batch, TableSpec
from connectors.ending import end
from connectors.errors import RefusedError, UnreachableError
from connectors.http.urgency import urgent
from connectors.remote.deliveries import Deliveries, Listener
from connectors.remote.engine import Engine, Resource
from connectors.remote.hints import HintReader
from connectors.remote.intents import Ledger
from connectors.remote.polls import Doubts, Poll, Removals
from connectors.remote.schedule import Due, first
from connectors.remote.settings import Settings
from connectors.remote.sweeps import Sweep, loaded
from connectors.remote.tellings import Piece, Teller, noted
from schemas.heartbeats import beat

log = structlog.get_logger(__name__)

PIECES_WAITING = 4
IDLE_S = 1.0
SINK_WAIT_S = 5.0


class Job(Protocol):
    """Something that is due at times, and done step by step."""

    def due(self, now_us: int) -> Due | None: ...

    async def step(self) -> Piece: ...


class RemoteSource:
    """Reads an application, under the rules of `connectors.base.Source`; positions are pieces of work."""

    def __init__(self, engine: Engine, specs: Sequence[TableSpec], settings: Settings) -> None:
        self._engine = engine
        self._resources = engine.resources(specs)
        self._settings = settings
        self._hints = HintReader(engine.system, settings.records, engine.apis)
        self._loop_name = f"source-{engine.system}"

    async def read(self, after: Any | None) -> AsyncIterator[Batch]:
        """Looks that are news, in batches, for ever. Raises UnreachableError."""
        engine = self._engine
        engine.marks.forget_under_way()
        await self._sink_first()
        tellers = {entity: self._teller(resource) for entity, resource in self._resources.items()}
        pieces: asyncio.Queue[Piece] = asyncio.Queue(PIECES_WAITING)
        works = [self._by_clock(tellers, pieces)]
        if listeners := self._listeners(tellers):
            works.append(Deliveries(engine, listeners, self._hints).run(pieces))
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            while True:
                piece = await self._next(pieces, tasks)
                if piece.changes:
                    await engine.before_telling(piece.marks)
                yield Batch(piece.changes, piece)
        except (UnreachableError, RefusedError) as error:
            await engine.reach.lost("reading", error)
            raise
        finally:
            await end(tasks)

    async def ack(self, position: Piece) -> None:
        """Note what a piece of work came to, and let go of the deliveries that it was made of."""
        surroundings = self._engine.surroundings
        values = dict(noted(position, self._engine))
        if position.marks or position.notes:
            await surroundings.notes.put(values)
        if position.hooks:
            await surroundings.hooks.ack(position.hooks)

    async def close(self) -> None:
        """Nothing is held open: the application's connections are the connector's."""

    def _teller(self, resource: Resource) -> Teller:
        note = self._engine.surroundings.notes.get(f"loaded/{resource.entity}")
        return Teller(self._engine, resource, loaded(note) is None)

    async def _sink_first(self) -> None:
        """Let the sink finish what was under way when the last process ended, if there is anything; for a while."""
        engine = self._engine
        if not engine.surroundings.writing or engine.began.is_set():
            return
        if Ledger(engine.surroundings.notes).unfinished():
            try:
                async with asyncio.timeout(SINK_WAIT_S):
                    await engine.began.wait()
            except TimeoutError:
                log.warning("commands that were under way did not come again", system=engine.system)

    async def _by_clock(self, tellers: dict[str, Teller], pieces: "asyncio.Queue[Piece]") -> None:
        """Do what is due, one step at a time."""
        jobs, steps = self._jobs(tellers), 0
        while True:
            now_us = self._engine.clock.now_us()
            waiting = [(job, due) for job in jobs if (due := job.due(now_us)) is not None]
            ready = [(job, due) for job, due in waiting if due.since_us <= now_us]
            place = first([due for _, due in ready], steps)
            beat(self._loop_name)
            if place is None:
                soonest_us = min((due.since_us for _, due in waiting), default=now_us + 60_000_000)
                await self._engine.clock.sleep(min(IDLE_S, (soonest_us - now_us) / 1e6))
                continue
            steps += 1
            job, due = ready[place]
            with urgent(due.priority):
                piece = await job.step()
            await self._engine.reach.back("reading")
            if piece.changes or piece.marks or piece.notes:
                await pieces.put(piece)

    def _listeners(self, tellers: dict[str, Teller]) -> dict[str, Listener]:
        """Who takes deliveries, by entity."""
        found = {entity: (one, self._settings.webhook_of(one.resource.api)) for entity, one in tellers.items()}
        return {entity: Listener(one, flow.priority) for entity, (one, flow) in found.items() if flow is not None}

    def _jobs(self, tellers: dict[str, Teller]) -> list[Job]:
        jobs: list[Job] = []
        for teller in tellers.values():
            api = teller.resource.api
            flows = self._settings.flows_of(api)
            jobs.append(
                Sweep(teller, tuple(one for one in flows if one.kind in ("sweep", "manual")), self._settings.doubt)
            )
            jobs.append(Doubts(teller))
            jobs += [Poll(teller, flow) for flow in flows if flow.kind == "poll"]
            jobs += [Removals(teller, flow) for flow in flows if flow.kind == "removed"]
        return jobs

    async def _next(self, pieces: "asyncio.Queue[Piece]", tasks: Sequence["asyncio.Future[None]"]) -> Piece:
        """The next piece of work; raises what ended a task."""
        taking = asyncio.ensure_future(pieces.get())
        try:
            while not taking.done():
                # Also one that ended while nobody waited here.
                for task in tasks:
                    if task.done():
                        task.result()
                waited: list[asyncio.Future[Any]] = [taking, *(task for task in tasks if not task.done())]
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            return taking.result()
        finally:
            taking.cancel()
