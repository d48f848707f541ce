"""The bench of the cases for applications without a log: an application to judge, and a process to judge it with."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from connectors.base import Effect, TableSpec
from connectors.errors import ConnectorsError
from connectors.remote.api import AnswerLostError, Api, Found, Values
from connectors.remote.connector import RemoteConnector
from connectors.remote.engine import Clock, SystemClock
from connectors.remote.flows import Flow
from connectors.remote.settings import Settings
from connectors.remote.surroundings import ASKED, Surroundings
from connectors.remote.values import Columns
from schemas.messages import Change, Command, Result, Unit

PATIENCE_S = 120.0
FEW_REQUESTS, SHORT_WINDOW_S = 5, 1.0
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(eq=False)
class NonconformingError(ConnectorsError):
    """An application that is not as a connector needs it, or as its `Api` says it is."""

    what: str

    def __str__(self) -> str:
        return self.what


@dataclass(slots=True)
class KeptNotes:
    """Notes in memory: they outlive a connector, and no more."""

    values: dict[str, bytes] = field(default_factory=dict)

    def get(self, name: str) -> bytes | None:
        """A value as last put."""
        return self.values.get(name)

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so."""
        return [name for name in self.values if name.startswith(prefix)]

    async def put(self, values: Mapping[str, bytes | None]) -> None:
        """Keep these."""
        for name, value in values.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value


@dataclass(frozen=True, slots=True)
class Limited:
    """The resource to try, held by a connector that may send at most so many requests in any window of this length.

    Few, and a short window: a case uses them up. The connector has to keep to them itself; the application need not.
    """

    api: Callable[[], Api]
    requests: int = FEW_REQUESTS
    window_s: float = SHORT_WINDOW_S


