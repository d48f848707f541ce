"""Who owns a natural key, decided key by key: the pure part of the claims processor.

All claims of a key stand in one partition, so they have an order, and the first one makes the record. A key's state
says which record it belongs to, and which row of each system carries it:

    holders   the row of each system that is linked to the record and carries the key
    left      systems whose row is linked to the record, but carries another key by now
    parked    further rows of a system that already has one: duplicates, for a person to look at
    contested rows linked to another record that carry the key all the same
    moved     rows that wait under an earlier local id: (system, earlier id, id now)

When the last holder's row is deleted, the record keeps the key: whoever comes with it revives the record. When the
record moved on to another key, the key is free: the next claim makes another record, of the next generation.
"""

from dataclasses import dataclass, field
from typing import Literal, assert_never

import msgspec

from schemas.identifiers import record_of_natural_key
from schemas.messages import Claim, Conflict, Link, Side

FIRST_CLAIM = "first claim"


class KeyState(msgspec.Struct, array_like=True):
    """See the module's text. `generation` counts the records made for this key so far."""

    record_id: str | None = None
    generation: int = 0
    holders: dict[str, str] = msgspec.field(default_factory=dict)
    left: dict[str, str] = msgspec.field(default_factory=dict)
    parked: list[tuple[str, str]] = msgspec.field(default_factory=list)
    contested: list[tuple[str, str, str]] = msgspec.field(default_factory=list)
    moved: list[tuple[str, str, str]] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class Answers:
    """Links to send back to the rows, and conflicts for a person."""

    links: list[Link] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ClaimEvent:
    """A claim and its place in the log."""

    claim: Claim
    partition: int
    offset: int


def decide(state: KeyState, event: ClaimEvent) -> Answers:
    """Take the next claim of a key. Changes `state`; repeats lead to the same answers and no further change."""
    answers, kind = Answers(), event.claim.kind
    match kind:
        case "claim":
            _claim(state, event, answers)
        case "hold":
            _hold(state, event, answers)
        case "release":
            _release(state, event, answers)
        case "gone":
            _gone(state, event, answers)
        case _:
            assert_never(kind)
    _follow(state, event, answers)
    return answers


def _claim(state: KeyState, event: ClaimEvent, answers: Answers) -> None:
    system, local_id, earlier = event.claim.system, event.claim.local_id, event.claim.moved_from
    if earlier is not None:
        if (system, earlier, local_id) not in state.moved:
            state.moved.append((system, earlier, local_id))
        return
    if state.record_id is None:
        state.record_id = record_of_natural_key(event.claim.entity, event.claim.natural_key, state.generation)
        state.generation += 1
    if state.holders.get(system, local_id) == local_id and system not in state.left:
        state.holders[system] = local_id
        answers.links.append(_link(event, system, local_id, state.record_id))
        return
    answers.links.append(_link(event, system, local_id, None))
    if (system, local_id) not in state.parked:
        state.parked.append((system, local_id))
        first = state.holders.get(system) or state.left[system]
        detail = f"rows {first} and {local_id} of {system} carry the same natural key {event.claim.natural_key}"
        answers.conflicts.append(_conflict(event, state.record_id, "duplicate", (system, first), detail))


def _follow(state: KeyState, event: ClaimEvent, answers: Answers) -> None:
    """A row that waits under its earlier id belongs where the same row, by its id now, already is."""
    for system, earlier, local_id in list(state.moved):
        if state.record_id is not None and state.holders.get(system) == local_id:
            state.moved.remove((system, earlier, local_id))
            state.parked = [row for row in state.parked if row != (system, earlier)]
            answers.links.append(_link(event, system, earlier, state.record_id))


def _hold(state: KeyState, event: ClaimEvent, answers: Answers) -> None:
    claim = event.claim
    system, local_id, record_id = claim.system, claim.local_id, claim.record_id
    if record_id is None:
        return
    if state.record_id != record_id and _movable(state, system, local_id):
        _own(state, record_id)
    if state.record_id != record_id:
        _contest(state, event, answers)
        return
    holder = state.holders.get(system)
    if holder is not None and holder not in (local_id, claim.moved_from):
        if (system, local_id, record_id) not in state.contested:
            state.contested.append((system, local_id, record_id))
            detail = f"rows {holder} and {local_id} of {system} are both linked to the record"
            answers.conflicts.append(_conflict(event, record_id, "duplicate", (system, holder), detail))
        return
    state.left.pop(system, None)
    state.holders[system] = local_id
    state.parked = [row for row in state.parked if row != (system, local_id)]


