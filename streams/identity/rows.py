"""Which record a local row belongs to, decided row by row: the pure part of the links processor.

A row is *linked* (its events go to the record's log as they come), or it *waits*: its events are kept, in order,
until the owner of its natural key has answered its claim. The key's owner may *park* it, as a second row of the same
system for one record; then it waits until the first is gone, its own key changes, or a person decides.

    unknown ──event with a key──► waiting ──link──► linked ──deleted or moved──► unknown
       │                            │  ▲
       ├──event without a key──► linked   parked (waits on; a changed key is claimed anew)
       └──echo──► linked

Events of a row are told apart by their place in the system's log, `(incarnation, seq)`; a place at or below the last
one seen is a repeat. The bytes of an event are passed on unchanged. In a system without a log (incarnation 0) the place
is the order of a look; a sink's result is an echo there, and may come after looks that followed the write.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from schemas.identifiers import record_of_row
from schemas.messages import Change, Claim, Link
from streams.processors.records import UnprocessableError

MOST_WAITING = 1000
BY_LOOK = 0
NaturalKey = Callable[[str, str], str | None]
Admits = Callable[[str, str], bool]


class RowState(msgspec.Struct, array_like=True):
    """What is known of a row. `key`: the natural key it claimed or holds. `next`: the record of the row that comes
    after this one under the same local id, known before this one's end was seen, and the place it comes at."""

    record_id: str | None = None
    key: str | None = None
    place: tuple[int, int] = (0, 0)
    waiting: list[bytes] = msgspec.field(default_factory=list)
    parked: bool = False
    next: tuple[str, tuple[int, int]] | None = None


