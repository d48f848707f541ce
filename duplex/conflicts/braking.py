"""The deletes that the brake holds: counted, let through, or turned down."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from duplex import composition
from duplex.conflicts import reading, resolving, sending
from duplex.conflicts.book import Entry
from duplex.conflicts.conditions import Wanted
from duplex.conflicts.deciding import Choice, Signed
from duplex.conflicts.errors import BrakeError
from duplex.conflicts.resolving import Bulk, Summary
from duplex.conflicts.sending import Letter, Progress
from schemas.messages import Allowance
from schemas.project.loading import Loaded
from schemas.project.model import Project

ALLOWANCE_KEY = b"$allowance"


class Held(msgspec.Struct, frozen=True):
    """Deletes of one system that are held in one entity: how many, and between which moments they came (µs)."""

    entity: str
    system: str
    count: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What an operator lets through: at most so many deletes in all, until then (µs)."""

    deletes: int
    until_us: int


def held(entries: Sequence[Entry]) -> list[Held]:
    """The deletes that are held, by entity and system."""
    found: dict[tuple[str, str], list[int]] = {}
    for entry in entries:
        if entry.held:
            found.setdefault((entry.last.entity, entry.last.incoming.system), []).append(entry.since_us)
    return [Held(*name, len(times), min(times), max(times)) for name, times in sorted(found.items())]


async def holding(project: Project, entity: str | None = None, system: str | None = None) -> list[Entry]:
    """The deletes that are held, the oldest first. Raises BrokerError."""
    read = await reading.book(project)
    found = Wanted(entity=entity).among(read, 0)
    return [entry for entry in found if entry.held and system in (None, entry.last.incoming.system)]


def entities_of(project: Project, system: str, entity: str | None) -> list[str]:
    """The entities in which a system's deletes are meant. Raises BrakeError for names that are not there."""
    if system not in project.systems:
        raise BrakeError(f"system {system}", f"there is none of this name; there are {', '.join(project.systems)}")
    having = [name for name, each in project.entities.items() if system in each.systems]
    if entity is None:
        return having
    if entity not in having:
        raise BrakeError(f"--entity {entity}", f"{system} holds {', '.join(having)}")
    return [entity]


async def prepare(loaded: Loaded, entries: Sequence[Entry], approve: bool, signed: Signed) -> Bulk:
    """The decisions that carry these deletes out, or turn them down; nothing is sent."""
    choice = Choice(delete=True) if approve else Choice(keep=True)
    return await resolving.prepare(loaded, entries, choice, signed) if entries else Bulk()


async def allow(loaded: Loaded, entity: str, system: str, ceiling: Ceiling, signed: Signed) -> None:
    """Let deletes that are yet to come pass the brake. Raises BrokerError, CatalogMissingError."""
    composed = await composition.composed(loaded)
    letters = allowances(entity, system, ceiling, signed, composed.topics.partitions)
    await sending.post(composed.kafka, composed.topics, letters)


def allowances(entity: str, system: str, ceiling: Ceiling, signed: Signed, partitions: int) -> list[Letter]:
    """The ceiling spread evenly over the partitions of the record log: each brakes by itself."""
    share, rest = divmod(ceiling.deletes, partitions)
    return [
        Letter(entity, ALLOWANCE_KEY, _allowance(entity, system, count, ceiling.until_us, signed), partition)
        for partition in range(partitions)
        if (count := share + (partition < rest)) > 0
    ]


def _allowance(entity: str, system: str, deletes: int, until_us: int, signed: Signed) -> Allowance:
    return Allowance(
        entity=entity,
        system=system,
        deletes=deletes,
        until_us=until_us,
        allowed_by=signed.by,
        reason=signed.reason,
        ts_us=signed.at_us,
    )


async def send(loaded: Loaded, bulk: Bulk, within_s: float, progress: Progress) -> Summary:
    """Send what `prepare` made, and count what became of it. Raises BrokerError."""
    if not bulk.made:
        return resolving.summary(bulk, [])
    return await resolving.send(loaded, bulk, within_s, progress)
