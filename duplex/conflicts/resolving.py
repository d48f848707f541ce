"""Decisions, one or many: looked up, made, sent, and their answers told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from duplex import composition, lookups
from duplex.composition import Composition
from duplex.conflicts import deciding, inventory, live, outcomes, sending
from duplex.conflicts.book import Entry
from duplex.conflicts.conditions import Wanted
from duplex.conflicts.deciding import Choice, Seen, Signed
from duplex.conflicts.errors import NotDecidableError, NotOpenError, StaleError, UnansweredError
from duplex.conflicts.live import Standing
from duplex.conflicts.replies import Answer
from duplex.conflicts.sending import Progress
from duplex.usage import UsageError
from schemas.messages import Decision
from schemas.project.loading import Loaded
from streams.merge.states import State


class Resolved(msgspec.Struct, frozen=True):
    """A decision that was carried out: of which conflict, the value (JSON text; null: no row), and by whom."""

    id: str
    entity: str
    record_id: str
    field: str
    value: str | None
    decided_by: str
    winner: str


async def resolve(
    loaded: Loaded, name: str, choice: Choice, token: str | None, signed: Signed, within_s: float
) -> Resolved:
    """Decide one conflict, on what `token` names (see `Seen.token`), or else on what is on record, and wait until the
    merge has done it.

    Raises ConflictMissingError, AmbiguousConflictError, NotOpenError, ChoiceError, BadValueError, StaleError,
    UnansweredError, BrokerError.
    """
    entry, _ = await inventory.one(loaded, name)
    if not entry.open:
        raise NotOpenError(name, await outcomes.ended(loaded.project, entry.last))
    composed = await composition.composed(loaded)
    state = await live.state_of(composed, loaded.path, entry.last.entity, entry.last.record_id)
    made = _made(composed, entry, state, choice, token, signed)
    (answer,) = await sending.decide(composed.kafka, composed.topics, [made], within_s, _unheard)
    return await _resolved(composed, loaded, entry, answer, within_s)


def _unheard(_: int) -> None:
    pass


def _made(
    composed: Composition, entry: Entry, state: State | None, choice: Choice, token: str | None, signed: Signed
) -> Decision:
    now = _standing(composed, entry, state)
    seen = _seen(entry, now, token)
    if seen is None:
        raise StaleError(entry.id, _gone(entry, now, token))
    made = deciding.decision(composed.project, entry, choice, seen, signed)
    if state is not None and (moved := _moved(entry, made, now)):
        raise StaleError(entry.id, moved)
    return made


def _standing(composed: Composition, entry: Entry, state: State | None) -> Standing | None:
    if not entry.decidable:
        raise NotDecidableError(entry.id, entry.last.kind, entry.last.detail)
    return live.standing(state, live.rules_of(composed, entry.last), outcomes.number(entry))


def _seen(entry: Entry, now: Standing | None, token: str | None) -> Seen | None:
    """What the decision is upon; None where nothing that is known looks like what was shown."""
    known = [deciding.seen_on_record(entry.last), None if now is None else deciding.seen_now(now)]
    found = [seen for seen in known if seen is not None]
    if token is not None:
        found = [seen for seen in found if seen.token == token]
    return found[0] if found else None


def _gone(entry: Entry, now: Standing | None, token: str | None) -> str:
    if now is None:
        return "the merge has nothing parked under this number any more"
    version = (token or "").partition(".")[0]
    if version == str(now.version):
        return f"{now.system} has edited again: its value is {now.candidate or 'a delete'} now"
    return (
        f"what was shown ({token}) is not what stands there now: {entry.last.field} is {now.current} "
        f"(version {now.version}), and {now.system} has {now.candidate or 'a delete'}"
    )


def _moved(entry: Entry, made: Decision, now: Standing | None) -> str:
    """Why the merge would refuse the decision; "" if nothing has moved."""
    if now is not None and (now.candidate, now.version) == (made.candidate, made.version):
        return ""
    return outcomes.moved(entry, made, now)


async def _resolved(composed: Composition, loaded: Loaded, entry: Entry, answer: Answer, within_s: float) -> Resolved:
    if answer.outcome in ("unanswered", "unsent"):
        raise UnansweredError(entry.id, within_s)
    if answer.outcome != "decided" or answer.conflict is None:
        raise StaleError(entry.id, await outcomes.why_refused(composed, loaded.path, entry, answer))
    return _as_data(answer)


def _as_data(answer: Answer) -> Resolved:
    made = answer.decision
    winner = "" if answer.conflict is None else answer.conflict.winner
    field = "" if answer.conflict is None else answer.conflict.field
    return Resolved(made.item, made.entity, made.record_id, field, made.value, made.decided_by, winner)


@dataclass(frozen=True, slots=True)
class Bulk:
    """Many decisions to be: what is to be sent, and why others cannot be (by conflict id)."""

    made: dict[str, Decision] = field(default_factory=dict)
    impossible: dict[str, str] = field(default_factory=dict)
    stale: dict[str, str] = field(default_factory=dict)


class Summary(msgspec.Struct, frozen=True):
    """What became of many decisions, with the reasons by conflict id. `left` were not answered in time, not sent, or
    cannot be decided so."""

    decided: int
    refused: int
    left: int
    refusals: dict[str, str]
    reasons: dict[str, str]


async def prepare(loaded: Loaded, entries: Sequence[Entry], choice: Choice, signed: Signed) -> Bulk:
    """Make the decisions of these conflicts; nothing is sent. Raises the first error if none can be made."""
    composed = await composition.composed(loaded)
    states = await _states(composed, loaded, entries)
    bulk, first = Bulk(), None
    for entry in entries:
        state = states.get(entry.last.record_id)
        try:
            _prepare(composed, entry, state, choice, signed, bulk)
        except UsageError as error:
            first = first or error
            bulk.impossible[entry.id] = error.why
    if first is not None and not bulk.made and not bulk.stale:
        raise first
    return bulk


def _prepare(
    composed: Composition, entry: Entry, state: State | None, choice: Choice, signed: Signed, bulk: Bulk
) -> None:
    now = _standing(composed, entry, state)
    seen = _seen(entry, now, None)
    if seen is None:
        bulk.stale[entry.id] = "nothing is known to be parked under this number any more"
        return
    made = deciding.decision(composed.project, entry, choice, seen, signed)
    if state is not None and (moved := _moved(entry, made, now)):
        bulk.stale[entry.id] = moved
    else:
        bulk.made[entry.id] = made


async def _states(composed: Composition, loaded: Loaded, entries: Sequence[Entry]) -> dict[str, State]:
    """The records' states, where they can be asked for, or where what is on record is not enough to decide upon."""
    running = lookups.socket_path(loaded.path).exists()
    wanted: dict[str, set[str]] = {}
    for entry in entries:
        if running or deciding.seen_on_record(entry.last) is None:
            wanted.setdefault(entry.last.entity, set()).add(entry.last.record_id)
    found: dict[str, State] = {}
    for entity, records in wanted.items():
        found |= await live.states_of(composed, loaded.path, entity, records)
    return found