def _movable(state: KeyState, system: str, local_id: str) -> bool:
    """Nobody else carries the key: not a row at all, or only this very one, under a record made for it in passing."""
    return not state.left and all(row == (system, local_id) for row in state.holders.items())


def _own(state: KeyState, record_id: str) -> None:
    state.record_id, state.holders = record_id, {}
    # The key's own records are numbered from here on, so that a freed key never brings back an old one.
    state.generation = max(state.generation, 1)


def _contest(state: KeyState, event: ClaimEvent, answers: Answers) -> None:
    claim, owner = event.claim, state.record_id
    if claim.record_id is None or owner is None or (claim.system, claim.local_id, claim.record_id) in state.contested:
        return
    state.contested.append((claim.system, claim.local_id, claim.record_id))
    holder = min((state.holders or state.left).items())
    detail = f"natural key {claim.natural_key} belongs to record {owner}"
    answers.conflicts.append(_conflict(event, claim.record_id, "key", holder, detail))


def _release(state: KeyState, event: ClaimEvent, answers: Answers) -> None:
    system, local_id = event.claim.system, event.claim.local_id
    _forget(state, system, local_id)
    if state.holders.get(system) == local_id:
        del state.holders[system]
        if not _succeed(state, system):
            state.left[system] = local_id
        _free(state, event, answers)


def _gone(state: KeyState, event: ClaimEvent, answers: Answers) -> None:
    system, local_id = event.claim.system, event.claim.local_id
    _forget(state, system, local_id)
    if state.holders.get(system) != local_id:
        return
    del state.holders[system]
    if not _succeed(state, system) and (state.holders or not state.left):
        _promote(state, event, system, answers)
    _free(state, event, answers)


def _forget(state: KeyState, system: str, local_id: str) -> None:
    state.parked = [row for row in state.parked if row != (system, local_id)]
    state.contested = [row for row in state.contested if row[:2] != (system, local_id)]
    state.moved = [row for row in state.moved if row[:2] != (system, local_id)]


def _succeed(state: KeyState, system: str) -> bool:
    """A second row that is linked to the record anyway takes the place of the one that went."""
    heir = next((row for row in state.contested if row[0] == system and row[2] == state.record_id), None)
    if heir is not None:
        state.contested.remove(heir)
        state.holders[system] = heir[1]
    return heir is not None


def _promote(state: KeyState, event: ClaimEvent, system: str, answers: Answers) -> None:
    """The first parked row of a system takes the place of the one that is gone."""
    heir = next((row for row in state.parked if row[0] == system), None)
    if heir is not None and state.record_id is not None:
        state.parked.remove(heir)
        state.holders[system] = heir[1]
        answers.links.append(_link(event, system, heir[1], state.record_id))


def _free(state: KeyState, event: ClaimEvent, answers: Answers) -> None:
    """Once the record has moved on in every system, the key is there for those who waited."""
    if state.holders or not state.left:
        return
    state.record_id, state.left = None, {}
    contested, state.contested = state.contested, []
    parked, state.parked = state.parked, []
    for system, local_id, record_id in contested:
        _hold(state, _as(event, "hold", system, local_id, record_id), answers)
    for system, local_id in parked:
        _claim(state, _as(event, "claim", system, local_id, None), answers)


def _as(
    event: ClaimEvent, kind: Literal["claim", "hold"], system: str, local_id: str, record_id: str | None
) -> ClaimEvent:
    claim = msgspec.structs.replace(
        event.claim, kind=kind, system=system, local_id=local_id, record_id=record_id, moved_from=None
    )
    return ClaimEvent(claim, event.partition, event.offset)


def _link(event: ClaimEvent, system: str, local_id: str, record_id: str | None) -> Link:
    parked = None if record_id is not None else "duplicate: another row of this system has the same natural key"
    return Link(entity=event.claim.entity, system=system, local_id=local_id, record_id=record_id, parked=parked)


def _conflict(
    event: ClaimEvent, record_id: str, kind: Literal["duplicate", "key"], first: tuple[str, str], detail: str
) -> Conflict:
    claim = event.claim
    return Conflict(
        id=f"{record_id}/{kind}/{claim.system}/{claim.local_id}",
        record_id=record_id,
        entity=claim.entity,
        field="$",
        kind=kind,
        rule=FIRST_CLAIM,
        winner="parked",
        current=Side(system=first[0], value=first[1], ts_us=claim.ts_us),
        incoming=Side(system=claim.system, value=claim.local_id, ts_us=claim.ts_us),
        detail=detail,
        partition=event.partition,
        offset=event.offset,
        ts_us=claim.ts_us,
    )
