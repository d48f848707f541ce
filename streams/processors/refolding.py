"""The events of one record, merged again as they were: by the rules that held at each place of the log.

Pure. It builds on two things that the merge processor keeps: where the record's events stand (`trails`), and where
the partition's rules changed (`marks`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.codec import Codec
from schemas.errors import SchemasError
from schemas.messages import Allowance, Epoch, Loaded, Message
from streams.errors import StreamsError
from streams.merge import states
from streams.merge.events import Answered, Changed, Event, Looked, Nudged, Outcome
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.processors import brake
from streams.processors.incoming import event_of
from streams.processors.marks import Marks
from streams.processors.records import Record, StoppingError
from streams.processors.regimes import Regime, Regimes

NO_EVENTS = Loaded | Epoch | Allowance


@dataclass(frozen=True, slots=True)
class Step:
    """One event: as it stands in the log, as the merge took it, the states before and after it, what it led to.

    `event` and `outcome` are None where the message is nobody's event, or where it was rejected: `error` then says
    why. `after` is then `before`. The states are the reader's own; their `trail` is empty.
    """

    record: Record
    message: Message
    event: Event | None
    rules: Rules
    before: State | None
    after: State | None
    outcome: Outcome | None
    error: str = ""


def fold(records: Sequence[Record], marks: Marks, regimes: Regimes, codec: Codec | None = None) -> list[Step]:
    """Merge these events of one record, in log order, from the first one that it ever had.

    Messages that are no events of a record (barriers, epochs, allowances) are left out. Raises UndecodableError for
    bytes that are no message, EpochError for rules that cannot be had.
    """
    codec = codec or Codec()
    steps: list[Step] = []
    state: State | None = None
    for record in records:
        message = codec.decode(record.value or b"")
        if not isinstance(message, NO_EVENTS):
            steps.append(_step(record, message, state, marks, regimes))
            state = steps[-1].after
    return steps


def _step(record: Record, message: Message, before: State | None, marks: Marks, regimes: Regimes) -> Step:
    regime = regimes.of(marks.epoch_at(record.offset))
    event, error = _event(message, record, regime, before)
    rules = regime.loads.after(marks.loaded_at(record.offset), _held(event, before, marks, record.offset))
    if event is None or (before is None and isinstance(event, Nudged)):
        return Step(record, message, event, rules, before, before, None, error)
    state, outcome = merge(copied(before), event, rules)
    if outcome.refusal:
        return Step(record, message, event, rules, before, before, outcome, outcome.refusal)
    if outcome.forget:
        return Step(record, message, event, rules, before, None, outcome)
    if outcome.repeated:
        return Step(record, message, event, rules, before, before, outcome)
    state.offset = record.offset
    return Step(record, message, event, rules, before, state, outcome)


def copied(state: State | None) -> State | None:
    """A state that shares nothing with this one."""
    return None if state is None else states.decode(states.encode(state))


def _event(message: Message, record: Record, regime: Regime, state: State | None) -> tuple[Event | None, str]:
    try:
        return event_of(message, record, regime, state), ""
    except StoppingError:
        raise
    except (SchemasError, StreamsError) as error:
        return None, str(error)


def _held(event: Event | None, before: State | None, marks: Marks, offset: int) -> str | None:
    """The system whose delete the brake held here."""
    if not isinstance(event, Changed | Looked | Answered) or not brake.may_delete(event, before):
        return None
    return event.system if marks.held_at(event.system, offset) else None