@dataclass(slots=True)
class Effects:
    """What a row event leads to: bytes for record logs first, then links and claims.

    `unlinked` are (system, local id) that stand for no row any more.
    """

    forwards: list[tuple[str, bytes]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    unlinked: list[tuple[str, str]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowEvent:
    """A change as it came: decoded, and its bytes."""

    change: Change
    data: bytes

    @property
    def place(self) -> tuple[int, int]:
        return self.change.incarnation, self.change.seq


def passes(row: RowState, place: tuple[int, int], key: str | None, record_id: str | None) -> bool:
    """Whether an update of a row goes to the row's record and changes nothing else: `RowLinker.on_change` would do no
    more than note its place. `key` is the natural key behind it; `record_id` that of its command, if it is an echo.
    """
    known = row.record_id
    return known is not None and key == row.key and place > row.place and (record_id is None or record_id == known)


class RowLinker:
    """Decides for the rows of one entity. Pure: what it returns depends on its arguments alone.

    `natural_key(system, row text)` is the normalised natural key of a row image, None where it has none; `decode`
    reads the bytes of a waiting event; `admits(system, row text)` says whether a row takes part. One that does not is
    left alone until it does; one that is linked stays so, whatever becomes of it. `is_gone(system, row text)` says
    whether a row that is there counts as deleted: it stays linked, for a create brings it back under the same local
    id, but it carries no natural key until then, and a row that is not linked takes no part.
    """

    def __init__(
        self,
        entity: str,
        natural_key: NaturalKey,
        decode: Callable[[bytes], Change],
        admits: Admits | None = None,
        is_gone: Admits | None = None,
    ) -> None:
        self._entity = entity
        self._natural_key = natural_key
        self._decode = decode
        self._admits = admits
        self._is_gone = is_gone

    def on_change(self, row: RowState, event: RowEvent) -> Effects:
        """Take the next event of a row. Changes `row`. Raises UnprocessableError, and what `natural_key` raises."""
        effects, change = Effects(), event.change
        if change.origin is not None:
            self._echo(row, event, effects)
        elif event.place <= row.place:
            return effects
        elif row.record_id is not None:
            self._pass(row, event, effects)
        else:
            self._unlinked(row, event, effects)
        row.place = max(row.place, event.place)
        return effects

    def on_link(self, row: RowState, link: Link) -> Effects:
        """Take the answer to a claim, or the news that a row came here by a change of its key. Changes `row`."""
        effects = Effects()
        if link.record_id is None:
            if link.parked is not None and row.waiting and not row.parked:
                row.parked = True
                self._claim_anew(row, effects)
        elif link.moved_from is not None:
            self._arrive(row, link, link.record_id, effects)
        elif row.record_id is None and row.waiting:
            self._flush(row, link.record_id, effects)
        return effects

    def _unlinked(self, row: RowState, event: RowEvent, effects: Effects) -> None:
        change = event.change
        if not row.waiting and not self._takes_part(change):
            return
        key = self._key_of(change)
        if len(row.waiting) >= MOST_WAITING:
            raise UnprocessableError(
                f"{len(row.waiting)} events of row {change.local_id} of {change.system} already wait for its link"
            )
        if row.waiting:
            row.waiting.append(event.data)
            if row.parked:
                self._claim_anew(row, effects)
        elif key is None:
            self._link(row, change, record_of_row(self._entity, change.system, _old_id(change)), effects)
            self._pass(row, event, effects)
        else:
            row.waiting, row.key = [event.data], key
            effects.claims.append(self._claim("claim", change, key, _old_id(change)))

    def _claim_anew(self, row: RowState, effects: Effects) -> None:
        """A parked row is bound to the key it was parked for only as long as it lives and carries that key."""
        position, change = self._last_of_first_life(row.waiting)
        ended = _ends(change) or (change.before_id is None and self._counts_as_gone(change))
        key = None if ended else self._key_of(change)
        if key != row.key and row.key is not None:
            effects.claims.append(self._claim("gone", change, row.key, _old_id(change)))
        if ended:
            # Nobody but its own system ever knew of it: there is no record to tell.
            rest, row.waiting, row.key, row.parked = row.waiting[position + 1 :], [], None, False
            self._wait_again(row, rest, effects)
        elif key is None:
            self._flush(row, record_of_row(self._entity, change.system, _old_id(change)), effects)
        elif change.before_id is not None:
            # Its later self may have claimed the key first: then both are one.
            claim = self._claim("claim", change, key, change.local_id)
            effects.claims.append(msgspec.structs.replace(claim, moved_from=change.before_id))
            row.key = key
        elif key != row.key:
            effects.claims.append(self._claim("claim", change, key, change.local_id))
            row.key, row.parked = key, False

    def _last_of_first_life(self, waiting: list[bytes]) -> tuple[int, Change]:
        for position, data in enumerate(waiting):
            change = self._decode(data)
            if _ends(change) or change.before_id is not None or position == len(waiting) - 1:
                return position, change
        raise ValueError("no event waits")

    def _echo(self, row: RowState, event: RowEvent, effects: Effects) -> None:
        change, origin = event.change, event.change.origin
        assert origin is not None
        # A result says whose row it is even where looks that followed the write came first, and wait.
        is_next = event.place > row.place or (change.incarnation == BY_LOOK and bool(row.waiting))
        if is_next and origin.outcome == "applied" and row.record_id is None and not _ends(change):
            if row.waiting:
                if row.key is not None:
                    # The claim under way must not make a record of its own for this row.
                    effects.claims.append(self._claim("hold", change, row.key, change.local_id, origin.record_id))
                self._flush(row, origin.record_id, effects)
            if row.record_id is None:
                self._link(row, change, origin.record_id, effects)
        if row.record_id == origin.record_id and event.place > row.place:
            self._pass(row, event, effects)
        else:
            effects.forwards.append((origin.record_id, event.data))

    def _pass(self, row: RowState, event: RowEvent, effects: Effects) -> None:
        change, record_id = event.change, row.record_id
        assert record_id is not None
        effects.forwards.append((record_id, event.data))
        if _ends(change):
            key = row.key or self._key_of(change)
            if key is not None:
                effects.claims.append(self._claim("gone", change, key, change.local_id, record_id))
            effects.unlinked.append((change.system, change.local_id))
            self._end(row)
            return
        key = self._key_of(change)
        if change.before_id is not None:
            self._move(row, change, record_id, key, effects)
        elif self._counts_as_gone(change):
            if row.key is not None:
                effects.claims.append(self._claim("gone", change, row.key, change.local_id, record_id))
            row.key = None
        elif key != row.key:
            self._rekey(row, change, record_id, key, effects)

    def _rekey(self, row: RowState, change: Change, record_id: str, key: str | None, effects: Effects) -> None:
        if row.key is not None:
            effects.claims.append(self._claim("release", change, row.key, change.local_id, record_id))
        if key is not None:
            effects.claims.append(self._claim("hold", change, key, change.local_id, record_id))
        row.key = key

    def _move(self, row: RowState, change: Change, record_id: str, key: str | None, effects: Effects) -> None:
        old_id = _old_id(change)
        effects.links.append(
            Link(
                entity=self._entity,
                system=change.system,
                local_id=change.local_id,
                record_id=record_id,
                moved_from=old_id,
                incarnation=change.incarnation,
                seq=change.seq,
            )
        )
        effects.unlinked.append((change.system, old_id))
        if row.key is not None and row.key != key:
            effects.claims.append(self._claim("release", change, row.key, old_id, record_id))
        if key is not None:
            hold = self._claim("hold", change, key, change.local_id, record_id)
            effects.claims.append(msgspec.structs.replace(hold, moved_from=old_id) if key == row.key else hold)
        self._end(row)

    def _arrive(self, row: RowState, link: Link, record_id: str, effects: Effects) -> None:
        at = (link.incarnation, link.seq)
        earlier_life = bool(row.waiting) and self._place_of(row.waiting[0]) < at
        if row.record_id == record_id:
            return
        if (row.record_id is not None and at > row.place) or earlier_life:
            # The end of the row that had this id before is still to come; it belongs to that row's record.
            row.next = (record_id, at)
        elif row.waiting:
            self._flush(row, record_id, effects)
        elif at > row.place:
            row.record_id, row.key, row.place = record_id, None, at

    def _flush(self, row: RowState, record_id: str, effects: Effects) -> None:
        """Link a waiting row and pass on what waited, as if it came now."""
        waiting, row.waiting, row.parked = row.waiting, [], False
        first = self._decode(waiting[0])
        self._link(row, first, record_id, effects, key=row.key)
        for position, data in enumerate(waiting):
            if row.record_id is None:
                # The row ended among what waited, and a new one came under its id.
                return self._wait_again(row, waiting[position:], effects)
            self._pass(row, RowEvent(self._decode(data), data), effects)
        return None

    def _wait_again(self, row: RowState, waiting: list[bytes], effects: Effects) -> None:
        for data in waiting:
            event = RowEvent(self._decode(data), data)
            if row.record_id is not None:
                self._pass(row, event, effects)
            else:
                self._unlinked(row, event, effects)

    def _link(self, row: RowState, change: Change, record_id: str, effects: Effects, key: str | None = None) -> None:
        row.record_id, row.key = record_id, key
        effects.links.append(
            Link(entity=self._entity, system=change.system, local_id=_old_id(change), record_id=record_id)
        )

    def _end(self, row: RowState) -> None:
        row.record_id, row.key = (row.next[0], None) if row.next else (None, None)
        row.next = None

    def _key_of(self, change: Change) -> str | None:
        image = change.before if change.after is None else change.after
        return None if image is None else self._natural_key(change.system, image)

    def _takes_part(self, change: Change) -> bool:
        image = change.before if change.after is None else change.after
        if image is None:
            # The end of a row that nobody ever saw.
            return False
        return (self._admits is None or self._admits(change.system, image)) and not self._counts_as_gone(change)

    def _counts_as_gone(self, change: Change) -> bool:
        return self._is_gone is not None and change.after is not None and self._is_gone(change.system, change.after)

    def _place_of(self, data: bytes) -> tuple[int, int]:
        change = self._decode(data)
        return change.incarnation, change.seq

    def _claim(
        self,
        kind: Literal["claim", "hold", "release", "gone"],
        change: Change,
        key: str,
        local_id: str,
        record_id: str | None = None,
    ) -> Claim:
        return Claim(
            kind=kind,
            entity=self._entity,
            natural_key=key,
            system=change.system,
            local_id=local_id,
            record_id=record_id,
            ts_us=change.ts_us,
        )


def _old_id(change: Change) -> str:
    """The local id under which this entry is keyed."""
    return change.before_id if change.before_id is not None else change.local_id


def _ends(change: Change) -> bool:
    return change.after is None
