"""From a record that was found to its explanation."""

import asyncio
import difflib
from collections.abc import Iterator, Sequence

from duplex.composition import Composition
from duplex.explaining import retelling
from duplex.explaining.explanation import Subject, explain
from duplex.explaining.facts import Explanation
from duplex.explaining.finding import Found
from duplex.explaining.steps import Step
from duplex.usage import UsageError
from streams.merge.values import EXISTENCE
from streams.processors import refolding

EXISTENCE_NAMES = (EXISTENCE, "existence")


class FieldMissingError(UsageError):
    """A field that the entity does not have."""

    def __init__(self, name: str, entity: str, fields: Sequence[str]) -> None:
        near = difflib.get_close_matches(name, fields, 1)
        super().__init__(
            "no such field",
            f"{name} of {entity}",
            f"{entity} has {', '.join(fields)}, and existence",
            f"Did you mean {near[0]}?" if near else "Name one of these, or none for all.",
        )


async def explained(composed: Composition, found: Found, field: str | None, history: bool) -> Explanation:
    """The explanation of a record that was found with `beside`; of one field only, if it is named.

    Raises FieldMissingError, BrokerError, LogUnreadableError, and what undecodable bytes lead to.
    """
    name = _field_name(field, found.entity, composed.rules[found.entity].fields)
    retold = await retelling.retell(composed, found)
    subject = Subject(found.record_id, found.partition, retold.live, retold.rules)
    # In a thread, as the merging was.
    whole = await asyncio.to_thread(explain, subject, list(_steps(retold.steps)), retold.missing, history)
    return whole if name is None else whole.only(name)


def _field_name(field: str | None, entity: str, fields: Sequence[str]) -> str | None:
    if field in EXISTENCE_NAMES:
        return EXISTENCE
    if field is not None and field not in fields:
        raise FieldMissingError(field, entity, fields)
    return field


def _steps(folded: Sequence[refolding.Step]) -> Iterator[Step]:
    """Those that were events of the record; what was nobody's, or was rejected, changed nothing."""
    for one in folded:
        if one.event is not None and one.after is not None and one.outcome is not None:
            yield Step(
                partition=one.record.partition,
                offset=one.record.offset,
                log_us=one.record.timestamp_ms * 1000,
                message=one.message,
                event=one.event,
                before=one.before,
                after=one.after,
                outcome=one.outcome,
                rules=one.rules,
            )