@dataclass(slots=True)
class Bench:
    """An application to judge. `api` makes the resource to try, anew each time, as a connector would hold it.

    `sample(n)` are the values of a new row, those of different n with different natural keys (`match`); `edit(n)` are
    other values for some of its columns, all of which users may change. `spec` follows from them. Rows that the cases
    make are removed; what else the application holds is read, and left alone.
    """

    system: str
    api: Callable[[], Api]
    sample: Callable[[int], Values]
    edit: Callable[[int], Values]
    match: tuple[str, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    made: list[str] = field(default_factory=list)
    notes: KeptNotes = field(default_factory=KeptNotes)
    user: Api = field(init=False)
    columns: Columns = field(init=False)
    spec: TableSpec = field(init=False)
    offset: int = 0
    limited: Limited | None = None

    def __post_init__(self) -> None:
        self.user = self.api()
        self.columns = Columns(self.user.columns, self.user.key)
        names = tuple(dict.fromkeys((*self.sample(0), *self.edit(0))))
        units = tuple((name,) for name in names)
        self.spec = TableSpec("conforming", self.user.name, names, units, match=self.match)

    async def create(self, number: int) -> Found:
        """A user makes a row."""
        found = await self.user.create(self.columns.typed(self.sample(number)), f"conforming-{number}")
        self.made.append(found.local_id)
        return found

    async def change(self, local_id: str, values: Values) -> Found:
        """A user changes a row."""
        return await self.user.update(await self.row(local_id), self.columns.typed(values))

    async def remove(self, local_id: str) -> None:
        """A user removes a row."""
        await self.user.delete(await self.row(local_id))

    async def row(self, local_id: str) -> Found:
        """A row that must be there."""
        found = await self.user.get(local_id)
        if found is None:
            raise NonconformingError(f"row {local_id} was made, and is not there")
        return found

    def connector(self, api: Api | None = None) -> RemoteConnector:
        """A process begins; its notes are those of the last one."""
        flows = {self.user.name: (Flow("sweep", 8), Flow("manual", 2))}
        connector = RemoteConnector(self.system, {self.user.name: api or self.api()}, Settings(flows), self.clock)
        connector.attach(Surroundings(self.notes, writing=False))
        return connector

    async def read(self, enough: Callable[[list[Change]], bool], acked: bool = True) -> list[Change]:
        """What a source tells until that is enough, or until a whole sweep had nothing more."""
        connector = self.connector()
        source, found = connector.open_source([self.spec]), list[Change]()
        try:
            async with asyncio.timeout(PATIENCE_S), aclosing(cast(Any, source.read(None))) as reading:
                async for batch in reading:
                    found += batch.changes
                    if acked:
                        await source.ack(batch.position)
                    if enough(found) or f"swept/{self.spec.entity}" in batch.position.notes:
                        break
        finally:
            await connector.close()
        return found

    async def load(self) -> list[Change]:
        """The initial load."""
        return await self.read(lambda found: any(change.op == "l" for change in found))

    async def sweep(self) -> list[Change]:
        """One whole sweep, of what a user did meanwhile; about rows made here."""
        await self.notes.put({f"{ASKED}{self.user.name}": str(self.clock.now_us()).encode()})
        return [change for change in await self.read(lambda found: False) if change.local_id in self.made]

    async def apply(self, *commands: Command, api: Api | None = None) -> list[Effect]:
        """A sink carries out commands."""
        connector = self.connector(api)
        try:
            effects = list(await connector.open_sink([self.spec]).apply(commands))
        finally:
            await connector.close()
        self.made += [one.result.local_id for one in effects if one.result and one.result.local_id]
        return effects

    async def result(self, command: Command, api: Api | None = None) -> Result:
        """The answer to one command."""
        (effect,) = await self.apply(command, api=api)
        if effect.result is None:
            raise NonconformingError(f"a command was not answered: {effect.error}")
        return effect.result

    def command(self, op: Any, local_id: str | None, base: Values | None, wanted: Values | None) -> Command:
        """A command over these columns; every column is a unit of its own in an update."""
        self.offset += 1
        record = f"conforming-{self.offset}"
        pairs: list[tuple[Values | None, Values | None]] = [(base, wanted)]
        if base is not None and wanted is not None:
            pairs = [({name: base[name]}, {name: value}) for name, value in wanted.items()]
        units = tuple(Unit(base=_text(one), set=_text(other)) for one, other in pairs)
        return Command(
            id=f"{record}/{self.system}/1", record_id=record, entity=self.spec.entity, system=self.system, number=1,
            op=op, local_id=local_id, units=units, partition=0, offset=self.offset, hop=1, ts_us=1,
        )  # fmt: skip

    async def clear(self) -> None:
        """Remove what the cases made."""
        for local_id in dict.fromkeys(self.made):
            found = await self.user.get(local_id)
            if found is not None and "d" in self.user.abilities.writes:
                await self.user.delete(found)
        self.made.clear()

    async def close(self) -> None:
        """Let go of the user's connections."""
        await self.user.close()


class LosingApi:
    """An `Api` whose next write takes effect, and whose answer to it is lost."""

    def __init__(self, inner: Api) -> None:
        self._inner = inner
        self.is_losing = True
        self.name, self.key, self.columns, self.abilities = inner.name, inner.key, inner.columns, inner.abilities
        self.page, self.removed, self.get, self.find = inner.page, inner.removed, inner.get, inner.find
        self.close = inner.close

    async def create(self, values: Values, idempotency_key: str) -> Found:
        """Make a row."""
        return self._lost(await self._inner.create(values, idempotency_key))

    async def update(self, before: Found, values: Values) -> Found:
        """Set columns."""
        return self._lost(await self._inner.update(before, values))

    async def delete(self, before: Found) -> None:
        """Remove a row."""
        await self._inner.delete(before)
        self._lost(before)

    def _lost(self, found: Found) -> Found:
        if self.is_losing:
            self.is_losing = False
            raise AnswerLostError(self.name, "the answer was thrown away by a case")
        return found


def _text(values: Values | None) -> str | None:
    return None if values is None else _encode(dict(values)).decode()
