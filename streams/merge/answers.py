"""An echo: which versions the row embodies now, judged unit by unit from the row found and the row left."""

from streams.merge import existence, fields, rows
from streams.merge.events import Changed, Held
from streams.merge.states import NOT_SHOWN, Sent, SentUnit, SystemState
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE, Row, Value

CAME_TO_NOTHING = "the target took the create but has no row"
STAYED = "the target took the delete but kept the row"
LATE = "written by a command of ours that nobody waited for any more: not taken as an edit"


def is_answer(entry: SystemState, event: Changed) -> bool:
    """Whether this entry echoes the command that is out, or one that was given up."""
    return event.command is not None and _asked(entry, event.command) is not None


def is_ours(entry: SystemState, event: Changed) -> bool:
    """Whether this entry is the work of a command that was sent once, answered or not."""
    number = "" if event.command is None else event.command.rpartition("/")[2]
    return number.isdecimal() and 0 < int(number) <= entry.number


def acknowledge(turn: Turn, event: Changed) -> None:
    """The echo of a command, from the row that the merge knows. Nothing in it is an edit of ours."""
    sent = _taken(turn.system(event.system), event)
    assert sent is not None
    if event.failed is not None:
        _refused(turn, event.system, sent, event.failed)
        rows.observe(turn, event)
    elif sent.op == "u":
        _updated(turn, event, sent)
    else:
        _came_or_went(turn, event, sent)


def missed(turn: Turn, event: Changed) -> None:
    """The answer came from another row: ours is untouched, and the want is planned anew."""
    sent = _taken(turn.system(event.system), event)
    if sent is None:
        return
    why = event.failed
    if why is None and sent.op == "c" and event.after is None:
        why = CAME_TO_NOTHING
    if why is not None:
        _refused(turn, event.system, sent, why)


def late(turn: Turn, event: Changed) -> None:
    """The work of a command of ours of which nothing is known any more: a machine's write, and no edit.

    What it wrote was the hub's once. Where that is not the hub's value now, the row is behind, and will be corrected;
    as the target's own triggers may have had a part in it, the value is put on record.
    """
    entry, side = turn.system(event.system), turn.rules.sides[event.system]
    before, after = entry.image, None if event.after is None else side.image(event.after)
    if after == before:
        return
    rows.replace(entry, after)
    touched = [EXISTENCE, *side.columns_of] if before is None or after is None else rows.changed(side, before, after)
    for name in touched:
        _loosen(turn, event.system, name)
    if after is None:
        return
    if before is None:
        turn.see(event.system, EXISTENCE, None if turn.state.alive else NOT_SHOWN)
    values = side.values(after)
    for name in touched:
        if name in turn.rules.policies and not fields.shows(turn, event.system, name, after):
            turn.see(event.system, name, NOT_SHOWN)
            if name in values:
                held = Held(event.system, values[name], event.ts_us)
                turn.record(name, "current", turn.current(name), held, detail=LATE, rule="late")


def _asked(entry: SystemState, command: str) -> Sent | None:
    number = command.rpartition("/")[2]
    if entry.out is not None and str(entry.out.number) == number:
        return entry.out
    return next((sent for sent in entry.lost if str(sent.number) == number), None)


def _taken(entry: SystemState, event: Changed) -> Sent | None:
    """The command that this answers, which waits no more."""
    sent = None if event.command is None else _asked(entry, event.command)
    if sent is not None and sent is entry.out:
        entry.out = None
    elif sent is not None:
        entry.lost.remove(sent)
    return sent


def _came_or_went(turn: Turn, event: Changed, sent: Sent) -> None:
    entry = turn.system(event.system)
    unit, before = sent.units[0], entry.image
    if not is_applied(unit, before):
        rows.observe(turn, event)
        return
    after = None if event.after is None else turn.rules.sides[event.system].image(event.after)
    rows.replace(entry, after)
    if (after is None) == (sent.op == "c"):
        _remember(turn, event.system, sent, CAME_TO_NOTHING if sent.op == "c" else STAYED)
        return
    take(turn, event.system, unit, wrote=before != unit.set)


