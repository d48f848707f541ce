"""Nothing happened to a record, but somebody wants it looked at: new rules, a lost answer, an old tombstone."""

from streams.merge import looks, resolutions
from streams.merge.events import Nudged
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE

LOST_LIMIT = 8


def nudge(turn: Turn, event: Nudged) -> bool:
    """Do what the nudge asks. Returns whether the record is to be planned for."""
    if event.reason == "forget":
        turn.outcome.forget = is_forgettable(turn)
        return False
    if event.reason == "rules":
        resolutions.decide_by_rules(turn)
    elif event.reason == "retry":
        for system in turn.rules.systems:
            if event.system in (None, system):
                retry(turn, system)
    return True


def retry(turn: Turn, system: str) -> None:
    """Wait no more for the command that is out, and forget what was refused: the want is sent anew, renumbered.

    The answer given up may still come: the last few such commands are kept in mind, and it is then read as the echo
    that it is. A command older than that, whose entry comes at last, is known by its number for a write of ours
    (`answers.late`). In neither case is it taken for a user's edit.

    What a retry does risk: both commands may be carried out. Each finds the row as it expected it, or leaves it alone;
    but a sink that carries the *first* out after the second writes an older value over a user who has just turned the
    row back to its base. And in a system without a log, the lost write may itself be among the looks that are merged
    now, and pass for an edit.
    """
    entry = turn.system(system)
    entry.refused, entry.suspects = {}, {}
    if entry.out is None:
        return
    entry.lost = [*entry.lost, entry.out][-LOST_LIMIT:]
    entry.out = None
    looks.release(turn, system)


def is_forgettable(turn: Turn) -> bool:
    """Whether nothing of the record need be kept: dead for longer than the horizon, and nothing of it anywhere.

    A row that a system keeps although the record is deleted keeps the tombstone: without it, the next edit of that
    row would look like a new record, and bring the deleted one back.
    """
    state, horizon_us = turn.state, turn.rules.horizon_us
    if state.alive or horizon_us is None or state.loose:
        return False
    if any(entry.image is not None or entry.out is not None or entry.dissent for entry in state.systems.values()):
        return False
    return turn.field(EXISTENCE).ts_us < turn.at_us - horizon_us
