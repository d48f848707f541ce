"""An application in memory with its connector, notes in a dict, and the source and sink as a runner drives them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Effect, TableSpec
from connectors.remote.api import Abilities
from connectors.remote.connector import RemoteConnector
from connectors.remote.memory import MemoryApi, MemoryApplication, MemoryResource
from connectors.remote.settings import Settings, read_settings
from connectors.remote.sink import RemoteSink
from connectors.remote.source import RemoteSource
from connectors.remote.surroundings import Hook, Surroundings
from connectors.remote.values import decode
from schemas.messages import Change, Command, Result
from tests.conformance.commands import Commander

COLUMNS = {"id": "bigint", "email": "text", "name": "text", "credit": "numeric(20,2)", "labels": "text[]"}
SPEC = TableSpec(
    entity="contact",
    table="members",
    columns=("email", "name", "credit", "labels"),
    units=(("email",), ("name",), ("credit",), ("labels",)),
    match=("email",),
)
PATIENCE_S = 10.0
START_US = 1_700_000_000_000_000


class FakeClock:
    """Stands still but for sleepers, each of which it lets pass at once."""

    def __init__(self) -> None:
        self.at_us = START_US

    def now_us(self) -> int:
        self.at_us += 1
        return self.at_us

    async def sleep(self, seconds: float) -> None:
        self.at_us += int(seconds * 1e6)
        await asyncio.sleep(0)


@dataclass
class DictNotes:
    """Notes that survive the connector, not the test. `trouble` is what the next put raises."""

    values: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0
    trouble: BaseException | None = None

    def get(self, name: str) -> bytes | None:
        return self.values.get(name)

    def names(self, prefix: str) -> Sequence[str]:
        return [name for name in self.values if name.startswith(prefix)]

    async def put(self, values: Mapping[str, bytes | None]) -> None:
        await asyncio.sleep(0)
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
        self.puts += 1
        for name, value in values.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value


class SentHooks:
    """The deliveries of an application, as the bridge would have put them into Kafka."""

    def __init__(self, application: MemoryApplication) -> None:
        self._application = application
        self.acked = 0

    async def read(self) -> AsyncIterator[Sequence[Hook]]:
        place = self.acked
        while True:
            if place < len(self._application.sent):
                bodies = self._application.sent[place:]
                yield [Hook((0, place + at), str(place + at), body, {}, 0) for at, body in enumerate(bodies)]
                place += len(bodies)
            await asyncio.sleep(0)

    async def ack(self, positions: Sequence[tuple[int, int]]) -> None:
        self.acked = max(self.acked, *(offset + 1 for _, offset in positions))


@dataclass
class Bench:
    """What a test of the engine needs."""

    application: MemoryApplication
    members: MemoryResource
    notes: DictNotes
    hooks: SentHooks
    clock: FakeClock
    settings: Settings
    commands: Commander
    api: MemoryApi
    connector: RemoteConnector
    specs: Sequence[TableSpec] = (SPEC,)

    def restart(self) -> None:
        """The process ends, and another begins with the same notes."""
        self.connector = RemoteConnector("blog", {"members": self.api}, self.settings, self.clock)
        self.connector.attach(Surroundings(self.notes, self.hooks))

    def source(self) -> RemoteSource:
        return self.connector.open_source(self.specs)

    def sink(self) -> RemoteSink:
        return self.connector.open_sink(self.specs)

    async def read(self, enough: Callable[[list[Change]], bool], acked: bool = True) -> list[Change]:
        """What the source tells until that is enough; acknowledged, unless the test says otherwise."""
        source, found = self.source(), list[Change]()
        async with asyncio.timeout(PATIENCE_S), aclosing(source.read(None)) as reading:  # type: ignore[type-var]
            async for batch in reading:
                found += batch.changes
                if acked:
                    await source.ack(batch.position)
                if enough(found):
                    return found
        return found

    async def load(self) -> list[Change]:
        """The initial load."""
        return await self.read(lambda found: any(change.op == "l" for change in found))

    async def next(self, count: int = 1) -> list[Change]:
        """The next so many changes."""
        return await self.read(lambda found: len(found) >= count)

    async def quiet(self, steps: int = 40) -> list[Change]:
        """What is told while the clock runs on for a while: for what should not be told."""
        source, found, seen = self.source(), list[Change](), 0
        async with aclosing(source.read(None)) as reading:  # type: ignore[type-var]
            async for batch in reading:
                found += batch.changes
                await source.ack(batch.position)
                seen += 1
                if seen >= steps:
                    return found
        return found

    async def apply(self, *commands: Command) -> list[Effect]:
        return list(await self.sink().apply(commands))

    async def result(self, command: Command) -> Result:
        (effect,) = await self.apply(command)
        assert effect.result is not None
        return effect.result


def bench(abilities: Abilities | None = None, flows: Any = None, records: Any = None, **how: Any) -> Bench:
    """A bench with one resource, `members`; `how` are attributes of `MemoryResource`."""
    clock = FakeClock()
    application = MemoryApplication(clock_us=clock.now_us, sleep=clock.sleep)
    members = application.resource("members", COLUMNS, abilities, **how)
    flows = flows or [{"sweep": "1m"}]
    options = {"flows": {"members": flows}, "webhook": {"records": records} if records else None}
    settings = read_settings("blog", options, ["members"])
    notes, hooks = DictNotes(), SentHooks(application)
    api = MemoryApi(members)
    connector = RemoteConnector("blog", {"members": api}, settings, clock)
    made = Bench(application, members, notes, hooks, clock, settings, Commander(system="blog"), api, connector)
    made.restart()
    return made


def told(changes: Sequence[Change]) -> list[tuple[str, str]]:
    """What changes say, in short: op and local id."""
    return [(change.op, change.local_id) for change in changes]


def row(image: str | None) -> dict[str, Any]:
    """A row image decoded."""
    assert image is not None, "there is no row"
    decoded: dict[str, Any] = decode(image)
    return decoded