def _updated(turn: Turn, event: Changed, sent: Sent) -> None:
    """Unit by unit; what the target's own triggers did to units we did not write are edits like any other."""
    entry, side = turn.system(event.system), turn.rules.sides[event.system]
    before = entry.image
    if before is None or event.after is None:
        rows.observe(turn, event)
        return
    after = side.image(event.after)
    written: set[str] = set()
    if after != before:
        rows.replace(entry, after)
    for unit in sent.units:
        if is_applied(unit, before):
            written |= (unit.base or {}).keys()
            take(turn, event.system, unit, wrote=not holds(unit.set, before))
    rest = [column for column in side.columns if column not in written and before.get(column) != after[column]]
    if rest:
        rows.touched(turn, event, before, after, rest)


def is_applied(unit: SentUnit, before: Row | None) -> bool:
    """Whether the sink, finding this row, wrote the unit or found it written."""
    return holds(unit.base, before) or holds(unit.set, before)


def holds(wanted: dict[str, Value] | None, row: Row | None) -> bool:
    """Whether a row holds these values in these columns; None is the row that is not there."""
    if wanted is None or row is None:
        return wanted is None and row is None
    return all(column in row and row[column] == value for column, value in wanted.items())


def take(turn: Turn, system: str, unit: SentUnit, wrote: bool) -> None:
    """The row embodies the versions of this unit: exactly those if it was really written, else at least those."""
    entry = turn.system(system)
    for name, version in unit.versions.items():
        turn.see(system, name, version if wrote else max(turn.seen(system, name), version))
    if wrote and entry.dissent:
        for name in unit.versions:
            _loosen(turn, system, name)


def _loosen(turn: Turn, system: str, name: str) -> None:
    """Our write landed on a candidate that its user had turned back: no row shows it any more.

    Edits of a deleted record are held as long as the row shows one of them: nothing may be written over that one.
    """
    entry = turn.system(system)
    patch = entry.dissent.get(EXISTENCE)
    if patch is not None and patch.edits is not None and name in patch.edits and not existence.shown(turn, patch):
        turn.state.loose[patch.number] = entry.dissent.pop(EXISTENCE)
    item = entry.dissent.pop(name, None)
    if item is not None:
        turn.state.loose[item.number] = item


def _refused(turn: Turn, system: str, sent: Sent, why: str) -> None:
    """The target would not. A command of several units is tried again unit by unit, to find the one it was.

    When the row changed while the command was out, what was refused is not what would be sent now: it is sent.
    """
    entry = turn.system(system)
    if not all(holds(unit.base, entry.image) for unit in sent.units):
        return
    _remember(turn, system, sent, why)


def _remember(turn: Turn, system: str, sent: Sent, why: str) -> None:
    """Put the refusal on record, and do not send these versions again while the row stays as it is."""
    entry = turn.system(system)
    versions = {name: version for unit in sent.units for name, version in unit.versions.items()}
    if sent.op == "d":
        # That a row may not go says nothing of its fields: should the record live again, they are sent.
        versions = {EXISTENCE: versions[EXISTENCE]}
    if len(sent.units) > 1:
        entry.suspects.update(versions)
        return
    _forget_others(turn, system, entry, versions)
    entry.refused.update(versions)
    name = EXISTENCE if sent.op != "u" else next(iter(versions))
    unit = sent.units[0]
    found = None if entry.image is None else tuple(entry.image.get(column) for column in unit.base or unit.set or {})
    turn.refuse(name, system, found, why)


def _forget_others(turn: Turn, system: str, entry: SystemState, versions: dict[str, int]) -> None:
    """What was refused of the same unit before, in other company."""
    side = turn.rules.sides[system]
    if entry.refused:
        for place in {side.told_by[name] for name in versions if name in side.told_by}:
            for name in side.told[place].fields:
                entry.refused.pop(name, None)
