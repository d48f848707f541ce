"""What became of a decision, in words: carried out, or refused and what had moved since it was shown."""

from pathlib import Path

from duplex import composition
from duplex.conflicts import live, reading, views
from duplex.conflicts.book import Entry
from duplex.conflicts.live import Standing
from duplex.conflicts.replies import Answer
from duplex.status.sentences import stamp
from schemas.messages import Conflict, Decision
from schemas.project.model import Project
from streams.merge.turns import DECISION


async def ended(project: Project, conflict: Conflict) -> str:
    """How a conflict ended: by whom or by what, when, and with which value. Raises BrokerError."""
    decided = await reading.decision(project, conflict)
    if decided is None:
        return f"it ended at {stamp(conflict.ts_us)} by {conflict.rule}: {winner(conflict)}"
    return f"{decided.decided_by} decided it at {stamp(decided.ts_us)}: {chosen(conflict, decided)}"


def chosen(conflict: Conflict, decided: Decision) -> str:
    """What a decision chose, with its reason."""
    value = decided.value if conflict.field != views.EXISTENCE else ("deleted" if decided.value is None else "lives")
    return f"{value}" + (f" ({decided.reason})" if decided.reason else "")


def winner(conflict: Conflict) -> str:
    """Which side won, with its value."""
    if conflict.winner not in ("current", "incoming"):
        return conflict.winner
    side = conflict.current if conflict.winner == "current" else conflict.incoming
    return f"{conflict.winner} ({side.system or 'nobody'} {side.value if side.value is not None else 'deleted'})"


def moved(entry: Entry, decision: Decision, now: Standing | None) -> str:
    """What is no longer as the decision names it: the item itself, its candidate, or the value beside it."""
    last = entry.last
    if now is None:
        return "nothing is parked under this number any more"
    if now.candidate != decision.candidate:
        return (
            f"{last.incoming.system} has edited again: its value was {_said(last, decision.candidate)} when shown and "
            f"is {_said(last, now.candidate)} now"
        )
    if now.version != decision.version:
        shown = _said(last, last.current.value) if last.version == decision.version else "another value"
        return (
            f"{last.field} moved on: {shown} (version {decision.version}) was shown, and it is "
            f"{_said(last, now.current)} (version {now.version}, {_whose(now)}) now"
        )
    return "it stands as it was shown"


def _said(conflict: Conflict, text: str | None) -> str:
    if conflict.field != views.EXISTENCE:
        return text or "null"
    return "a delete" if text is None else text


def _whose(now: Standing) -> str:
    by = "a decision" if now.by == DECISION else now.by or "nobody"
    return f"by {by}" + (f" at {stamp(now.ts_us)}" if now.ts_us else "")


async def why_refused(composed: composition.Composition, path: Path, entry: Entry, answer: Answer) -> str:
    """Why a decision was not carried out, from the merge's own words and from what the record is now.

    Raises BrokerError, and what `live.state_of` raises.
    """
    if answer.conflict is not None:
        return await ended(composed.project, answer.conflict)
    state = await live.state_of(composed, path, entry.last.entity, entry.last.record_id)
    now = live.standing(state, live.rules_of(composed, entry.last), number(entry))
    if now is not None:
        told = moved(entry, answer.decision, now)
        return answer.reason if told == "it stands as it was shown" else told
    _, read = await reading.one(composed.project, entry.id)
    latest = read.get(entry.id)
    return answer.reason if latest is None or latest.open else await ended(composed.project, latest.last)


def number(entry: Entry) -> int:
    """The number of the verdict that a conflict's id ends with."""
    return int(entry.id.rpartition("/")[2])
