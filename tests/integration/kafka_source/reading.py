"""A Kafka system under test, and what its source reads."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from connectors.base import Batch, Rejected, TableSpec
from connectors.kafka.connector import KafkaConnector, connector
from connectors.kafka.source import KafkaSource
from schemas.messages import Change

PATIENCE_S = 30.0
SPEC = TableSpec("customer", "customers", ("email",), (("email",),))
PLAIN = {"format": "json", "key": ["id"], "key_format": "json", "columns": {"id": "bigint", "email": "text"}}
Enough = Callable[[Sequence[Change]], object]


def legacy(bootstrap: str, pipeline: str, topic: str, **settings: Any) -> KafkaConnector:
    """A system whose table `customers` is this topic."""
    table = {"topic": topic, **(settings or PLAIN)}
    return connector("legacy", pipeline, {"bootstrap": bootstrap, "topics": {"customers": table}})


def both(bootstrap: str, pipeline: str, **tables: str) -> KafkaConnector:
    """A system of several plain topics, by table."""
    settings = {name: {"topic": topic, **PLAIN} for name, topic in tables.items()}
    return connector("legacy", pipeline, {"bootstrap": bootstrap, "topics": settings})


class Read:
    """What a source gave: batches, as they came."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches

    @property
    def changes(self) -> list[Change]:
        return [change for batch in self.batches for change in batch.changes]

    @property
    def rejected(self) -> list[Rejected]:
        return [one for batch in self.batches for one in batch.rejected]

    @property
    def told(self) -> list[tuple[str, str, Any]]:
        """Operation, local id and e-mail of each change."""
        return [(one.op, one.local_id, _email(one.after)) for one in self.changes]


def _email(after: str | None) -> Any:
    return None if after is None else msgspec.json.decode(after).get("email")


async def read(
    system: KafkaConnector,
    enough: Enough,
    acknowledge: bool = True,
    specs: Sequence[TableSpec] = (SPEC,),
    after: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
    **given: Any,
) -> Read:
    """Read from where the group stands until there is enough. `after` says what happens once when an operation, by its
    letter, was read."""
    events = dict(after or {})
    found: list[Batch] = []
    source = KafkaSource(system.cluster, system.group, system.readers, specs, **given)
    try:
        async with asyncio.timeout(PATIENCE_S), aclosing(source.read(None)) as reading:  # type: ignore[type-var]
            async for batch in reading:
                found.append(batch)
                if acknowledge:
                    await source.ack(batch.position)
                for event in [events.pop(one.op) for one in batch.changes if one.op in events]:
                    await event()
                if enough(Read(found).changes):
                    return Read(found)
    except TimeoutError as error:
        raise AssertionError(f"there was not enough in {Read(found).told}") from error
    finally:
        await source.close()
    return Read(found)


def until(*operations: str) -> Enough:
    """Enough is when these operations were seen, in this order, perhaps among others."""

    def enough(changes: Sequence[Change]) -> bool:
        rest = iter([change.op for change in changes])
        return all(operation in rest for operation in operations)

    return enough


def row(key: int, email: str, **more: Any) -> tuple[Mapping[str, int], Mapping[str, Any]]:
    """A message of a plain topic: key and row."""
    return {"id": key}, {"id": key, "email": email, **more}
