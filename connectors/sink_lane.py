"""One partition of a command topic: decode, apply, commit, in order, again and again until it is done."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from connectors import sink_metrics
from connectors.base import Effect, Sink
from connectors.errors import ConnectorsError
from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Command, Result

log = structlog.get_logger(__name__)

BATCH_COMMANDS = 1000
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 15.0
TURNS_WAITED = 16
"""Batches of the backlog before fresh commands are tried again that could not be."""
Effects = Sequence[Effect]


class Mail(Protocol):
    """Where messages go that are no commands, and answers to commands."""

    async def put(self, record: Any, error: UndecodableError) -> None:
        """Set a record aside; returns when the broker has it. Raises KafkaError."""
        ...

    async def report(self, results: Sequence[Result]) -> None:
        """Send answers; returns when the broker has them. Raises KafkaError."""
        ...


@runtime_checkable
class Reported(Protocol):
    """A sink that wants to know when its answers are safe."""

    async def reported(self, effects: Sequence[Effect]) -> None: ...


@runtime_checkable
class Overtaking(Protocol):
    """A sink that can carry out commands before their turn, and knows them when it comes.

    Called by the task that calls `apply` for the partition. Only what is carried out now leaves a trace, and has an
    effect in the answer; all else is left as if it had not been given. Cancelling leaves all of that in effect, or
    nothing.
    """

    async def apply_ahead(self, commands: Sequence[Command]) -> Sequence[Effect]: ...


class Offsets(Protocol):
    """Where the runner's progress is kept."""

    async def commit(self, offsets: dict[TopicPartition, int]) -> None: ...


@dataclass(slots=True)
class Backoff:
    """Waits that grow, with jitter, and end at once when `stopping` is set."""

    stopping: asyncio.Event
    tries: int = 0

    async def wait(self) -> None:
        """Wait a while, longer each time, at most LONGEST_WAIT_S seconds."""
        longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self.tries, 16))
        self.tries += 1
        try:
            async with asyncio.timeout(longest_s * random.uniform(0.5, 1.0)):
                await self.stopping.wait()
        except TimeoutError:
            return


@dataclass(slots=True)
class Lane:
    """Carries out what was fetched of one partition. `progress_at` is when it last got on, in epoch seconds.

    `stopping` lets an attempt that is under way finish, and starts no other.
    """

    system: str
    place: TopicPartition
    sink: Sink
    offsets: Offsets
    outbox: Mail
    codec: Codec
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    progress_at: float = field(default_factory=time.time)
    _turns: int = 0

    async def work_ahead(self, records: Sequence[Any]) -> None:
        """Try fresh commands, whose turn has not come. Those that cannot be carried out now are left for it."""
        self._turns = max(0, self._turns - 1)
        commands, _ = self._decoded(records)
        if not commands or self._turns or not isinstance(self.sink, Overtaking):
            return
        try:
            effects = await self.sink.apply_ahead(commands)
        except (ConnectorsError, KafkaError) as error:
            self._turns = TURNS_WAITED
            log.info("fresh commands wait for their turn", system=self.system, error=str(error))
            return
        count(self.system, effects)
        sink_metrics.AHEAD.labels(self.system).inc(len(effects))
        self.progress_at = time.time()

    async def work(self, records: Sequence[Any]) -> None:
        """Apply and commit these records, batch by batch, until done or told to stop."""
        self.progress_at = time.time()
        for start in range(0, len(records), BATCH_COMMANDS):
            if self.stopping.is_set() or not await self._batch(records[start : start + BATCH_COMMANDS]):
                return
            self.progress_at = time.time()

    async def _batch(self, records: Sequence[Any]) -> bool:
        commands, bad = self._decoded(records)
        for record, error in bad:
            if await self._until_done(partial(self._put, record, error)) is None:
                return False
        effects = await self._until_done(lambda: self._carry_out(commands))
        if effects is None or await self._until_done(lambda: self._report(effects)) is None:
            return False
        await self._commit(records[-1].offset + 1)
        return True

    async def _until_done(self, attempt: Callable[[], Awaitable[Effects]]) -> Effects | None:
        """Repeat an attempt while what it needs is away; None if told to stop when it had failed."""
        backoff = Backoff(self.stopping)
        while True:
            try:
                return await attempt()
            except (ConnectorsError, KafkaError) as error:
                sink_metrics.RETRIES.labels(self.system).inc()
                log.warning(
                    "a batch of commands could not be carried out and answered, and will come again",
                    system=self.system,
                    partition=self.place.partition,
                    tries=backoff.tries + 1,
                    error=str(error),
                )
            await backoff.wait()
            if self.stopping.is_set():
                return None

    async def _carry_out(self, commands: Sequence[Command]) -> Effects:
        if not commands:
            return ()
        started = time.perf_counter()
        effects = await self.sink.apply(commands)
        sink_metrics.BATCH_SECONDS.labels(self.system).observe(time.perf_counter() - started)
        sink_metrics.BATCH_COMMANDS.labels(self.system).observe(len(commands))
        count(self.system, effects)
        return effects

    async def _report(self, effects: Effects) -> Effects:
        await report(self.outbox, self.sink, effects)
        return effects

    def _decoded(self, records: Sequence[Any]) -> tuple[list[Command], list[tuple[Any, UndecodableError]]]:
        """The commands in these, and what is none."""
        commands: list[Command] = []
        bad: list[tuple[Any, UndecodableError]] = []
        decode = self.codec.decode_as
        for record in records:
            try:
                commands.append(decode(record.value or b"", Command))
            except UndecodableError as error:
                bad.append((record, error))
        return commands, bad

    async def _put(self, record: Any, error: UndecodableError) -> Effects:
        await self.outbox.put(record, error)
        return ()

    async def _commit(self, offset: int) -> None:
        """A commit that fails costs only a repeat, which the sink's fence knows."""
        try:
            await self.offsets.commit({self.place: offset})
        except (CommitFailedError, IllegalStateError):
            log.debug("the partition is somebody else's now", partition=self.place.partition)
        except KafkaError as error:
            log.warning("progress was not committed", partition=self.place.partition, error=str(error))


async def report(outbox: Mail, sink: object, effects: Effects) -> None:
    """Send what a system without a log answered, before its commands are done with, and tell the sink that it is safe.

    Raises KafkaError.
    """
    results = [effect.result for effect in effects if effect.result is not None]
    await outbox.report(results)
    if results and isinstance(sink, Reported):
        await sink.reported(effects)


def count(system: str, effects: Sequence[Effect]) -> None:
    """Count what became of commands, and say which ones the system did not take."""
    for outcome, number in Counter(effect.outcome for effect in effects).items():
        sink_metrics.COMMANDS.labels(system, outcome or "skipped").inc(number)
    for effect in effects:
        if effect.outcome == "failed":
            log.warning("the system did not take a command", system=system, command=effect.command, error=effect.error)
