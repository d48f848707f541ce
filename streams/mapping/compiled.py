"""A system's view of an entity, compiled once from the project file and the table's column types.

`TableLens` is the lens that the merge works with (`streams.merge.lenses.Lens`), and reads and writes the row images
of its table. It is immutable and may be shared.
"""

from collections.abc import Container, Mapping
from functools import cached_property
from typing import Any, Literal

from schemas.project import column_types
from schemas.project.column_types import ColumnType
from schemas.project.model import Column, Entity, EntitySystem, FieldRule, Filter, Mode, Single
from streams.errors import InvalidValueError, MappingError
from streams.mapping.columns import normaliser
from streams.mapping.fields import FieldLens, Read, field_lens
from streams.mapping.filters import RowFilter
from streams.mapping.images import Images
from streams.mapping.parts import parts
from streams.mapping.validity import validator
from streams.merge.lenses import LensUnit
from streams.merge.values import Row, Value, Values

COMBINATIONS_KNOWN = 1 << 10


class TableLens:
    """One table as one entity. Made by `compile_lens`."""

    def __init__(
        self,
        entity: str,
        system: str,
        fields: tuple[FieldLens, ...],
        kinds: Mapping[str, ColumnType],
        row_filter: RowFilter,
        on_leave: Literal["ignore", "delete"],
        gone: RowFilter | None = None,
    ) -> None:
        self.entity, self.system, self.fields, self.on_leave = entity, system, fields, on_leave
        self._gone = gone
        self.kinds: dict[str, ColumnType] = {column: kinds[column] for one in fields for column in one.columns}
        self._filter = row_filter
        self._images = Images(entity, system, self.kinds)
        self._normalisers = {column: normaliser(kind) for column, kind in self.kinds.items()}
        self._readable = tuple(one for one in fields if one.direction != "out")
        self._getters = tuple((one.name, one.get) for one in self._readable)
        self._chosen: dict[frozenset[str], tuple[tuple[str, Read], ...]] = {}
        self._writable = {one.name: one for one in fields if one.direction != "in"}
        self._created = tuple(column for one in self._writable.values() for column in one.columns)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every mapped column, in the file's order."""
        return tuple(self.kinds)

    @cached_property
    def readable(self) -> frozenset[str]:
        """Fields whose edits in this system count."""
        return frozenset(one.name for one in self._readable)

    @cached_property
    def writable(self) -> frozenset[str]:
        """Fields this system is told of."""
        return frozenset(self._writable)

    @cached_property
    def units(self) -> tuple[LensUnit, ...]:
        """Fields with their columns. No two fields share a column, so each is a component by itself."""
        return tuple(LensUnit((one.name,), one.columns) for one in self.fields)

    def load(self, text: str) -> dict[str, Value]:
        """The mapped columns of a row image, in normal form. Raises RowImageError: see `Images.load`."""
        return self._images.load(text)

    def dump(self, row: Row) -> str:
        """A row, or a part of one, as JSON object text that Postgres reads back into the same values."""
        return self._images.dump(row)

    def dump_new(self, row: Row) -> str:
        """A row to be created, without the columns that this system fills itself (direction in)."""
        return self._images.dump({column: row[column] for column in self._created})

    def admits(self, row: str | Row) -> bool:
        """Whether a row takes part, judged by its image's text or by a row that has the filtered columns."""
        return self._filter.admits(row)

    def is_gone(self, row: str | Row) -> bool:
        """Whether a row is there and counts as deleted: it holds the value that marks rows as inactive.

        Judged by its image's text, or by a row that has the column. Raises RowImageError for one that lacks it.
        """
        return self._gone is not None and self._gone.admits(row)

    def normalise(self, column: str, value: Any) -> Value:
        """Any value of this column in the form that is compared. Raises InvalidValueError."""
        return self._normalisers[column](value)

    def get(self, row: Row, names: Container[str] | None = None) -> dict[str, Value]:
        """The readable fields of a row, or those of `names`; one whose columns hold nothing valid is left out."""
        values: dict[str, Value] = {}
        for name, get in self._getters if names is None else self._some(names):
            try:
                values[name] = get(row)
            except InvalidValueError:
                continue
        return values

    def _some(self, names: Container[str]) -> tuple[tuple[str, Read], ...]:
        """The getters of these fields. Few combinations of fields are edited together: those are remembered."""
        if not isinstance(names, frozenset):
            return tuple(one for one in self._getters if one[0] in names)
        found = self._chosen.get(names)
        if found is None:
            found = tuple(one for one in self._getters if one[0] in names)
            if len(self._chosen) < COMBINATIONS_KNOWN:
                self._chosen[names] = found
        return found

    def faults(self, row: Row) -> dict[str, str]:
        """For each field that `get` left out: a sentence with the column, the value and what was expected."""
        found: dict[str, str] = {}
        for one in self._readable:
            try:
                one.get(row)
            except InvalidValueError as error:
                found[one.name] = f"{one.name} in {self.system}: {error}"
        return found

    def put(self, values: Values, row: Row | None) -> dict[str, Value]:
        """The row with the writable ones of these fields in it, each column as it will be found afterwards.

        A value that the columns cannot say (an enum table without its code) leaves them as they are; `unwritable`
        says why. One that only the system can refuse (a text too long) is put as it is.
        """
        found: dict[str, Value] = dict.fromkeys(self.columns) if row is None else dict(row)
        for name, value in values.items():
            one = self._writable.get(name)
            if one is None:
                continue
            try:
                found.update(one.put(value, found))
            except InvalidValueError:
                continue
        return found

    def unwritable(self, values: Values) -> dict[str, str]:
        """For each of these fields that `put` leaves unwritten: a sentence that says why."""
        empty: Row = dict.fromkeys(self.columns)
        found: dict[str, str] = {}
        for name in values.keys() & self._writable.keys():
            try:
                self._writable[name].put(values[name], empty)
            except InvalidValueError as error:
                found[name] = f"{name} cannot be written to {self.system}: {error}"
        return found


