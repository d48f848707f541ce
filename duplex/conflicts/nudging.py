"""What is out, or was refused, sent anew."""

import msgspec

from duplex import composition
from duplex.conflicts import sending
from duplex.conflicts.errors import RetryError
from duplex.conflicts.sending import Letter
from duplex.explaining import finding
from schemas.messages import Nudge
from schemas.project.loading import Loaded


class Retried(msgspec.Struct, frozen=True):
    """A record of which the merge was asked to plan anew, for one system or for all (null)."""

    record_id: str
    entity: str
    system: str | None


async def retry(loaded: Loaded, name: str, system: str | None = None, entity: str | None = None) -> list[Retried]:
    """Ask the merge to send anew what a record's systems lack: what they refused, and what they never answered.

    Returns when the request is safe in the record log. Raises RecordMissingError, RetryError, BrokerError,
    CatalogMissingError.
    """
    composed = await composition.composed(loaded)
    found = await finding.find(composed, loaded.path, name, entity)
    for each in found:
        having = composed.rules[each.entity].systems
        if system is not None and system not in having:
            raise RetryError(system, each.entity, having)
    letters = [
        Letter(each.entity, each.record_id.encode(), nudge(each.entity, each.record_id, system)) for each in found
    ]
    await sending.post(composed.kafka, composed.topics, letters)
    return [Retried(each.record_id, each.entity, system) for each in found]


def nudge(entity: str, record_id: str, system: str | None) -> Nudge:
    """The message that asks for it."""
    return Nudge(record_id=record_id, entity=entity, reason="retry", system=system)
