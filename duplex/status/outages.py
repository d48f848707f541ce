"""Which applications do not answer, from their notes: since when, what they said last, and what waits for them."""

from collections.abc import Iterable, Mapping

from connectors.remote import outages
from duplex.status.facts import Hop, Outage


def outage(system: str, notes: Mapping[str, bytes], waiting: int | None) -> Outage | None:
    """The outage of a system that is noted; None if it answers.

    `waiting` commands are not carried out. One that takes no commands is not known to be back until it is sent one: so
    that it took none once means nothing where none waits.
    """
    found = {
        side: outages.read(data) for side in outages.SIDES if (data := notes.get(outages.PREFIX + side)) is not None
    }
    if waiting == 0:
        found.pop("writing", None)
    if not found:
        return None
    newest = max(found.values(), key=lambda one: one.last_us)
    return Outage(
        system=system,
        since_us=min(one.since_us for one in found.values()),
        last_us=newest.last_us,
        reason=newest.reason,
        setting=newest.setting,
        is_read="reading" not in found,
        waiting=waiting,
    )


def waiting(system: str, hops: Iterable[Hop], parked: Iterable[int | None]) -> int | None:
    """How many commands wait for a system: not yet carried out, and set aside for their own rows' trouble."""
    behind = [hop.behind for hop in hops if hop.name == f"sink {system}"]
    return sum(behind) + sum(count or 0 for count in parked) if behind else None
