"""Mistakes that look right, each as one change to the merge or to the world around it.

Every one was made once, by us or by others. A simulation that does not notice them proves nothing.
"""

import itertools
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from streams.merge import answers, decisions, existence, fields, merge, planning, rows, turns
from streams.merge.events import Changed
from streams.merge.states import SentUnit
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE

Plant = Callable[[pytest.MonkeyPatch], None]


def _after(module: Any, name: str, then: Callable[..., None]) -> Plant:
    """Do something more after a function of the merge."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        real = getattr(module, name)

        def both(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            then(*args, **kwargs)
            return result

        patch.setattr(module, name, both)

    return plant


def _instead(module: Any, name: str, other: Callable[..., Any]) -> Plant:
    """Do something else; `other` gets the real function first."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        real = getattr(module, name)
        patch.setattr(module, name, lambda *args, **kwargs: other(real, *args, **kwargs))

    return plant


def _echo_as_edit(real: Any, turn: Turn, event: Changed) -> None:
    turn.system(event.system).out = None
    rows.observe(turn, event)


def _echo_dropped(real: Any, turn: Turn, event: Changed) -> None:
    entry = turn.system(event.system)
    entry.out = None
    entry.image = None if event.after is None else turn.rules.sides[event.system].image(event.after)


def _one_unit_for_all(real: Any, turn: Turn, event: Changed, sent: Any) -> None:
    image = turn.system(event.system).image
    if any(answers.is_applied(unit, image) for unit in sent.units):
        for unit in sent.units:
            answers.take(turn, event.system, unit, wrote=True)
        turn.system(event.system).image = turn.rules.sides[event.system].image(event.after or {})
    else:
        real(turn, event, sent)


def _no_touch_in_answers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "rows", SimpleNamespace(**{**vars(rows), "touched": lambda *args: None}))


def _all_seen(turn: Turn, by: str, *args: Any, **kwargs: Any) -> None:
    if by in turn.rules.sides:
        existence.see_all(turn, by)


def _seen_when_sent(turn: Turn, system: str, op: str, units: list[SentUnit]) -> None:
    for unit in units:
        for name, version in unit.versions.items():
            turn.see(system, name, version)


def _adopt_upward(real: Any, turn: Turn, event: Changed) -> None:
    real(turn, event)
    image = turn.system(event.system).image
    if image is not None and turn.state.alive:
        for name, value in turn.rules.sides[event.system].values(image).items():
            if name not in turn.system(event.system).behind and value != turn.field(name).value:
                fields.assign(turn, event.system, name, value, event.ts_us)


def _by_values(real: Any, turn: Turn, system: str, entry: Any, side: Any) -> None:
    entry.behind = dict.fromkeys(side.writable, -1)
    real(turn, system, entry, side)


def _loser_seen(turn: Turn, system: str, name: str, *args: Any) -> None:
    turn.see(system, name)


def _silent_when_incoming_wins(real: Any, turn: Turn, name: str, winner: str, *args: Any, **kwargs: Any) -> int:
    number: int = real(turn, name, winner, *args, **kwargs)
    if winner == "incoming":
        turn.outcome.verdicts.pop()
    return number


def _stamp_as_is(turn: Turn, by: str, name: str, value: Any, ts_us: int, won: bool = False) -> None:
    turn.field(name).ts_us = ts_us


def _outside_number(real: Any, turn: Turn, counter: Any = itertools.count(1)) -> int:  # noqa: B008 that is the mistake
    return int(next(counter))


def _machine_clock(real: Any, turn: Turn, by: str, name: str, value: Any, ts_us: int, won: bool = False) -> None:
    real(turn, by, name, value, next(_ticks), won)


_ticks = itertools.count(20_000)


def _no_position(real: Any, turn: Turn, event: Changed) -> bool:
    entry = turn.system(event.system)
    entry.local_id = event.local_id
    return True


def _dissolves(turn: Turn, by: str, name: str, *args: Any, **kwargs: Any) -> None:
    for entry in turn.state.systems.values():
        item = entry.dissent.pop(name, None)
        if item is not None:
            turn.publish(item, "agreement", "current")


def _clear_all(turn: Turn, item: Any) -> None:
    for entry in turn.state.systems.values():
        other = entry.dissent.pop(item.field, None)
        if other is not None:
            turn.publish(other, "decision", "current")


