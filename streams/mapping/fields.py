"""One canonical field in one system: its parts, and the checks its value must pass."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

from schemas.project.model import Direction, FieldRule
from streams.errors import InvalidValueError
from streams.mapping import conversions
from streams.mapping.parts import ColumnPart, Part
from streams.mapping.validity import Validate
from streams.merge.values import Row, Value

Read = Callable[[Row], Value]
Write = Callable[[Value], Value]


@dataclass(frozen=True, slots=True)
class FieldLens:
    """A field's way into a row and out of it. Made by `field_lens`.

    `read` gives the value as the columns show it, unchecked; `get` only one that the field takes. Both raise
    InvalidValueError. `plain`: the columns' normal forms are the canonical values themselves. `single` writes a plain
    field of one column.
    """

    name: str
    rule: FieldRule
    direction: Direction
    parts: tuple[Part, ...]
    columns: tuple[str, ...]
    read: Read
    get: Read
    plain: bool
    single: Write | None

    def put(self, value: Value, row: Row) -> dict[str, Value]:
        """The columns with this value written into them. Raises InvalidValueError if they cannot say it.

        Columns that already show the value, or as much of it as they can show at all, stay as they are: a text
        written in another way that means the same is no difference, and must not be corrected back and forth.
        """
        if self.single is not None:
            column = self.columns[0]
            held = row[column]
            if held == value or (new := self.single(value)) == held:
                return {}
            return {column: new}
        shown = self._shown(row)
        if shown == (value,):
            return {}
        written = self._write(value, row)
        for column, now in written.items():
            if row[column] != now:
                break
        else:
            return {}
        if self.plain or not shown:
            return written
        return {} if self._shown({**row, **written}) == shown else written

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


def field_lens(
    name: str, rule: FieldRule, direction: Direction, parts: tuple[Part, ...], validate: Validate | None
) -> FieldLens:
    """A field with its parts; what can be known of them beforehand is worked out once."""
    columns = tuple(column for part in parts for column in part.columns)
    plain = all(isinstance(part, ColumnPart) and part.conversion.plain for part in parts)
    read = _plain_reader(parts) if plain else _reader(rule, parts)
    get = read if validate is None else _checked(read, validate)
    single = _single_writer(rule, parts[0]) if plain and rule.group is None else None
    return FieldLens(name, rule, direction, parts, columns, read, get, plain, single)


def _single_writer(rule: FieldRule, part: Part) -> Write | None:
    return conversions.writer(rule, part.conversion, part.normalise) if isinstance(part, ColumnPart) else None


def _plain_reader(parts: tuple[Part, ...]) -> Read:
    in_order = sorted(parts, key=lambda part: part.places)
    return itemgetter(*(part.columns[0] for part in in_order))


def _reader(rule: FieldRule, parts: tuple[Part, ...]) -> Read:
    if rule.group is None:
        only = parts[0]
        return lambda row: only.read(row)[0]
    count = len(rule.group)

    def read(row: Row) -> Value:
        members: list[Value] = [None] * count
        for part in parts:
            for place, value in zip(part.places, part.read(row), strict=True):
                members[place] = value
        return tuple(members)

    return read


def _checked(read: Read, validate: Validate) -> Read:
    def get(row: Row) -> Value:
        value = read(row)
        validate(value)
        return value

    return get
