"""One canonical field in one system: its parts, and the checks its value must pass."""

from dataclasses import dataclass

from schemas.project.model import Direction, FieldRule
from streams.errors import InvalidValueError
from streams.mapping.parts import Part
from streams.mapping.validity import Validate
from streams.merge.values import Row, Value


@dataclass(frozen=True, slots=True)
class FieldLens:
    """A field's way into a row and out of it."""

    name: str
    rule: FieldRule
    direction: Direction
    parts: tuple[Part, ...]
    validate: Validate | None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for part in self.parts for column in part.columns)

    def read(self, row: Row) -> Value:
        """The field's value as the columns show it, unchecked. Raises InvalidValueError."""
        if self.rule.group is None:
            return self.parts[0].read(row)[0]
        members: list[Value] = [None] * len(self.rule.group)
        for part in self.parts:
            for place, value in zip(part.places, part.read(row), strict=True):
                members[place] = value
        return tuple(members)

    def get(self, row: Row) -> Value:
        """The field's value, if it is one that the field takes. Raises InvalidValueError."""
        value = self.read(row)
        if self.validate is not None:
            self.validate(value)
        return value

    def put(self, value: Value, row: Row) -> dict[str, Value]:
        """The columns with this value written into them. Raises InvalidValueError if they cannot say it.

        Columns that already show the value, or as much of it as they can show at all, stay as they are: a text
        written in another way that means the same is no difference, and must not be corrected back and forth.
        """
        shown = self._shown(row)
        if shown == (value,):
            return {}
        written = self._write(value, row)
        unchanged = all(row[column] == new for column, new in written.items())
        if unchanged or (shown and self._shown({**row, **written}) == shown):
            return {}
        return written

    def _shown(self, row: Row) -> tuple[Value, ...]:
        try:
            return (self.read(row),)
        except InvalidValueError:
            return ()

    def _write(self, value: Value, row: Row) -> dict[str, Value]:
        if self.rule.group is None:
            return self.parts[0].write((value,), row)
        members = (None,) * len(self.rule.group) if value is None else value
        if not isinstance(members, tuple) or len(members) != len(self.rule.group):
            raise InvalidValueError(repr(value), f"is no value of the group {', '.join(self.rule.group)}")
        written: dict[str, Value] = {}
        for part in self.parts:
            written.update(part.write(tuple(members[place] for place in part.places), row))
        return written
