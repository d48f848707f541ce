"""The API of an application as its connector has it: a budget, requests that may be lost on either way, their meaning.

The budget is the production one (`connectors.rest.accounts`). What an answer means is judged as for any application: a
write whose answer is lost may have had its effect; only what surely had none is sent again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import ColumnInfo
from connectors.errors import UnreachableError
from connectors.http.budgets import Allowance
from connectors.remote.api import Abilities, AnswerLostError, Found, MovedError, Page, RowRefusedError, Values
from connectors.rest.accounts import Account, PatienceError
from tests.simulation.applications.draws import KEY
from tests.simulation.applications.servers import (
    Application,
    MissingError,
    RefusedError,
    Reply,
    SeenRow,
    StaleError,
)

ATTEMPTS = 4
PATIENCE_S = 600.0
CONCURRENCY = 4
BUSY = (429, 503)
DEADLY = 0.3
"""Of the writes whose connection is cut, how many because the application has died, and is away from then on."""
Work = Callable[[], Any]


@dataclass
class Life:
    """A process while it lives. Whoever belongs to one that does not is heard by nobody."""

    alive: bool = True

    def check(self) -> None:
        """Raises CancelledError in a process that is no more."""
        if not self.alive:
            raise asyncio.CancelledError


class Client:
    """`connectors.remote.api.Api`. `number` tells the number of the look that a request is for; `on_write` hears of
    every write that had an effect, before its answer is sent."""

    name = "things"
    key = ("id",)

    def __init__(
        self,
        application: Application,
        life: Life,
        number: Callable[[], int],
        clock_s: Callable[[], float],
        on_write: Callable[[], None],
    ) -> None:
        self._application = application
        self._life = life
        self._number = number
        self._clock_s = clock_s
        self._on_write = on_write
        nature = application.nature
        allowance = Allowance(nature.limit, nature.window_s)
        self._account = Account(application.name, allowance, CONCURRENCY, clock_s)
        some_row = next(iter(application.rows.values()))
        texts = [ColumnInfo(name, "text") for name in (*some_row.lens.columns, "marker")]
        self.columns: Sequence[ColumnInfo] = [ColumnInfo("id", "bigint", has_default=True), *texts]

    @property
    def abilities(self) -> Abilities:
        """What the application offers."""
        return self._application.nature.abilities

    async def page(self, cursor: str | None, since_us: int | None = None) -> Page:
        number = self._number()
        page: Page = await self._read(lambda: self._application.page(number, cursor, since_us))
        return page

    async def removed(self, since_us: int) -> Sequence[str]:
        removed: Sequence[str] = await self._read(lambda: self._application.removed(since_us))
        return removed

    async def get(self, local_id: str) -> Found | None:
        number = self._number()
        found: Found | None = await self._read(lambda: self._application.get(number, local_id))
        return found

    async def find(self, columns: Values) -> Sequence[Found]:
        if not self._application.nature.searchable and KEY in columns:
            raise NotImplementedError
        number = self._number()
        found: Sequence[Found] = await self._read(lambda: self._application.find(number, columns))
        return found

    async def create(self, values: Values, idempotency_key: str) -> Found:
        number = self._number()
        made: Found = await self._write(lambda: self._application.create(number, values, idempotency_key))
        return made

    async def update(self, before: Found, values: Values) -> Found:
        number = self._number()
        left: Found = await self._write(lambda: self._application.update(number, before, values), before.local_id)
        return left

    async def delete(self, before: Found) -> None:
        await self._write(lambda: self._application.delete(before), before.local_id)

    async def close(self) -> None:
        """Nothing is held open."""

    def found(self, payload: Any) -> Found:
        """The row that a delivery holds. Raises ValueError."""
        if not isinstance(payload, Mapping):
            raise ValueError("there is no row")
        nature, values = self._application.nature, payload["values"]
        version = payload["version"] if nature.versioned else None
        changed_us = payload["changed"] if nature.dated else None
        return SeenRow(f"[{values['id']}]", values, version, changed_us, None, payload["place"])

    async def _read(self, work: Work) -> Any:
        for attempt in range(ATTEMPTS):
            reply = await self._exchange(work, attempt)
            if reply.status == 200:
                return reply.value
        raise self._away("no answer")

    async def _write(self, work: Work, local_id: str = "") -> Any:
        for attempt in range(ATTEMPTS):
            reply = await self._exchange(work, attempt, writes=True)
            if reply.status == 200:
                return reply.value
            if reply.status == 412:
                raise MovedError(self._application.name, local_id)
            if reply.status in (404, 422):
                raise RowRefusedError(self._application.name, str(reply.value))
            if reply.status not in BUSY:
                raise AnswerLostError(self._application.name, f"status {reply.status}")
        raise self._away("it is busy")

    async def _exchange(self, work: Work, attempt: int, writes: bool = False) -> Reply:
        self._life.check()
        if attempt:
            await asyncio.sleep(0.25 * 2**attempt * self._application.chance.uniform(0.5, 1))
        try:
            async with self._account.turn(PATIENCE_S):
                reply = await self._sent(work, writes)
        except PatienceError as error:
            raise self._away(str(error)) from error
        self._life.check()
        if reply is None:
            raise self._away("the connection is refused")
        self._account.observe(reply.status, reply.headers)
        return reply

    async def _sent(self, work: Work, writes: bool) -> Reply | None:
        """The answer; None where nobody listens. The request is carried out even if its sender is no more by then."""
        self._life.check()
        loop, application = asyncio.get_running_loop(), self._application
        slow_s = application.troubles.slow_s
        answer: asyncio.Future[Reply | None] = loop.create_future()

        def serve() -> None:
            reply = self._served(work, writes)
            loop.call_later(application.chance.uniform(0.005, slow_s), _settle, answer, reply)

        loop.call_later(application.chance.uniform(0.005, slow_s), serve)
        return await answer

    def _served(self, work: Work, writes: bool) -> Reply | None:
        application, troubles = self._application, self._application.troubles
        if application.is_away:
            application.counts.add("asked while away")
            return None
        now_s = self._clock_s()
        said = application.refuse_or_count(now_s)
        if said is None or application.happens(troubles.busy, "429 out of turn"):
            return application.too_many(now_s)
        if application.happens(troubles.error_before, "error without effect"):
            return Reply(500, headers=said)
        if application.happens(troubles.cut_before, "cut without effect"):
            return Reply(0)
        reply = self._done(work, said)
        if writes and reply.status == 200:
            self._on_write()
            if application.happens(troubles.error_after, "error after effect"):
                return Reply(500, headers=said)
            if application.happens(troubles.cut_after, "cut after effect"):
                if application.happens(DEADLY, "died after effect"):
                    application.on_death()
                return Reply(0)
        return reply

    def _done(self, work: Work, said: Mapping[str, str]) -> Reply:
        try:
            return Reply(200, work(), said)
        except RefusedError as error:
            return Reply(422, str(error), said)
        except StaleError:
            return Reply(412, headers=said)
        except MissingError:
            return Reply(404, "there is no such row", said)

    def _away(self, reason: str) -> UnreachableError:
        name = self._application.name
        return UnreachableError(name, "the application", f"systems.{name}", reason)


def _settle(answer: "asyncio.Future[Reply | None]", reply: Reply | None) -> None:
    if not answer.done():
        answer.set_result(reply)
