"""The live state of one partition, and the place in the log at which it is that state: a consistent cut."""

from collections.abc import Mapping
from dataclasses import dataclass

from duplex.composition import Composition
from streams.processors import recovering
from streams.processors.settings import Hosting

RESERVED = b"\x00"


@dataclass(frozen=True, slots=True)
class Cut:
    """Everything the merge processor keeps of one partition, made from the log up to, and without, `position`.

    `position` None: it keeps nothing. `epoch` is the greatest that any owner of the partition has had.
    """

    content: Mapping[bytes, bytes]
    position: int | None
    epoch: int

    @property
    def records(self) -> Mapping[bytes, bytes]:
        """The states of records, without what the processor keeps for itself."""
        return {key: value for key, value in self.content.items() if not key.startswith(RESERVED)}


async def cut(composed: Composition, entity: str, partition: int) -> Cut:
    """The live state of a partition of an entity. Raises RecoveryError, StateEntryError, KafkaError."""
    names = composed.topics
    hosting = Hosting(kafka=composed.kafka, pipeline=names.pipeline)
    found, _ = await recovering.recover(hosting, f"merge.{entity}", names.state("merge", entity), partition)
    positions = found.positions or {}
    return Cut(found.content, positions.get(names.records(entity)), found.epoch)
