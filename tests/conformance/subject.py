"""A system under test: its tables, what its users can do, and its log as the pipeline sees it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import Any, Protocol

import msgspec
import pytest

from connectors.base import Batch, Connector, Effect, TableSpec
from schemas.messages import Change, Command
from tests.waiting import eventually

CONTACTS = TableSpec(
    entity="contact",
    table="contacts",
    columns=("email", "first_name", "last_name", "credit", "active", "details", "company"),
    units=(("email",), ("first_name", "last_name"), ("credit",), ("active",), ("details",), ("company",)),
)
COMPANIES = TableSpec(entity="company", table="companies", columns=("name",), units=(("name",),))
SPECS = (COMPANIES, CONTACTS)
PATIENCE_S = 20.0


class Subject(Protocol):
    """A system under test: its connector, and what one of its users can do. Keys are local ids."""

    connector: Connector

    async def insert(self, table: str, **values: Any) -> str: ...

    async def update(self, table: str, local_id: str, **values: Any) -> None: ...

    async def delete(self, table: str, local_id: str) -> None: ...

    async def waiting(self) -> bool:
        """Whether commands wait for a row they refer to."""
        ...


def row(image: str | None) -> dict[str, Any]:
    """A row image decoded; numbers with a point as Decimals."""
    assert image is not None, "there is no row"
    decoded: dict[str, Any] = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode(image)
    return decoded


def ids(found: Sequence[Change]) -> list[str]:
    return [change.local_id for change in found]


async def installed_with_ada(subject: Subject, **values: Any) -> str:
    """An installed system with one contact; its local id."""
    await subject.connector.install(SPECS)
    return await subject.insert("contacts", email="ada@example.org", **values)


async def apply(subject: Subject, *commands: Command) -> list[Effect]:
    return await _apply(subject, SPECS, commands)


async def apply_with(subject: Subject, spec: TableSpec, *commands: Command) -> list[Effect]:
    """Carry out commands of one entity, mapped in another way than the suite's own."""
    return await _apply(subject, (spec,), commands)


async def _apply(subject: Subject, specs: Sequence[TableSpec], commands: Sequence[Command]) -> list[Effect]:
    sink = subject.connector.open_sink(specs)
    try:
        return list(await sink.apply(commands))
    finally:
        await sink.close()


async def retry(subject: Subject) -> None:
    """Try what waits in the system again and again, until nothing does."""
    sink: Any = subject.connector.open_sink(SPECS)

    async def settled() -> bool:
        await sink.retry_parked()
        return not await subject.waiting()

    try:
        await eventually(settled, PATIENCE_S, "commands still wait")
    finally:
        await sink.close()


async def batches(subject: Subject, enough: Callable[[list[Change]], bool], acknowledged: bool = False) -> list[Batch]:
    """Read from the last acknowledged position until there is enough; acknowledge it if asked to."""
    source = subject.connector.open_source(SPECS)
    found: list[Batch] = []
    try:
        async with asyncio.timeout(PATIENCE_S), aclosing(source.read(None)) as reading:  # type: ignore[type-var]
            async for batch in reading:
                found.append(batch)
                if acknowledged:
                    await source.ack(batch.position)
                if enough([change for one in found for change in one.changes]):
                    return found
    except TimeoutError:
        pytest.fail(f"the log does not hold what was expected: {[change for one in found for change in one.changes]}")
    finally:
        await source.close()
    return found


async def changes(subject: Subject, enough: Callable[[list[Change]], bool]) -> list[Change]:
    """What `batches` reads, without the markers at the end of a load."""
    return [change for batch in await batches(subject, enough) for change in batch.changes if change.op != "l"]


async def acknowledge(subject: Subject, enough: Callable[[list[Change]], bool]) -> None:
    await batches(subject, enough, acknowledged=True)


async def entries(subject: Subject, count: int) -> list[Change]:
    """The first entries of the log itself, without what a load read."""
    found = await changes(subject, lambda found: len([change for change in found if change.op != "r"]) >= count)
    return [change for change in found if change.op != "r"][:count]


async def echo_of(subject: Subject, command: Command) -> Change:
    """The one echo of a command."""
    found = await changes(subject, lambda found: any(_is_echo(change, command) for change in found))
    (echo,) = [change for change in found if _is_echo(change, command)]
    return echo


def _is_echo(change: Change, command: Command) -> bool:
    return change.origin is not None and change.origin.command == command.id
