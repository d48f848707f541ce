"""A record's events, merged again one by one: what explanations are made from."""

from dataclasses import dataclass
from typing import Any

from duplex.explaining.facts import EventFacts
from schemas.messages import Amendment, Change, Decision, Message, Result
from streams.merge.events import Answered, Changed, Event, Outcome
from streams.merge.rules import Rules
from streams.merge.states import Sent, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event: its place in the record log, its message, the states before and after it, and what it led to.

    `before` is the state as the event met it, None for a record of which nothing was known. `rules` held then.
    """

    partition: int
    offset: int
    log_us: int
    message: Message
    event: Event
    before: State | None
    after: State
    outcome: Outcome
    rules: Rules

    def facts(self) -> EventFacts:
        """The event as it is shown."""
        at: dict[str, Any] = {"partition": self.partition, "offset": self.offset, "log_us": self.log_us}
        message = self.message
        if isinstance(message, Change):
            return _change(message, self.event, at)
        if isinstance(message, Result):
            row: dict[str, Any] = {"system": message.system, "local_id": message.local_id, "seq": message.left_order}
            return EventFacts(kind="answer", source_us=message.ts_us, **row, **at)
        if isinstance(message, Decision):
            whose: dict[str, Any] = {"by": message.decided_by, "reason": message.reason}
            return EventFacts(kind="decision", source_us=message.ts_us, **whose, **at)
        if isinstance(message, Amendment):
            whose = {"by": message.amended_by, "reason": message.reason}
            return EventFacts(kind="amendment", source_us=message.ts_us, **whose, **at)
        return EventFacts(kind="nudge", reason=str(getattr(message, "reason", "")), **at)

    def answered(self) -> tuple[str, Sent] | None:
        """The system and the command that this event answers, if it does: the one out, or one given up earlier."""
        event = self.event
        if not isinstance(event, Changed | Answered) or event.command is None or self.before is None:
            return None
        entry = self.before.systems.get(event.system)
        if entry is None or self.outcome.repeated:
            return None
        number = event.command.rpartition("/")[2]
        asked = (*entry.lost, *([] if entry.out is None else [entry.out]))
        return next(((event.system, sent) for sent in asked if str(sent.number) == number), None)


def _change(message: Change, event: Event, at: dict[str, Any]) -> EventFacts:
    load = message.op == "r"
    kind = "load" if load else "edit" if message.origin is None else "echo"
    return EventFacts(
        kind=kind,  # type: ignore[arg-type]
        system=message.system,
        local_id=message.local_id,
        op=message.op,
        incarnation=message.incarnation,
        seq=message.seq,
        transaction=message.transaction,
        source_us=getattr(event, "ts_us", message.ts_us),
        **at,
    )
