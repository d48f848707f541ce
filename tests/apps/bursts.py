"""A burst of work on both sides of an example, in the midst of which something is killed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from duplex.examples.sides import Row, Side
from duplex.examples.steps import Pair
from tests.waiting import eventually

LIMIT_S = 180.0
# How many records each side makes, and how many both know before and edit at once, in a field each.
MADE, KNOWN = 18, 6
# So many of the newest are on their way when something is killed.
UNDER_WAY = 3
Kill = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Burst:
    """`named` makes a record's key of a word that no other burst has; `ours` and `theirs` are fields of other units."""

    pair: Pair
    named: Callable[[str], str]
    ours: str
    theirs: str

    async def play(self, kills: Sequence[Kill]) -> None:
        """Let both sides work, kill one after the other meanwhile, and judge what came of it."""
        for number in range(KNOWN):
            await self.pair.left.create(self._row("known", number))
        await self.becomes([self._row("known", number) for number in range(KNOWN)])
        every = MADE // (len(kills) + 1)
        for number in range(MADE):
            works = zip(self._sides, (self.ours, self.theirs), strict=True)
            await asyncio.gather(*(self._work(side, field, number) for side, field in works))
            if number % every == every - 1 and number // every < len(kills):
                await self.becomes([self._row("crm", max(0, number - UNDER_WAY))])
                await kills[number // every]()
        await self._judge()

    async def becomes(self, wanted: Sequence[Row]) -> None:
        """Wait until both sides say these things."""

        async def missing() -> list[Row]:
            found = [{row[self.pair.key]: row for row in await side.rows()} for side in self._sides]
            return [row for row in wanted if not all(_says(rows.get(row[self.pair.key]), row) for rows in found)]

        async def there() -> bool:
            return not await missing()

        try:
            await eventually(there, LIMIT_S)
        except AssertionError as error:
            raise AssertionError(f"not on both sides after {LIMIT_S} s: {await missing()}") from error

    async def _work(self, side: Side, field: str, number: int) -> None:
        await side.create(self._row(side.system, number))
        await side.update(self.named(f"known-{number % KNOWN}"), {field: f"{field} {number}"})

    async def _judge(self) -> None:
        """Every edit is on both sides, and nothing is there twice."""
        made = [self._row(side.system, number) for side in self._sides for number in range(MADE)]
        known = [self._edited(number) for number in range(MADE - KNOWN, MADE)]
        await self.becomes([*made, *known])
        wanted = {row[self.pair.key] for row in (*made, *known)}
        for side in self._sides:
            keys = [row[self.pair.key] for row in await side.rows() if row[self.pair.key] in wanted]
            assert sorted(keys) == sorted(wanted), f"something is twice in {side.name}"

    @property
    def _sides(self) -> tuple[Side, Side]:
        return self.pair.left, self.pair.right

    def _row(self, kind: str, number: int) -> Row:
        return {self.pair.key: self.named(f"{kind}-{number}"), "name": f"{kind} {number}"}

    def _edited(self, number: int) -> Row:
        edits = {field: f"{field} {number}" for field in (self.ours, self.theirs)}
        return {self.pair.key: self.named(f"known-{number % KNOWN}"), **edits}


def _says(row: Row | None, wanted: Row) -> bool:
    return row is not None and all(row[field] == value for field, value in wanted.items())
