"""Postgres's own logical replication: one way, without Kafka and without a merge. The floor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from benchmarks.peers.pairs import Pair, execute, value
from benchmarks.peers.patience import eventually

LIMIT_S = 120.0


@dataclass(slots=True)
class Native:
    """A publication in the source, a subscription in the target."""

    pair: Pair
    name: str = "native"
    two_way: bool = False
    stamped: bool = True
    slot: str = field(default_factory=lambda: f"n{uuid4().hex[:8]}")

    @property
    def log(self) -> None:
        return None

    async def start(self) -> None:
        await execute(self.pair.source, f"create publication {self.slot} for table item")
        options = "copy_data = false, origin = none, streaming = off"
        subscribed = f"create subscription {self.slot} connection '{self.pair.source}' publication {self.slot}"
        await execute(self.pair.target, f"{subscribed} with ({options})")
        await self._until(active=True)

    async def pause(self) -> None:
        await execute(self.pair.target, f"alter subscription {self.slot} disable")
        await self._until(active=False)

    async def resume(self) -> None:
        await execute(self.pair.target, f"alter subscription {self.slot} enable")

    async def rest(self) -> None:
        await self.pause()

    async def wake(self) -> None:
        await self.resume()

    async def stop(self) -> None:
        await execute(self.pair.target, f"drop subscription {self.slot}")

    async def confirm(self) -> None:
        return None

    def pids(self) -> Sequence[int]:
        return ()

    def servers(self) -> Mapping[str, Sequence[int]]:
        return {}

    async def _until(self, *, active: bool) -> None:
        query = "select coalesce(bool_or(active), false) from pg_replication_slots where slot_name = $1"

        async def so() -> bool:
            return bool(await value(self.pair.source, query, self.slot)) is active

        await eventually(so, LIMIT_S, self.name, "the subscription changed", 0.05)