def compile_lens(entity: Entity, system: str, columns: Mapping[str, str], name: str = "record") -> TableLens:
    """The lens of an entity for one system. `columns` has the type of every column of its table, as Postgres names it.

    `name` is the entity's, for messages. Raises MappingError for a column that the table lacks, or that cannot hold
    its field: `schemas.project.rules.check_columns` reports the same with the place in the file.
    """
    held = entity.systems[system]
    kinds = {column: column_types.parse(text) for column, text in columns.items()}
    fields = tuple(
        _field_lens(name, system, field, entity.fields[field], held, kinds)
        for field in entity.fields
        if field in held.map
    )
    for one in held.filter:
        _known(name, system, one.column, kinds)
    row_filter = RowFilter(name, system, held.filter, kinds)
    gone = _gone(name, system, entity.on_delete.modes.get(system), kinds)
    return TableLens(name, system, fields, kinds, row_filter, held.on_leave, gone)


def _gone(entity: str, system: str, mode: Mode | None, kinds: Mapping[str, ColumnType]) -> RowFilter | None:
    if mode is None or mode.column is None or mode.value is None:
        return None
    _known(entity, system, mode.column, kinds)
    return RowFilter(entity, system, [Filter(column=mode.column, equals=mode.value)], kinds)


def _known(entity: str, system: str, column: str, kinds: Mapping[str, ColumnType]) -> ColumnType:
    if column not in kinds:
        raise MappingError(entity, system, column, "the table has no such column")
    return kinds[column]


def _field_lens(
    entity: str, system: str, field: str, rule: FieldRule, held: EntitySystem, kinds: Mapping[str, ColumnType]
) -> FieldLens:
    mapped = held.map[field]
    members: dict[int, Single] = {}
    if isinstance(mapped, dict) != (rule.group is not None):
        raise MappingError(entity, system, field, "a group is mapped member by member, and nothing else is")
    if isinstance(mapped, dict):
        members = {place: mapped[member] for place, member in enumerate(rule.group or ()) if member in mapped}
        if len(members) != len(rule.group or ()):
            raise MappingError(entity, system, field, "a group moves as one, and not all its members are mapped")
    else:
        members = {0: mapped}
    for single in members.values():
        _judge(entity, system, rule, single, kinds)
    direction = next(iter(members.values())).direction
    return field_lens(field, rule, direction, tuple(parts(rule, members, kinds)), validator(rule))


def _judge(entity: str, system: str, rule: FieldRule, single: Single, kinds: Mapping[str, ColumnType]) -> None:
    for column in single.columns:
        kind = _known(entity, system, column, kinds)
        if not isinstance(single, Column):
            allowed: frozenset[column_types.Kind] = frozenset({"text", "opaque"})
        else:
            allowed = column_types.HOLDS[rule.type] if single.values is None else column_types.CODES
        if kind.kind not in allowed:
            raise MappingError(entity, system, column, f"is {kind.text}, which cannot hold a {rule.type}")
