"""Kafka as the connectors of this world have it: topics, notes and deliveries that outlive every process.

Whatever is sent arrives some moments later, in the order of its sender, even if the sender is no more by then; a send
that fails may have arrived or not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from connectors.errors import UnreachableError
from connectors.remote.surroundings import Hook
from tests.simulation.applications.clients import Life
from tests.simulation.applications.servers import Application

SLOWEST_S = 0.05
Put = Callable[[Mapping[str, bytes | None]], None]


class Topic:
    """One partition."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self._waiting: list[asyncio.Future[None]] = []

    def append(self, record: Any) -> None:
        """Add to the end."""
        self.records.append(record)
        self.wake()

    def wake(self) -> None:
        """Let everybody look again."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def beyond(self, count: int) -> None:
        """Returns when there are more than so many."""
        while len(self.records) <= count:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter


class Sender:
    """What one process sends, in order. `share` of the sends fail, half of them after having arrived."""

    def __init__(self, application: Application, life: Life) -> None:
        self._application = application
        self._life = life
        self._last_s = 0.0

    async def send(self, arrive: Callable[[], None]) -> None:
        """Returns when it has arrived. Raises UnreachableError; then it may have."""
        self._life.check()
        loop, chance = asyncio.get_running_loop(), self._application.chance
        fails = self._application.happens(self._application.troubles.kafka, "kafka away")
        done: asyncio.Future[None] = loop.create_future()
        # Of two things sent at once the first one arrives first.
        self._last_s = max(self._last_s + 1e-6, loop.time() + chance.uniform(0.001, SLOWEST_S))

        def happen() -> None:
            if not fails or chance.random() < 0.5:
                arrive()
            if not done.done():
                done.set_result(None)

        loop.call_at(self._last_s, happen)
        await done
        self._life.check()
        if fails:
            raise UnreachableError("kafka", "kafka", "kafka.bootstrap", "it does not answer")


class KeptNotes:
    """`Notes` of one process, over a shelf that outlives it. `on_put` hears what is put, before and after it is."""

    def __init__(
        self, shelf: dict[str, bytes], sender: Sender, on_put: Callable[[Mapping[str, bytes | None], str], None]
    ) -> None:
        self._shelf = shelf
        self._values = dict(shelf)
        self._sender = sender
        self._on_put = on_put

    def get(self, name: str) -> bytes | None:
        return self._values.get(name)

    def names(self, prefix: str) -> Sequence[str]:
        return [name for name in self._values if name.startswith(prefix)]

    async def put(self, values: Mapping[str, bytes | None]) -> None:
        changed = {name: value for name, value in values.items() if self._values.get(name) != value}
        if not changed:
            return
        self._on_put(changed, "before")
        await self._sender.send(lambda: self._arrive(changed))
        _merge(self._values, changed)

    def _arrive(self, changed: Mapping[str, bytes | None]) -> None:
        _merge(self._shelf, changed)
        self._on_put(changed, "after")


class KeptHooks:
    """`Hooks` of one process: deliveries after the last one that any process acknowledged (`done`, in a list)."""

    def __init__(self, topic: Topic, done: list[int], sender: Sender, life: Life) -> None:
        self._topic = topic
        self._done = done
        self._sender = sender
        self._life = life

    async def read(self) -> AsyncIterator[Sequence[Hook]]:
        place = self._done[0]
        while True:
            await self._topic.beyond(place)
            self._life.check()
            bodies = self._topic.records[place:]
            yield [Hook((0, place + at), str(place + at), body, {}, 0) for at, body in enumerate(bodies)]
            place += len(bodies)

    async def ack(self, positions: Sequence[tuple[int, int]]) -> None:
        last = max(offset for _, offset in positions) + 1
        await self._sender.send(lambda: self._acked(last))

    def _acked(self, last: int) -> None:
        self._done[0] = max(self._done[0], last)


def _merge(values: dict[str, bytes], changed: Mapping[str, bytes | None]) -> None:
    for name, value in changed.items():
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value