async def send(loaded: Loaded, bulk: Bulk, within_s: float, progress: Progress) -> Summary:
    """Send the decisions and wait for their answers. Raises BrokerError."""
    composed = await composition.composed(loaded)
    answers = await sending.decide(composed.kafka, composed.topics, list(bulk.made.values()), within_s, progress)
    return summary(bulk, answers)


def summary(bulk: Bulk, answers: Sequence[Answer]) -> Summary:
    """The count of what became of these decisions."""
    refusals, reasons = dict(bulk.stale), dict(bulk.impossible)
    decided = 0
    for answer in answers:
        item = answer.decision.item
        if answer.outcome == "decided":
            decided += 1
        elif answer.outcome in ("refused", "overtaken"):
            refusals[item] = answer.reason or "it was settled otherwise meanwhile"
        else:
            reasons[item] = "sent, not answered yet" if answer.outcome == "unanswered" else "not sent"
    return Summary(decided, len(refusals), len(reasons), refusals, reasons)


async def chosen(loaded: Loaded, wanted: Wanted, now_us: int) -> list[Entry]:
    """The open conflicts that are meant and that a choice can settle. Raises BrokerError, ConditionError."""
    read = (await inventory.read(loaded)).book
    return [entry for entry in wanted.among(read, now_us) if entry.decidable]
