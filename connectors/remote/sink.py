"""The sink of an application without a log: reads, compares, writes, and says what it found and what it left.

Commands of one batch run side by side, those of one record in their order. What comes of a command is noted before it
is answered, so a batch that comes again is answered from the notes, and nothing is written twice.
"""

import asyncio
from collections.abc import Sequence

import structlog

from connectors.base import Effect, TableSpec
from connectors.errors import ConnectorsError, UnreachableError
from connectors.remote import metrics
from connectors.remote.creations import Creation, TwinUnseenError
from connectors.remote.engine import Engine
from connectors.remote.intents import Ledger
from connectors.remote.parking import Parking
from connectors.remote.writes import Writer
from schemas.messages import Command, Result

log = structlog.get_logger(__name__)

TRIES = 3
PUBLISH_GRACE_S = 5.0
"""How long rows that nobody knows wait for the answer of a finished create, if nobody says when it is published."""


class RemoteSink:
    """Carries out commands, under the rules of `connectors.base.Sink`; every answer is an `Effect.result`.

    Whoever publishes the answers may say so (`reported`), so that looks at rows just created wait no longer than
    they must.
    """

    def __init__(self, engine: Engine, specs: Sequence[TableSpec], concurrency: int) -> None:
        self._engine = engine
        self._resources = engine.resources(specs)
        self._ledger = Ledger(engine.surroundings.notes, engine.number_note)
        self._places = asyncio.Semaphore(concurrency)
        self._parking = Parking(engine.system, engine.surroundings.notes)
        self._trouble: dict[str, int] = {}

    async def apply(self, commands: Sequence[Command]) -> Sequence[Effect]:
        """Carry out a batch of one partition. Raises UnreachableError; what was done by then is noted, and answered
        when the batch comes again."""
        self._ledger.begin(commands, self._parking.commands())
        lanes: dict[tuple[str, str], list[Command]] = {}
        for command in commands:
            lanes.setdefault((command.entity, command.record_id), []).append(command)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._lane(lane)) for lane in lanes.values()]
        self._engine.began.set()
        done = {command: effect for task in tasks for command, effect in task.result().items()}
        for effect in done.values():
            if isinstance(effect, ConnectorsError):
                raise effect
        await self._engine.reach.back("writing")
        self._trouble.clear()
        effects = [effect for command in commands if isinstance(effect := done[command.id], Effect)]
        return [*effects, *self._parking.unreported()]

    async def retry_parked(self) -> Sequence[Effect]:
        """Try the commands that wait because their own row makes trouble; their answers, until they are `reported`."""
        late: list[Effect] = []
        for command in self._parking.due(self._engine.clock.now_us()):
            if self._ledger.is_given_up(command):
                continue
            try:
                async with self._places:
                    effect = await self._carried_out(command)
                if not self._parking.answered(effect, command):
                    late.append(effect)
            except UnreachableError:
                self._parking.failed(command, self._engine.clock.now_us())
                self._engine.creates.end(command.entity, command.id)
        return [*self._parking.unreported(), *late]

    async def reported(self, effects: Sequence[Effect]) -> None:
        """These answers are in Kafka."""
        for effect in effects:
            if effect.result is not None:
                self._engine.creates.end(effect.result.entity, effect.command)
        await self._parking.forget([effect.command for effect in effects if effect.result is not None])

    async def close(self) -> None:
        """Nothing is held open: the application's connections are the connector's."""

    async def _lane(self, commands: Sequence[Command]) -> dict[str, Effect | ConnectorsError]:
        """The commands of one record. An error stands for the command and those behind it."""
        done: dict[str, Effect | ConnectorsError] = {}
        for place, command in enumerate(commands):
            try:
                async with self._places:
                    done[command.id] = await self._effect(command)
            except ConnectorsError as error:
                if await self._set_aside(command, error):
                    done[command.id] = Effect(command.id, None, str(error))
                    continue
                await self._engine.reach.lost("writing", error)
                return done | {one.id: error for one in commands[place:]}
        return done

    async def _set_aside(self, command: Command, error: ConnectorsError) -> bool:
        """Let a command wait whose trouble is its own; False if it is not."""
        if not isinstance(error, UnreachableError) or not await self._is_its_own(command, error):
            return False
        try:
            await self._parking.park(command, str(error), self._engine.clock.now_us())
        except UnreachableError:
            return False
        # Rows that nobody knows cannot wait for it as long as it does.
        self._engine.creates.end(command.entity, command.id)
        return True

    async def _is_its_own(self, command: Command, error: ConnectorsError) -> bool:
        """Whether the trouble is the command's own: it comes again and again, and the application works."""
        if isinstance(error, TwinUnseenError):
            return True
        self._trouble[command.id] = self._trouble.get(command.id, 0) + 1
        if self._trouble[command.id] < TRIES:
            return False
        try:
            await self._resources[command.entity].api.page(None)
        except ConnectorsError:
            return False
        return True

    async def _effect(self, command: Command) -> Effect:
        if self._ledger.is_over(command) or self._parking.holds(command):
            return Effect(command.id, None)
        if (old := self._parking.superseded(command)) is not None:
            await self._ledger.forget(old)
            await self._parking.forget([old.id])
        effect = await self._carried_out(command)
        await self._parking.carried_out(command)
        return effect

    async def _carried_out(self, command: Command) -> Effect:
        entry = self._ledger.entry(command)
        if entry is not None and entry.result is not None:
            await self._ledger.assure(command)
            return _answered(entry.result)
        resource = self._resources.get(command.entity)
        if resource is None:
            reason = f"{self._engine.system} holds no entity {command.entity} in this project"
            return Effect(command.id, "failed", reason)
        writer = Writer(self._engine, self._ledger, resource, command)
        result = await writer.carry_out(Creation(writer).attempt if command.op == "c" else writer.attempt)
        self._release(command, result)
        metrics.WRITES.labels(self._engine.system, result.outcome).inc()
        return _answered(result)

    def _release(self, command: Command, result: Result) -> None:
        """Looks wait for a create until its answer is published; if nothing was made, there is nothing to wait for."""
        if command.op != "c":
            return
        if result.left is None:
            self._engine.creates.end(command.entity, command.id)
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(PUBLISH_GRACE_S, self._engine.creates.end, command.entity, command.id)


def _answered(result: Result) -> Effect:
    return Effect(result.command, result.outcome, result.error, result)
