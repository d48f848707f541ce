"""Parts of a lens: each reads one or several members from its own columns, and writes them there.

A field that is no group has one part with one member. No two parts share a column, so a field and its columns are
a unit by themselves: what is compared and set as a whole.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from schemas.project.column_types import ColumnType
from schemas.project.model import Column, FieldRule, Join, Single, Split
from streams.errors import InvalidValueError
from streams.mapping import conversions, joins
from streams.mapping.columns import Normalise, normaliser
from streams.mapping.conversions import Conversion
from streams.merge.values import Row, Value

Members = tuple[Value, ...]


class Part(Protocol):
    """Reads and writes `places`, the indexes of its members in the group; (0,) where there is no group."""

    @property
    def places(self) -> tuple[int, ...]: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def read(self, row: Row) -> Members:
        """The members' canonical values. Raises InvalidValueError, naming the column."""
        ...

    def write(self, members: Members, row: Row) -> dict[str, Value]:
        """The columns as they will be found when these members are written. Raises InvalidValueError."""
        ...


@dataclass(frozen=True, slots=True)
class ColumnPart:
    """One member in one column."""

    places: tuple[int, ...]
    column: str
    conversion: Conversion
    normalise: Normalise
    rule: FieldRule

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def read(self, row: Row) -> Members:
        value = row[self.column]
        if value is None:
            return (None,)
        try:
            return (self.conversion.read(value),)
        except InvalidValueError as error:
            raise InvalidValueError(
                f"column {self.column} holds {_short(error.subject)}, which", error.reason
            ) from error

    def write(self, members: Members, row: Row) -> dict[str, Value]:
        value = members[0]
        if value is None:
            return {self.column: None}
        return {self.column: self.normalise(self.conversion.write(conversions.expected(self.rule, value)))}


@dataclass(frozen=True, slots=True)
class JoinPart:
    """One text in several columns."""

    places: tuple[int, ...]
    columns: tuple[str, ...]
    separator: str
    normalisers: tuple[Normalise, ...]
    rule: FieldRule

    def read(self, row: Row) -> Members:
        return (joins.join([_text(row[column], column) for column in self.columns], self.separator),)

    def write(self, members: Members, row: Row) -> dict[str, Value]:
        if members[0] is None:
            return dict.fromkeys(self.columns)
        held = [_text(row[column], column) for column in self.columns]
        parts = joins.distribute(conversions.expected(self.rule, members[0]), self.separator, held)
        return {
            column: normalise(part)
            for column, normalise, part in zip(self.columns, self.normalisers, parts, strict=True)
        }


@dataclass(frozen=True, slots=True)
class SplitPart:
    """Several members in one text column."""

    places: tuple[int, ...]
    column: str
    separator: str
    normalise: Normalise
    rule: FieldRule

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def read(self, row: Row) -> Members:
        return joins.split(_text(row[self.column], self.column), self.separator, len(self.places))

    def write(self, members: Members, row: Row) -> dict[str, Value]:
        texts = [None if member is None else str(conversions.expected(self.rule, member)) for member in members]
        return {self.column: self.normalise(joins.join(texts, self.separator))}


def _text(value: Value, column: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidValueError(f"column {column} holds {value!r}, which", "is no text")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"


def parts(rule: FieldRule, members: Mapping[int, Single], kinds: Mapping[str, ColumnType]) -> Iterator[Part]:
    """The parts of a field whose members, by index, are mapped like this to columns of these kinds."""
    splits: dict[str, list[int]] = {}
    for place, single in members.items():
        if isinstance(single, Column):
            kind = kinds[single.column]
            conversion = conversions.conversion(rule, single, kind)
            yield ColumnPart((place,), single.column, conversion, normaliser(kind), rule)
        elif isinstance(single, Join):
            normalisers = tuple(normaliser(kinds[column]) for column in single.join)
            yield JoinPart((place,), single.columns, single.separator, normalisers, rule)
        else:
            splits.setdefault(single.split, []).append(place)
    for column, places in splits.items():
        separator = next(
            single.separator for single in members.values() if isinstance(single, Split) and single.split == column
        )
        yield SplitPart(tuple(places), column, separator, normaliser(kinds[column]), rule)
