"""What users do in a showing, and how it is seen to have arrived: by looking at both sides, nowhere else."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from duplex.examples.sides import Row, Side, Table

EXISTENCE = "$"
Look = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Edit:
    """A value that a user gave a field of the record with this key; of EXISTENCE: None, the record was removed."""

    key: str
    field: str
    value: object


@dataclass(frozen=True, slots=True)
class Step:
    """`do` is what users do, `held` whether it is seen where it belongs; `clash` names the field in which two users
    contradict each other, so that one of the values must be on record as a conflict."""

    title: str
    shown: str
    do: Callable[[], Awaitable[object]]
    held: Look
    edits: tuple[Edit, ...] = ()
    clash: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of a showing; `key` is the field by which their records are matched."""

    left: Table
    right: Side
    key: str

    async def equal(self) -> bool:
        """Whether both sides have the same records, and any at all."""
        left, right = await self.left.rows(), await self.right.rows()
        return bool(left) and self._ordered(left) == self._ordered(right)

    async def has(self, side: Side, key: str) -> Row | None:
        """The record with this key on one side."""
        found = [row for row in await side.rows() if row[self.key] == key]
        return found[0] if found else None

    def first_sync(self) -> Step:
        """The records that each side brought."""
        return Step("the records that were there", "both sides have all of them, equal", nothing, self.equal)

    def created(self, side: Side, row: Row) -> Step:
        """A record is made on one side."""
        key, other = row[self.key], self._other(side)
        edits = tuple(Edit(key, field, value) for field, value in row.items())
        title = f"{row.get('name', key)} is created in {side.name}"
        return Step(title, f"{other.name} has it too", lambda: side.create(row), lambda: self._both(key, row), edits)

    def edited(self, side: Side, key: str, values: Row) -> Step:
        """Fields are changed on one side."""
        shown = f"{self._other(side).name} says {_told(values)}"
        title = f"{_names(values)} of {key} is edited in {side.name}"
        edits = _edits(key, values)
        return Step(title, shown, lambda: side.update(key, values), lambda: self._both(key, values), edits)

    def apart(self, key: str, left: Row, right: Row) -> Step:
        """Different fields of one record are changed on both sides, neither user having seen the other's edit."""
        title = f"{_names(left)} of {key} in {self.left.name} and {_names(right)} in {self.right.name}, at once"
        wanted = {**left, **right}
        return self._at_once((title, "both edits are in both"), key, left, right, lambda: self._both(key, wanted))

    def united(self, key: str, field: str, left: Sequence[str], right: Sequence[str]) -> Step:
        """Items are added to the same list on both sides, neither user having seen the other's."""
        both = sorted({*left, *right})
        told = (f"the {field} of {key} are added to on both sides, at once", f"both have {', '.join(both)}")
        return self._at_once(told, key, {field: left}, {field: right}, lambda: self._both(key, {field: both}))

    def clashed(self, key: str, field: str, left: object, right: object) -> Step:
        """The same field is changed on both sides to different values, neither user having seen the other's edit."""

        async def settled() -> bool:
            rows = (await self.has(self.left, key), await self.has(self.right, key))
            found = [row[field] for row in rows if row is not None]
            return len(found) == 2 and found[0] == found[1] and found[0] in (left, right)

        told = (f"the {field} of {key} is edited on both sides, at once, and differently", "one value is in both")
        return replace(self._at_once(told, key, {field: left}, {field: right}, settled), clash=field)

    def removed(self, side: Side, key: str) -> Step:
        """A record is removed on one side."""
        other = self._other(side)

        async def gone() -> bool:
            return await self.has(side, key) is None and await self.has(other, key) is None

        title, shown = f"{key} is removed in {side.name}", f"it is gone from {other.name}"
        return Step(title, shown, lambda: side.delete(key), gone, (Edit(key, EXISTENCE, None),))

    async def _both(self, key: str, wanted: Row) -> bool:
        found = (await self.has(self.left, key), await self.has(self.right, key))
        return all(row is not None and all(row[field] == value for field, value in wanted.items()) for row in found)

    def _at_once(self, told: tuple[str, str], key: str, left: Row, right: Row, held: Look) -> Step:
        async def do() -> None:
            async with self.left.unseen():
                await self.left.update(key, left)
                await self.right.update(key, right)

        return Step(*told, do, held, _edits(key, left) + _edits(key, right))

    def _other(self, side: Side) -> Side:
        return self.right if side is self.left else self.left

    def _ordered(self, rows: Sequence[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: str(row[self.key]))


async def nothing() -> None:
    """What users do in a step in which they do nothing."""


def _edits(key: str, values: Row) -> tuple[Edit, ...]:
    return tuple(Edit(key, field, value) for field, value in values.items())


def _names(values: Row) -> str:
    return " and ".join(f"the {field}" for field in values)


def _told(values: Row) -> str:
    return ", ".join(f"{field} {value!r}" for field, value in values.items())
