"""One record's row in an application, as its users and its API change it; and what was seen of it.

The oracle's bookkeeping is the simulation's (`Table`). A *place* is a place in the row's history: how many states it
had had. Every key that the application gives belongs to one life of the row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.merge.values import Row, Value
from tests.simulation.applications.draws import KEY
from tests.simulation.tables import Table
from tests.simulation.tokens import Token, token

ALTERABLE = ("plain", "upper", "trim")
Told = Callable[["ThingRow", str], None]


def _nobody(row: "ThingRow", event: str) -> None:
    """Nobody is told."""


@dataclass
class ThingRow(Table):
    """See the module's text. `cut`: how many letters of a text the application keeps, without saying so.

    `is_recognised`: a row of ours is told from others for sure. `searched_at`: the place at which a row with its key
    was looked for last. `is_twinned`: a second one was made meanwhile. `is_orphaned`: it was made by us, and we could
    not know it: it reads as somebody's new row.
    `windows` are edits (act, field) that a write without condition covered before anybody could see them, and those
    that turned back a write of ours whose answer was lost; and deletes (act, None) of a row that we were deleting.
    `mistaken` are values (field, value) that were there before a write of ours whose answer was lost: a user's edit of
    what we had written reads as one of these.
    """

    cut: int | None = None
    told: Told = _nobody
    next_key: Callable[[], int] = int
    clock_us: Callable[[], int] = int
    version: int = 0
    changed_us: int = 0
    marker: str | None = None
    places: dict[tuple[str, int], int] = field(default_factory=dict)
    begins: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    windows: set[tuple[int, str | None]] = field(default_factory=set)
    mistaken: set[tuple[str, Token]] = field(default_factory=set)
    sent: list[tuple[int, dict[str, Value]]] = field(default_factory=list)
    forms: set[tuple[int, str, Token]] = field(default_factory=set)
    is_recognised: bool = False
    searched_at: int = 0
    is_twinned: bool = False
    is_orphaned: bool = False

    def normal(self, row: Row) -> dict[str, Value]:
        """As the table keeps it; cut short, where the application does that."""
        kept = super().normal(row)
        if self.cut is None:
            return kept
        for piece in self.lens.pieces:
            for column in piece.columns if piece.kind in ALTERABLE and piece.fields != (KEY,) else ():
                value = kept.get(column)
                if isinstance(value, str) and len(value) > self.cut:
                    kept[column] = piece.normal(value[: self.cut])
        return kept

    def user_writes(
        self, after: Row | None, now: int, ts_us: int, act: int, new_id: str | None = None, load: bool = False
    ) -> None:
        """A user's edit. Whether it is found by the first load is known when that has been."""
        event = self._event(after)
        if event == "added":
            self._move_in(None)
        super().user_writes(after, now, ts_us, act)
        self._happened(event)

    def api_writes(self, wanted: Mapping[str, Value] | None, now: int, ts_us: int, marker: str | None = None) -> None:
        """What a program wrote, as the application makes it. None: the row goes."""
        after = None if wanted is None else self.normal({**(self.row or {}), **wanted})
        event = self._event(after)
        if event == "added":
            self._move_in(marker)
        self._put(None if after is None else dict(after), now, None)
        self._append(ts_us, command="ours")
        self._happened(event)
        self._note_forms(after or {}, wanted or {}, event == "added")

    def touch(self) -> None:
        """Written as it was: some applications count that."""
        self.version += 1
        self.changed_us = self.clock_us()
        self.places[self.local_id, self.version] = len(self.log)

    def values(self) -> dict[str, Any]:
        """The row as the API gives it. It is there."""
        assert self.row is not None
        return {"id": msgspec.json.decode(self.local_id)[0], **self.row, "marker": self.marker}

    def mark_loaded(self, since: int, until: int) -> None:
        """These states were found by the first load: nobody knows when they were typed."""
        for place in range(since, until):
            self.log[place] = msgspec.structs.replace(self.log[place], load=True)

    def covers(self, place: int, written: Mapping[str, Value]) -> None:
        """A write of these columns, made for the row as it was at a place, hides what users did to them since."""
        for at in range(place, len(self.log)):
            entry = self.log[at]
            before = self.log[at - 1].after if at else None
            if entry.act is not None and entry.after is not None:
                self._cover(entry.act, before or {}, entry.after, written)

    def repeats(self, written: Mapping[str, Value]) -> None:
        """A write that was made before, unanswered, is made again over users who had turned it back."""
        for place, earlier in self.sent:
            same = {column: value for column, value in written.items() if earlier.get(column) == value}
            self.covers(place, same)

    def is_ours(self) -> bool:
        """Whether the row that is there was made by us."""
        return self.row is not None and self.log[self.begins[self.local_id] - 1].act is None

    def formed(self) -> set[tuple[str, Token]]:
        """What the application silently made of values, as far as no answer said so."""
        return {(name, made) for _, name, made in self.forms}

    def was_answered(self, found_at: int, left_at: int, found: Row | None, left: Row | None) -> None:
        """The hub heard of what we wrote between these places, as far as the answer shows what the application made of
        it, and that it was not there before."""
        self.sent.clear()
        before, after = ({} if row is None else self.lens.read(row) for row in (found, left))

        def is_told(place: int, name: str) -> bool:
            made = self.lens.read(self.log[place - 1].after or {}).get(name)
            return found_at < place <= left_at and before.get(name) != made == after.get(name)

        self.forms = {(place, name, made) for place, name, made in self.forms if not is_told(place, name)}

    def was_deleted(self, left_at: int) -> None:
        """A delete of ours was answered as done, and the row was gone at this place: by whomever."""
        act = self.log[left_at - 1].act if left_at else None
        if act is not None:
            self.windows.add((act, None))

    def was_written(self, found_at: int, left_at: int, wanted: Mapping[str, Value]) -> None:
        """Between these places a write of ours was lost or made: what users set to the very same values is ours."""
        for at in range(found_at, left_at):
            entry = self.log[at]
            before = (self.log[at - 1].after if at else None) or {}
            if entry.act is not None and entry.after is not None:
                after = self.normal(wanted)
                same = {column: value for column, value in entry.after.items() if after.get(column, self) == value}
                self._cover(entry.act, before, entry.after, same)
        self._note_mistaken(found_at, left_at)
        self._note_unread(found_at, left_at)

    def _note_unread(self, found_at: int, left_at: int) -> None:
        """What a look showed meanwhile is merged with the answer, and the answer shows a value that cannot be read."""
        left = self._tokens(left_at)
        for place in range(found_at + 1, left_at + 1) if left else ():
            before, after, act = self._tokens(place - 1), self._tokens(place), self.log[place - 1].act
            if act is not None:
                changed = [name for name, made in after.items() if made != before.get(name)]
                self.windows.update((act, name) for name in changed if name not in left)

    def _note_mistaken(self, found_at: int, left_at: int) -> None:
        """Whoever edited what a lost write of ours had put there reads as one who edited what was there before; and
        one who put that back has edited nothing."""
        base, ours = self._tokens(found_at), dict[str, Token]()
        for place in range(found_at + 1, left_at + 1):
            before, after, act = self._tokens(place - 1), self._tokens(place), self.log[place - 1].act
            for name in (name for name, made in after.items() if made != before.get(name)):
                if act is None:
                    ours[name] = after[name]
                elif name in ours and before.get(name) == ours[name] and after[name] == base.get(name):
                    self.windows.add((act, name))
                elif name in ours and before.get(name) == ours[name]:
                    self.mistaken.add((name, base.get(name)))

    def _tokens(self, place: int) -> dict[str, Token]:
        row = self.log[place - 1].after if place else None
        return {} if row is None else {name: token(value) for name, value in self.lens.read(row).items()}

    def _note_forms(self, after: Row, wanted: Mapping[str, Value], is_new: bool) -> None:
        kept = self.lens.read(after)
        for piece in self.lens.pieces:
            is_altered = any(column in wanted and wanted[column] != after[column] for column in piece.columns)
            # Of several fields in one unit, one that a user edits next makes the others look like his.
            is_joined = len(self.lens.unit_of[piece.fields[0]]) > 1 and any(
                column in wanted for column in piece.columns
            )
            if is_altered or is_joined or (is_new and not self.is_recognised):
                self.forms.update((len(self.log), name, token(kept.get(name))) for name in piece.fields)

    def _cover(self, act: int, before: Row, after: Row, written: Mapping[str, Value]) -> None:
        for piece in self.lens.pieces:
            changed = [column for column in piece.columns if before.get(column) != after.get(column)]
            if any(column in written for column in changed):
                self.windows.update((act, name) for name in piece.fields)

    def _event(self, after: Row | None) -> str:
        return "deleted" if after is None else "added" if self.row is None else "edited"

    def _move_in(self, marker: str | None) -> None:
        self.local_id, self.version, self.marker, self.sent = f"[{self.next_key()}]", 0, marker, []

    def _happened(self, event: str) -> None:
        place = len(self.log)
        self.version += 1
        self.changed_us = self.clock_us()
        self.places[self.local_id, self.version] = place
        if event == "added":
            self.begins[self.local_id] = place
        elif event == "deleted":
            self.ends[self.local_id] = place
        self.told(self, event)
