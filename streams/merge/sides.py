"""A lens as the merge uses it: looked up once, so that a hot record costs no property calls."""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.merge.lenses import Lens, LensUnit
from streams.merge.values import Row, Value, Values


@dataclass(frozen=True, slots=True)
class Side:
    """One system's lens, narrowed to the entity's fields.

    `told` are the units with a field this system is told of, each with those fields only; `told_by` has for every
    such field its place in `told`. `columns_of` has, for every mapped field, the columns of its unit; `read_from`, for
    every column, the readable fields of its unit; `unread` are the fields that are only written here. `exact` says
    that the lens reads no field but the entity's.
    """

    lens: Lens
    columns: tuple[str, ...]
    readable: frozenset[str]
    writable: tuple[str, ...]
    told: tuple[LensUnit, ...]
    told_by: Mapping[str, int]
    columns_of: Mapping[str, tuple[str, ...]]
    read_from: Mapping[str, tuple[str, ...]]
    unread: tuple[str, ...]
    exact: bool
    column_set: frozenset[str]

    def image(self, row: Row) -> dict[str, Value]:
        """The mapped columns of a row; an absent one is null. It may be the row itself: images are never changed."""
        if isinstance(row, dict) and row.keys() == self.column_set:
            return row
        return {column: row.get(column) for column in self.columns}

    def values(self, row: Row) -> dict[str, Value]:
        """The valid readable fields of a row."""
        found = self.lens.get(row)
        return found if self.exact else {name: value for name, value in found.items() if name in self.readable}

    def some(self, row: Row, names: frozenset[str]) -> dict[str, Value]:
        """Of these readable fields those that are valid."""
        return self.lens.get(row, names)

    def put(self, values: Values, row: Row | None, columns: tuple[str, ...]) -> dict[str, Value]:
        """These columns of `row`, whole units of it, with the values written into them."""
        part = None if row is None else {column: row.get(column) for column in columns}
        return self.written(values, part, columns)

    def written(self, values: Values, part: Row | None, columns: tuple[str, ...]) -> dict[str, Value]:
        """As `put`, of a row that is already narrowed to these columns."""
        found = self.lens.put(values, part)
        return found if tuple(found) == columns else {column: found.get(column) for column in columns}

    def shows(self, name: str, value: Value, row: Row | None) -> bool:
        """Whether the row shows this value of a field, as well as the system can show it."""
        if row is None:
            return False
        if name in self.writable:
            columns = self.columns_of[name]
            part = {column: row.get(column) for column in columns}
            return self.written({name: value}, part, columns) == part
        found = self.values(row)
        return name in found and found[name] == value


def side_of(lens: Lens, fields: tuple[str, ...]) -> Side:
    """The side that a lens shows to an entity with these fields."""
    writable = tuple(name for name in fields if name in lens.writable)
    narrowed = (LensUnit(tuple(f for f in unit.fields if f in writable), unit.columns) for unit in lens.units)
    told = tuple(unit for unit in narrowed if unit.fields)
    return Side(
        lens=lens,
        columns=lens.columns,
        readable=frozenset(fields) & lens.readable,
        writable=writable,
        told=told,
        told_by={name: place for place, unit in enumerate(told) for name in unit.fields},
        columns_of={name: unit.columns for unit in lens.units for name in unit.fields},
        read_from={
            column: tuple(name for name in unit.fields if name in lens.readable and name in fields)
            for unit in lens.units
            for column in unit.columns
        },
        unread=tuple(name for name in writable if name not in lens.readable),
        exact=lens.readable <= frozenset(fields),
        column_set=frozenset(lens.columns),
    )
