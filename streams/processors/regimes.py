"""The rules that hold at a place in a partition: those of its last epoch, for the loads that have passed.

An `Epoch` in the log begins other rules, in this partition and from there on. Where it began and what it says are
kept in the partition's store: after a restart the same rules hold at the same place, whatever the project file says
by then. Before the first epoch, the rules that the processor was started with hold.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from schemas.errors import SchemasError
from schemas.goldens import GoldenCodec
from schemas.messages import Epoch
from schemas.project import epochs
from schemas.project.model import Entity
from schemas.topics import Topics
from streams.errors import StreamsError
from streams.mapping.rules import compile_epoch
from streams.merge.rules import Rules
from streams.processors.lenses import RowLens, row_lenses
from streams.processors.loads import Loads
from streams.processors.records import StoppingError
from streams.processors.reserved import EPOCH, EPOCHS
from streams.processors.stores import Store

Compile = Callable[[Epoch], Rules]
NONE_YET = 0


class EpochMark(msgspec.Struct, array_like=True, frozen=True):
    """An epoch of a partition: from which offset on it holds, and everything its rules are compiled from."""

    number: int
    offset: int
    fingerprint: str
    rules: str
    ts_us: int

    def message(self, entity: str) -> Epoch:
        """The message that began it, as far as rules depend on it."""
        return Epoch(
            entity=entity, number=self.number, fingerprint=self.fingerprint, rules=self.rules, ts_us=self.ts_us
        )


_decode = msgspec.msgpack.Decoder(EpochMark).decode


def mark_of(data: bytes) -> EpochMark:
    """The mark in these bytes of a store."""
    return _decode(data)


@dataclass(eq=False)
class EpochError(StoppingError):
    """Rules that this process cannot go by."""

    entity: str
    number: int
    reason: str

    def __str__(self) -> str:
        return (
            f"epoch {self.number} of {self.entity} cannot begin in this process: {self.reason}. Nothing behind it is "
            "processed until it can. Restart `duplex run` with the project file that was applied"
        )


@dataclass(frozen=True, slots=True)
class Regime:
    """Rules, and what goes with them. `rules` know of no load; `loads` gives those of a partition."""

    entity: Entity
    rules: Rules
    loads: Loads
    lenses: Mapping[str, RowLens]
    goldens: GoldenCodec


class Regimes:
    """The regimes of one entity. Safe to share between partitions: all that differs is in their stores.

    A process that sends commands goes by no rules that name a system it does not know. One that only folds what has
    been (`reads_only`) does: the system was there at that place of the log.
    """

    def __init__(
        self,
        topics: Topics,
        entity: Entity,
        rules: Rules,
        compile_rules: Compile = compile_epoch,
        *,
        reads_only: bool = False,
    ) -> None:
        self.first = rules
        self._reads_only = reads_only
        self._topics = topics
        self._compile = compile_rules
        self._by_number: dict[int, Regime] = {NONE_YET: self._regime(entity, rules)}
        self._by_bytes: dict[bytes | None, Regime] = {None: self._by_number[NONE_YET]}

    def at(self, store: Store) -> Regime:
        """What holds in a partition now. Raises EpochError."""
        found = store.get(EPOCH)
        regime = self._by_bytes.get(found)
        if regime is None:
            assert found is not None
            data = store.get(EPOCHS + b"%d" % number_of(found))
            assert data is not None
            regime = self._by_bytes[found] = self.of(mark_of(data))
        return regime

    def of(self, mark: EpochMark | None) -> Regime:
        """What holds in an epoch; None: before the first. Raises EpochError."""
        number = NONE_YET if mark is None else mark.number
        if number not in self._by_number and mark is not None:
            self._by_number[number] = self._compiled(mark.message(self.first.entity))
        return self._by_number[number]

    def switch(self, store: Store, epoch: Epoch, offset: int) -> bool:
        """Begin an epoch in this partition; False where it, or a later one, has begun already. Raises EpochError."""
        found = store.get(EPOCH)
        if epoch.number <= (NONE_YET if found is None else number_of(found)):
            return False
        mark = EpochMark(epoch.number, offset, epoch.fingerprint, epoch.rules, epoch.ts_us)
        self.of(mark)
        store.put(EPOCHS + b"%d" % epoch.number, msgspec.msgpack.encode(mark))
        store.put(EPOCH, msgspec.msgpack.encode(epoch.number))
        return True

    def _compiled(self, epoch: Epoch) -> Regime:
        try:
            rules = self._compile(epoch)
            entity = epochs.read(epoch.rules).entity
        except (SchemasError, StreamsError) as error:
            raise EpochError(epoch.entity, epoch.number, str(error).rstrip(".")) from error
        if not self._reads_only:
            self._know(epoch, rules.systems)
        return self._regime(entity, replace(rules, epoch=epoch.number))

    def _know(self, epoch: Epoch, systems: Iterable[str]) -> None:
        unknown = [system for system in systems if system not in self.first.systems]
        if unknown:
            reason = f"it names {', '.join(unknown)}, which this process does not know"
            raise EpochError(epoch.entity, epoch.number, reason)

    def _regime(self, entity: Entity, rules: Rules) -> Regime:
        goldens = GoldenCodec(self._topics.pipeline, rules.entity, entity)
        return Regime(entity, rules, Loads(rules), row_lenses(rules), goldens)


def number_of(data: bytes) -> int:
    """The number of the epoch that holds, from the store's bytes."""
    return msgspec.msgpack.decode(data, type=int)
