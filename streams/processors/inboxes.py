"""What was fetched for a partition and is not processed yet.

One reader takes everything out of the service's consumer as it comes and puts it here. It has to: aiokafka sends no
fetch to a broker while records of any of its partitions lie unread, so a partition that is busy with a batch would
keep the others waiting. A partition that falls behind is paused, and goes on before its inbox is empty.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition


class Inbox:
    """Messages by input topic. `room` is how many may wait before no more are fetched; one fetch may exceed it."""

    def __init__(self, consumer: Any, sources: Sequence[TopicPartition], room: int) -> None:
        self._consumer = consumer
        self._waiting: dict[TopicPartition, deque[Any]] = {source: deque() for source in sources}
        self._room = room
        self._count = 0
        self._paused = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return self._count

    def put(self, source: TopicPartition, messages: Sequence[Any]) -> None:
        """Add what was fetched next of an input."""
        self._waiting[source].extend(messages)
        self._count += len(messages)
        if self._count > self._room and not self._paused:
            self._paused = True
            self._consumer.pause(*self._waiting)
        self._wake()

    def fail(self, error: Exception) -> None:
        """The next `take` raises this."""
        self._error = error
        self._wake()

    def clear(self) -> None:
        """Forget everything; what is fetched from now on is wanted, unless the consumer was told otherwise."""
        for waiting in self._waiting.values():
            waiting.clear()
        self._count, self._paused, self._error = 0, False, None

    async def take(self, most: int, timeout_s: float) -> list[Any]:
        """At most so many messages, each input's in order; none if nothing came in time. Raises what `fail` was given.

        The inputs' own order, whatever order the fetches came in.
        """
        if not self._count and self._error is None:
            await self._wait(timeout_s)
        error, self._error = self._error, None
        if error is not None:
            raise error
        taken: list[Any] = []
        for waiting in self._waiting.values():
            taken += _first(waiting, most - len(taken))
        self._count -= len(taken)
        if self._paused and self._count <= self._room // 2:
            self._paused = False
            self._consumer.resume(*self._waiting)
        return taken

    async def _wait(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout_s, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _first(waiting: deque[Any], most: int) -> list[Any]:
    if len(waiting) <= most:
        taken = list(waiting)
        waiting.clear()
        return taken
    return [waiting.popleft() for _ in range(most)]
