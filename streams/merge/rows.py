"""What a log entry says of a local row: is it news, is it about the record's row, and what changed in it."""

from collections.abc import Iterable, Mapping

from streams.merge import existence, oscillation
from streams.merge.events import Changed, Held
from streams.merge.sides import Side
from streams.merge.states import BEFORE_ALL, NOT_SHOWN, SystemState
from streams.merge.turns import NOTHING_KNOWN, Turn
from streams.merge.values import EXISTENCE, Row, Value

OTHERS_LIMIT = 64
UNKNOWN_TIME_US = 0


def is_news(turn: Turn, event: Changed) -> bool:
    """Whether the entry is to be merged as one of the record's row; moves on to another local row if need be.

    Positions belong to a local row: entries of different rows may overtake each other on their way. An entry of a
    second row, beside the one that is there, is put on record if it holds values, and is never merged.
    """
    entry = turn.system(event.system)
    if event.local_id == entry.local_id:
        return _advance(entry, event)
    if event.position <= entry.others.get(event.local_id, BEFORE_ALL):
        return False
    if entry.local_id is not None and event.before_id == entry.local_id:
        return _follow_key(entry, event)
    if entry.image is None and event.after is not None:
        return _move(entry, event)
    _remember(entry, event.local_id, event.position)
    if event.after is not None:
        _report_second(turn, event, event.after)
    return False


def answers_elsewhere(turn: Turn, event: Changed) -> bool:
    """Whether this is the answer to the command that is out, given by another row than the record's now.

    The key changed under the command, or a second row was created: nothing was done to the row that is there.
    """
    entry = turn.system(event.system)
    if event.local_id == entry.local_id or (entry.image is None and event.after is not None):
        return False
    return event.before_id is None or event.before_id != entry.local_id


def observe(turn: Turn, event: Changed) -> None:
    """An ordinary entry: the row as it was left by someone who is not us."""
    entry = turn.system(event.system)
    side = turn.rules.sides[event.system]
    before = entry.image
    after = None if event.after is None else side.image(event.after)
    if after == before:
        return
    replace(entry, after)
    if after is None:
        existence.deleted(turn, event.system, event.ts_us)
    elif before is None:
        values, turn.bases = side.values(after), NOTHING_KNOWN
        if len(values) < len(side.readable):
            report_faults(turn, event.system, None, after, side.columns)
        existence.inserted(turn, event.system, values, UNKNOWN_TIME_US if event.load else event.ts_us)
    else:
        touched(turn, event, before, after, [column for column in side.columns if before.get(column) != after[column]])


def changed(side: Side, before: Row, after: Row) -> list[str]:
    """The mapped fields, of whatever direction, in whose columns the two rows differ."""
    columns = [column for column in side.columns if before.get(column) != after[column]]
    return [name for name in side.columns_of if _concerned(side, name, columns)]


def touched(turn: Turn, event: Changed, before: Row, after: Row, columns: list[str]) -> None:
    """Edits of a row that stays, in these columns."""
    side = turn.rules.sides[event.system]
    concerned = frozenset([name for column in columns for name in side.read_from[column]])
    then, now = side.some(before, concerned), side.some(after, concerned)
    turn.bases = then
    if len(now) < len(concerned):
        report_faults(turn, event.system, before, after, columns)
    edits = {name: value for name, value in now.items() if name not in then or then[name] != value}
    if side.unread:
        _keep_ours(turn, event.system, after, frozenset(columns))
    existence.updated(turn, event.system, edits, event.ts_us, before)


def _keep_ours(turn: Turn, system: str, after: Row, columns: frozenset[str]) -> None:
    """What is only written here was written over: that is nobody's edit, and the row is behind. A system that insists
    is left alone at last, on record."""
    side = turn.rules.sides[system]
    for name in side.unread:
        wanted = side.put({name: turn.field(name).value}, after, side.columns_of[name])
        lost = tuple(after[column] for column in wanted if column in columns and after[column] != wanted[column])
        if not lost or turn.field(name).version == 0:
            continue
        why = oscillation.insisted(turn, system, name, lost)
        if why:
            turn.refuse(name, system, lost, why, oscillation.RULE)
        else:
            turn.see(system, name, NOT_SHOWN)


def _concerned(side: Side, name: str, columns: Iterable[str]) -> bool:
    own = side.columns_of[name]
    return any(column in own for column in columns)


def replace(entry: SystemState, after: dict[str, Value] | None) -> None:
    """The row changed: what it refused before, it may take now."""
    if entry.refused or entry.suspects:
        entry.refused, entry.suspects = {}, {}
    entry.image = after


def report_faults(turn: Turn, system: str, before: Row | None, after: Row, columns: Iterable[str]) -> None:
    """Put on record the fields that hold nothing valid now, if that is new: they stop at the border."""
    side = turn.rules.sides[system]
    known: Mapping[str, str] = {} if before is None else side.lens.faults(before)
    for name, fault in side.lens.faults(after).items():
        if name in side.readable and known.get(name) != fault and _concerned(side, name, columns):
            shown = tuple(after[column] for column in side.columns_of[name])
            turn.refuse(name, system, shown, fault, "border")


def _advance(entry: SystemState, event: Changed) -> bool:
    if event.position <= entry.position:
        return False
    entry.position = event.position
    return True


def _follow_key(entry: SystemState, event: Changed) -> bool:
    if event.position <= entry.position:
        return False
    return _move(entry, event)


def _move(entry: SystemState, event: Changed) -> bool:
    """Another local row is the record's row from now on: its key changed, or it was created anew."""
    if entry.local_id is not None:
        past = event.position if event.before_id == entry.local_id else entry.position
        _remember(entry, entry.local_id, past)
    entry.others.pop(event.local_id, None)
    entry.local_id, entry.position = event.local_id, event.position
    return True


def _remember(entry: SystemState, local_id: str, position: tuple[int, int]) -> None:
    entry.others[local_id] = max(position, entry.others.get(local_id, BEFORE_ALL))
    if len(entry.others) > OTHERS_LIMIT:
        del entry.others[min(entry.others, key=lambda other: entry.others[other])]


def _report_second(turn: Turn, event: Changed, row: Row) -> None:
    side = turn.rules.sides[event.system]
    held = Held(event.system, tuple(side.values(row).items()), event.ts_us)
    place = turn.system(event.system).local_id
    detail = f"row {event.local_id} of {event.system} claims the record of row {place}: it was not merged"
    turn.record(EXISTENCE, "current", turn.current(EXISTENCE), held, "existence", detail)