def _alone_or_not(real: Any, turn: Turn, event: Any, item: Any) -> str:
    objection: str = real(turn, event, item)
    return "" if objection.startswith("other items") else objection


def _tombstone_seen(real: Any, turn: Turn, system: str, changed: Mapping[str, Any], ts_us: int) -> None:
    before = dict(turn.system(system).behind)
    real(turn, system, changed, ts_us)
    turn.system(system).behind = before


def _dead_values_win(real: Any, turn: Turn, system: str, changed: Mapping[str, Any], ts_us: int) -> None:
    existence.revive(turn, system, ts_us)


def _second_command(real: Any, turn: Turn, system: str) -> None:
    turn.system(system).out = None
    real(turn, system)


def _whole_record(real: Any, turn: Turn, system: str, unit: SentUnit, wrote: bool) -> None:
    real(turn, system, unit, wrote)
    existence.see_all(turn, system)


def _patch_shows_nothing(real: Any, turn: Turn, system: str, patch: Any) -> None:
    turn.publish(patch, "revived", "incoming")
    for name, value in (patch.edits or {}).items():
        fields.assign(turn, system, name, value, patch.ts_us)


def _existence_settles(turn: Turn) -> None:
    for system in turn.rules.systems:
        item = turn.system(system).dissent.pop(EXISTENCE, None)
        if item is not None:
            turn.publish(item, "agreement", "current")


IN_THE_MERGE: dict[str, Plant] = {
    "an echo is treated as an edit": _instead(answers, "acknowledge", _echo_as_edit),
    "an echo is dropped": _instead(answers, "acknowledge", _echo_dropped),
    "a rejection is taken as applied": _instead(answers, "is_applied", lambda real, *args: True),
    "seen is always the greatest": _instead(
        answers, "take", lambda real, turn, system, unit, wrote: real(turn, system, unit, False)
    ),
    "one applied unit acknowledges the whole command": _instead(answers, "_updated", _one_unit_for_all),
    "what triggers do to a rejected unit is ignored": _no_touch_in_answers,
    "seen is kept by the record": _after(fields, "assign", _all_seen),
    "the record is acknowledged as a whole": _instead(answers, "take", _whole_record),
    "acknowledged when sent": _after(planning, "_send", _seen_when_sent),
    "a lossy row is adopted upward": _instead(answers, "acknowledge", _adopt_upward),
    "values are compared as they are, not through the lens": _instead(fields, "shows", lambda real, *args: False),
    "planned by values": _instead(planning, "_update", _by_values),
    "the losing edit counts as seen": _after(fields, "_conflict", _loser_seen),
    "a conflict is not recorded when the incoming wins": _instead(turns.Turn, "record", _silent_when_incoming_wins),
    "a stamp is not lifted above its ancestor": _after(fields, "assign", _stamp_as_is),
    "the machine's clock decides": _instead(fields, "assign", _machine_clock),
    "numbers are kept outside the state": _instead(turns.Turn, "next_record", _outside_number),
    "positions are not checked": _instead(rows, "is_news", _no_position),
    "a parked item dissolves when the hub moves": _after(fields, "assign", _dissolves),
    "a decision clears every item of its field": _after(decisions, "_remove", _clear_all),
    "a stale decision is accepted": _instead(decisions, "_objection", lambda real, *args: ""),
    "a delete is decided while others are parked": _instead(decisions, "_objection", _alone_or_not),
    "our write over a candidate keeps it held": _instead(answers, "_loosen", lambda real, *args: None),
    "an edit of a tombstone leaves seen as it was": _instead(existence, "_edit_the_dead", _tombstone_seen),
    "the dead values win over the reviving edit": _instead(existence, "_outlive", _dead_values_win),
    "a second command before the first is answered": _instead(planning, "plan", _second_command),
    "parked edits overwrite what came since": _instead(existence, "_offer_again", _patch_shows_nothing),
    "parked existence settles by itself": _after(merge, "settle", _existence_settles),
}
IN_THE_WORLD: dict[str, str] = {
    "columns are compared one by one": "column_compare",
    "no fence at the sink": "no_fence",
    "no echo when nothing was applied": "silent_when_nothing",
    "a delete is blind": "blind_delete",
    "state is written before the outputs": "state_first",
}
