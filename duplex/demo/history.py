"""What happened, read back from the topics: every message of the demo's pipeline, decoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from duplex import broker
from schemas.codec import Codec
from schemas.messages import Change, Command, Conflict
from schemas.topics import Topics


@dataclass(frozen=True, slots=True)
class Logged:
    """A change in the record log: the record it belongs to, and its address there."""

    record_id: str
    partition: int
    offset: int
    change: Change


@dataclass(slots=True)
class History:
    """The record log in order per record, without repeats; commands by id; conflicts by id."""

    changes: list[Logged] = field(default_factory=list)
    commands: dict[str, Command] = field(default_factory=dict)
    conflicts: dict[str, Conflict] = field(default_factory=dict)

    @property
    def edits(self) -> list[Logged]:
        """Entries that a user caused: not echoes, not rows read by the initial load."""
        return [entry for entry in self.changes if entry.change.origin is None and entry.change.op in "cud"]

    @property
    def echoes(self) -> list[Logged]:
        """Entries that a sink left."""
        return [entry for entry in self.changes if entry.change.origin is not None]


async def read(topics: Topics, entity: str, systems: Sequence[str], kafka: Mapping[str, Any]) -> History:
    """Read the pipeline's topics from beginning to end."""
    history, codec, seen = History(), Codec(), set[tuple[object, ...]]()
    names = [topics.records(entity), topics.conflicts, *(topics.commands(system) for system in systems)]
    for record in await _records(names, kafka):
        message = codec.decode(record.value or b"")
        if isinstance(message, Command):
            history.commands[message.id] = message
        elif isinstance(message, Conflict):
            history.conflicts[message.id] = message
        elif isinstance(message, Change):
            # Rows of the initial load carry the log's settled place: only with the row is it theirs alone.
            identity = (message.system, message.incarnation, message.seq, message.op == "r", message.local_id)
            if identity not in seen:
                history.changes.append(Logged((record.key or b"").decode(), record.partition, record.offset, message))
            seen.add(identity)
    return history


def sentence(found: Conflict) -> str:
    """How a conflict ended, for people."""
    kept, lost = (found.current, found.incoming) if found.winner == "current" else (found.incoming, found.current)
    return (
        f"on record as a conflict of {found.field}, decided by {found.rule}: "
        f"{kept.system}'s {kept.value} stands, {lost.system}'s {lost.value} lost"
    )


async def _records(names: Sequence[str], kafka: Mapping[str, Any]) -> list[broker.Message]:
    return [record for name in names async for batch in broker.read_all(kafka, name) for record in batch]
