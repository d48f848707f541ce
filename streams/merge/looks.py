"""Systems without a log: looks at their rows, and the results of commands, in the place of entries and echoes.

A command's result has the row that its sink found and the row that it left, and so says what an echo says. What was
seen of the row while the command was out cannot be placed before the result tells where the write stands among the
looks: such looks are held until then.
"""

from streams.merge import answers, rows
from streams.merge.events import Answered, Changed, Looked
from streams.merge.states import BEFORE_ALL, Look, Sent, SystemState
from streams.merge.turns import Turn
from streams.merge.values import Row

LATE_LIMIT = 64
BY_LOOK = 0
"""The incarnation of a position that is an order of looks."""


def looked(turn: Turn, event: Looked) -> bool:
    """Merge a look, or hold it while a command is out. Returns whether it was news.

    Orders are those of one local row, so that looks of another one are held in the order in which they came. Of more
    looks than can be held the newest are kept: a change that is undone between two looks is never seen.
    """
    entry, after = turn.system(event.system), event.after
    image = None if after is None else turn.rules.sides[event.system].image(after)
    look = Look(event.order, event.ts_us, image, event.local_id, event.load)
    if entry.out is None:
        is_news = _observe(turn, event.system, look)
        _succeed(turn, event.system)
        return is_news
    known = entry.position if look.local_id == entry.local_id else entry.others.get(look.local_id, BEFORE_ALL)
    is_held = any((other.local_id, other.order) == (look.local_id, look.order) for other in entry.late)
    if is_held or (BY_LOOK, look.order) <= known:
        return False
    _hold(entry.late, look)
    return True


def _hold(late: list[Look], look: Look) -> None:
    """Behind those of other rows, and by order among the last of its own."""
    place = len(late)
    while place and late[place - 1].local_id == look.local_id and late[place - 1].order > look.order:
        place -= 1
    late.insert(place, look)
    del late[:-LATE_LIMIT]


def answered(turn: Turn, event: Answered) -> bool:
    """Merge a command's result: what was seen before it, the row found, the row left, and what was seen after.

    Returns whether it answers the command that is out, or one that was given up.
    """
    entry = turn.system(event.system)
    sent = entry.out
    is_out = sent is not None and str(sent.number) == event.command.rpartition("/")[2]
    left = _left(entry, event)
    if not answers.is_answer(entry, left) or (not is_out and left.position <= entry.position):
        return False
    late = _released(entry) if is_out else []
    before = [look for look in late if look.local_id == left.local_id and look.order < event.found_order]
    after = [look for look in late if look.local_id != left.local_id or look.order > event.left_order]
    between = [look for look in late if look not in before and look not in after]
    for look in before:
        _observe(turn, event.system, look)
    _find(turn, event)
    for look in between:
        _observe_beside(turn, event.system, look, sent)
    _acknowledge(turn, left)
    for look in after:
        _observe(turn, event.system, look)
    if sent is not None and sent.op == "d" and is_out and entry.image is None:
        # What ended was the record: a row beside ours is no reason to bring it back.
        entry.late = []
    _succeed(turn, event.system)
    return True


def release(turn: Turn, system: str) -> None:
    """Nobody waits for the result any more: what was held is merged, in order."""
    for look in _released(turn.system(system)):
        _observe(turn, system, look)
    _succeed(turn, system)


def _released(entry: SystemState) -> list[Look]:
    """The looks that waited for a result. Those at second rows stay."""
    late = entry.late
    entry.late = [look for look in late if entry.others.get(look.local_id) == (BY_LOOK, look.order)]
    return [look for look in late if look not in entry.late]


def _observe(turn: Turn, system: str, look: Look) -> bool:
    entry = turn.system(system)
    known = entry.others.get(look.local_id, BEFORE_ALL)
    is_news = _seen(turn, _changed(system, look.local_id, look.order, look.ts_us, look.after, load=look.load))
    if (BY_LOOK, look.order) > known:
        _keep_second(entry, look)
    return is_news


def _keep_second(entry: SystemState, look: Look) -> None:
    """A row beside ours is on record, and never merged. What was seen of it last is kept for the day that ours goes."""
    if entry.late:
        entry.late = [one for one in entry.late if one.local_id != look.local_id]
    if look.local_id != entry.local_id and look.after is not None:
        _hold(entry.late, look)


def _succeed(turn: Turn, system: str) -> None:
    """Our row went: one that was made beside it is the record's row from now on. Its maker may have seen ours go."""
    entry = turn.system(system)
    if entry.image is None and entry.out is None and entry.late:
        second = entry.late.pop(0)
        entry.others.pop(second.local_id, None)
        _observe(turn, system, second)


def _observe_beside(turn: Turn, system: str, look: Look, sent: Sent | None) -> None:
    """A look between the row found and the row left, of which there are some where the sink had to try twice.

    In the columns of the command it saw what the sink saw, or its write, in whatever form: the answer tells these.
    Everything else in it was typed, perhaps by somebody who had turned it back when the row was left.
    """
    image = turn.system(system).image
    if sent is None or sent.op != "u" or look.after is None:
        return
    if image is None or look.local_id != turn.system(system).local_id:
        return
    told = {column: image[column] for unit in sent.units for column in unit.base or {} if column in image}
    _observe(turn, system, Look(look.order, look.ts_us, {**look.after, **told}, look.local_id, look.load))


def _seen(turn: Turn, event: Changed) -> bool:
    if not rows.is_news(turn, event):
        return bool(turn.outcome.verdicts)
    rows.observe(turn, event)
    return True


def _find(turn: Turn, event: Answered) -> None:
    """What the sink found is the row as users had left it, seen or not seen before."""
    entry, found = turn.system(event.system), event.found
    if found is None and entry.image is None:
        return
    local_id = event.local_id or entry.local_id or ""
    if (BY_LOOK, event.found_order) >= entry.position or local_id != entry.local_id:
        seen = _changed(event.system, local_id, event.found_order, event.ts_us, found)
        if local_id != entry.local_id or seen.position > entry.position:
            _seen(turn, seen)
        else:
            rows.observe(turn, seen)


def _acknowledge(turn: Turn, left: Changed) -> None:
    entry = turn.system(left.system)
    if rows.answers_elsewhere(turn, left):
        rows.is_news(turn, left)
        answers.missed(turn, left)
        return
    # An application that left the row alone may leave its version alone, too: then the answer is no news, but counts.
    if rows.is_news(turn, left) or left.local_id == entry.local_id:
        answers.acknowledge(turn, left)
    else:
        answers.missed(turn, left)


def _left(entry: SystemState, event: Answered) -> Changed:
    return _changed(
        event.system,
        event.local_id or entry.local_id or "",
        event.left_order,
        event.ts_us,
        event.left,
        command=event.command,
        failed=event.failed,
    )


def _changed(
    system: str,
    local_id: str,
    order: int,
    ts_us: int,
    after: Row | None,
    command: str | None = None,
    failed: str | None = None,
    load: bool = False,
) -> Changed:
    return Changed(
        system=system,
        local_id=local_id,
        position=(BY_LOOK, order),
        ts_us=ts_us,
        after=after,
        command=command,
        failed=failed,
        load=load,
    )
