"""One create to an application without a log: never a second row for a record, whatever was lost on the way.

Before a row is made, one with the same natural key is looked for: it stands for the same record, and its own look will
join it. After an answer that was lost, or a crash, the row is looked for by what the application offers: it takes the
same create again without effect (an idempotency key), it keeps a text of ours (a marker), it knows the key beforehand,
or it finds rows by natural key. Where it offers nothing the create fails, and says so: guessing would make two.

A create that a row stands in the way of fails only when that row was told. Until then it waits: should the row go
before anybody has seen it, nobody would ever say so, and the create would never be asked for again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.errors import UnreachableError
from connectors.remote.api import Found, RowRefusedError
from connectors.remote.values import decode
from connectors.remote.writes import Seen, Writer
from schemas.messages import Result

TWIN = "a row with the same {columns} is there already; it is the same record, and will be linked to it"
UNSEEN = "a row with the same {columns} is there already; the create waits until that row is told, or gone"
UNKNOWN = (
    "the answer to a create was lost, and whether a row was made is not known: the application offers neither an "
    "idempotency key, nor a marker, nor a search by natural key"
)
UNSEARCHABLE = (
    "{reason}. The application offers no search by {columns}: if a row with the same is in the way, it joins the "
    "record when the next sweep tells it; if none is, `duplex conflicts retry {record}` tries again"
)
AMBIGUOUS = "the answer to a create was lost, and several rows may be the one that was made: {ids}"

NOWHERE = Seen(None, 0, False)
"""No row, before every look: says nothing against a row that somebody has seen there."""


class TwinUnseenError(UnreachableError):
    """A row stands in the way of a create, and was not told yet. Nothing was written."""

    def __str__(self) -> str:
        return f"{self.system}: {self.address}: {self.reason}"


class Creation:
    """Carries out one create with a writer made for it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._engine = writer.engine
        self._resource = writer.resource
        self._api = writer.api
        self._command = writer.command
        # Keys that the application gives: a row made anew gets a new one.
        own = {column.name for column in self._api.columns if column.generated or column.has_default}
        self._own = own.intersection(writer.columns.key)

    async def attempt(self) -> Result:
        """One try. Raises MovedError, AnswerLostError, UnreachableError."""
        self._engine.creates.begin(self._resource.entity, self._command.id)
        try:
            if self._command.local_id is None:
                return await self._attempt()
            async with self._engine.alone_at((self._resource.entity, self._command.local_id)):
                return await self._attempt()
        except RowRefusedError as error:
            self._writer.ledger.withdraw(self._command)
            return await self._writer.answer(NOWHERE, NOWHERE, error=error.reason)

    async def _attempt(self) -> Result:
        wanted = self._wanted()
        if self._writer.intent() is not None:
            return await (self._create(wanted) if self._api.abilities.idempotent else self._taken_up(wanted))
        number = self._engine.numbers.take()
        if self._command.number > 1 and (made := await self._marked()):
            return await self._ours(made, wanted, number)
        there = await self._known(wanted) or await self._resting(wanted)
        if there is None:
            return await self._create(wanted)
        if there.found is not None and self._resource.is_resting(there.found):
            return await self._restore(there, wanted)
        return await self._theirs(there)

    async def _taken_up(self, wanted: Mapping[str, Any]) -> Result:
        """An earlier attempt may have made the row. Raises RowRefusedError where that cannot be found out."""
        number = self._engine.numbers.take()
        if self._api.abilities.marker is not None:
            made = await self._marked()
            return await (self._ours(made, wanted, number, is_sure=True) if made else self._create(wanted))
        if self._known_id(wanted) is not None:
            seen = await self._known(wanted)
            return await (self._ours([seen.found], wanted, number) if seen and seen.found else self._create(wanted))
        twins = await self._twins(wanted)
        if twins is None:
            raise self._writer.refused(UNKNOWN)
        return await (self._ours(twins, wanted, number) if twins else self._create(wanted))

    async def _ours(
        self, made: Sequence[Found], wanted: Mapping[str, Any], number: int, is_sure: bool = False
    ) -> Result:
        """The row that was made earlier, by a look of this number; where it may be somebody else's, and differs from
        what was wanted, it is told as found: an edit?"""
        if len(made) > 1:
            ids = ", ".join(sorted(found.local_id for found in made))
            raise self._writer.refused(AMBIGUOUS.format(ids=ids))
        found = made[0]
        seen = self._writer.seen(found.local_id, found, number)
        if self._resource.is_resting(found):
            return await self._restore(seen, wanted)
        if is_sure:
            return await self._made_earlier(seen, wanted)
        if not self._writer.columns.same(wanted, found.values):
            return await self._theirs(seen)
        return await self._made(NOWHERE, seen)

    async def _create(self, wanted: Mapping[str, Any]) -> Result:
        abilities = self._api.abilities
        if "c" not in abilities.writes:
            raise self._writer.refused("the application does not let rows be made")
        is_again = self._writer.intent() is not None
        await self._writer.intend(NOWHERE)
        values = dict(wanted)
        if abilities.marker is not None:
            values[abilities.marker] = self._command.record_id
        number = self._engine.numbers.take()
        try:
            made = await self._api.create(self._writer.columns.typed(values), self._command.id)
        except RowRefusedError as error:
            self._writer.ledger.withdraw(self._command)
            raise await self._refusal(error, wanted) from error
        self._engine.writes.happened((self._resource.entity, made.local_id))
        left = self._writer.seen(made.local_id, made, number)
        if is_again:
            return await self._made_earlier(left, wanted)
        return await self._made(Seen(None, left.order - 1, left.versioned), left)

    async def _refusal(self, error: RowRefusedError, wanted: Mapping[str, Any]) -> RowRefusedError:
        """What to say of a row that was not taken. Raises TwinUnseenError where another stands in its way, unseen."""
        twins, match = await self._twins(wanted), self._resource.spec.match
        self._require_told(self._living(twins or ()))
        if twins is not None or any(wanted.get(name) is None for name in match) or not match:
            return error
        columns, reason = ", ".join(match), error.reason.rstrip(".")
        return self._writer.refused(UNSEARCHABLE.format(reason=reason, columns=columns, record=self._command.record_id))

    async def _made_earlier(self, now: Seen, wanted: Mapping[str, Any]) -> Result:
        """The row is surely ours, and was made by an earlier attempt. Who changed it since, a user or the application
        itself, cannot be told; so it is answered as it was made, and looked at once more: a user's edit must not be
        taken for what the application makes of our values."""
        assert now.found is not None
        if self._writer.columns.same(wanted, now.found.values):
            return await self._made(NOWHERE, now)
        values = {**now.found.values, **wanted}
        order = now.order - 1 if now.versioned else now.order
        self._engine.doubtful[self._resource.entity, now.found.local_id] = None
        return await self._made(NOWHERE, Seen(replace(now.found, values=values), order, now.versioned))

    async def _made(self, before: Seen, left: Seen) -> Result:
        """There was no row, and now there is this one. Where it was made by an earlier attempt, somebody may have told
        it meanwhile: that there was none is said of the time before every look, or it would read as a delete."""
        assert left.found is not None
        self._engine.creates.made(self._resource.entity, self._command.id, left.found.local_id)
        return await self._writer.answer(before, left, local_id=left.found.local_id)

    async def _theirs(self, there: Seen) -> Result:
        """A row that was there already: left alone, and told."""
        assert there.found is not None
        return await self._writer.answer(there, there, local_id=there.found.local_id)

    async def _restore(self, there: Seen, wanted: Mapping[str, Any]) -> Result:
        """A row that counts as gone takes the values, and counts again."""
        assert there.found is not None
        removal = self._resource.spec.removal
        values = {name: value for name, value in wanted.items() if name not in self._writer.columns.key}
        values[str(removal.column)] = removal.restore
        return await self._writer.write(there, there, self._api.update(there.found, self._writer.columns.typed(values)))

    # --- what may be there

    def _wanted(self) -> dict[str, Any]:
        """The columns that the create sets. Raises RowRefusedError."""
        values = dict(self._resource.spec.constants)
        for _, wanted in self._writer.units():
            values |= wanted
        if self._command.local_id is not None:
            key = decode(self._command.local_id)
            values |= dict(zip(self._writer.columns.key, key, strict=True))
        return {name: value for name, value in values.items() if name not in self._own}

    def _known_id(self, wanted: Mapping[str, Any]) -> str | None:
        """The local id that the row will have, where that is known beforehand."""
        key = [wanted.get(name) for name in self._writer.columns.key]
        return None if any(value is None for value in key) else self._writer.columns.local_id(key)

    async def _known(self, wanted: Mapping[str, Any]) -> Seen | None:
        """The row with the key of the create."""
        local_id = self._known_id(wanted)
        seen = None if local_id is None else await self._writer.look(local_id)
        return seen if seen is not None and seen.found is not None else None

    async def _resting(self, wanted: Mapping[str, Any]) -> Seen | None:
        """The row with the natural key of the create that counts as gone. Raises RowRefusedError for any other."""
        number = self._engine.numbers.take()
        twins = await self._twins(wanted) or []
        if living := self._living(twins):
            self._require_told(living)
            raise self._writer.refused(TWIN.format(columns=", ".join(self._resource.spec.match)))
        first = min(twins, key=lambda twin: twin.local_id, default=None)
        return None if first is None else self._writer.seen(first.local_id, first, number)

    def _living(self, twins: Sequence[Found]) -> list[Found]:
        return [twin for twin in twins if not self._resource.is_resting(twin)]

    def _require_told(self, twins: Sequence[Found]) -> None:
        """Have rows that stand in the way looked at, if need be. Raises TwinUnseenError."""
        entity, marks = self._resource.entity, self._engine.marks
        unseen = [twin.local_id for twin in twins if not marks.is_told(entity, twin.local_id)]
        if unseen:
            self._engine.doubtful |= {(entity, local_id): None for local_id in unseen}
            reason = UNSEEN.format(columns=", ".join(self._resource.spec.match))
            raise TwinUnseenError(self._engine.system, f"row {unseen[0]}", f"systems.{self._engine.system}", reason)

    async def _twins(self, wanted: Mapping[str, Any]) -> Sequence[Found] | None:
        """The rows with the same natural key; None: there is no telling."""
        match = {name: wanted.get(name) for name in self._resource.spec.match}
        if not match or any(value is None for value in match.values()):
            return None
        try:
            found = await self._api.find(self._writer.columns.typed(match))
        except NotImplementedError:
            return None
        # A search may be broader than it should: by prefix, without case.
        return [one for one in found if self._writer.columns.same(match, one.values)]

    async def _marked(self) -> Sequence[Found]:
        """The rows that carry our marker."""
        marker = self._api.abilities.marker
        if marker is None:
            return ()
        found = await self._api.find({marker: self._command.record_id})
        return [one for one in found if one.values.get(marker) == self._command.record_id]
