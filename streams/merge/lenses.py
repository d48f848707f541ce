"""What the merge needs of a mapping: a lens between the entity's canonical fields and one system's columns."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Protocol

from streams.merge.values import Row, Value, Values


@dataclass(frozen=True, slots=True)
class LensUnit:
    """A connected component of fields and columns: what is compared and set as a whole."""

    fields: tuple[str, ...]
    columns: tuple[str, ...]


class Lens(Protocol):
    """One system's view of an entity.

    Laws: `put(get(row), row) == row` after the target's own normalising; normalising twice is normalising once;
    `get(put(values, row))[f]` is what the system can show of `values[f]`. A group is one field with a tuple value.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """Every mapped column, in a fixed order."""
        ...

    @property
    def readable(self) -> frozenset[str]:
        """Fields whose edits in this system count (direction both or in)."""
        ...

    @property
    def writable(self) -> frozenset[str]:
        """Fields this system is told of (direction both or out)."""
        ...

    @property
    def units(self) -> tuple[LensUnit, ...]:
        """The units, which partition `columns`."""
        ...

    def get(self, row: Row, names: Container[str] | None = None) -> dict[str, Value]:
        """The readable fields of a row, or those of `names`. A field whose columns hold nothing valid is left out;
        `faults` says why."""
        ...

    def faults(self, row: Row) -> Mapping[str, str]:
        """For each field that `get` left out: a sentence with the column, the value and what was expected."""
        ...

    def unwritable(self, values: Values) -> Mapping[str, str]:
        """For each of these fields that `put` must leave unwritten, whatever the row: a sentence that says why."""
        ...

    def put(self, values: Values, row: Row | None) -> dict[str, Value]:
        """`row` with the writable ones of these fields written into it, other columns as they were (None: null).

        `row` may be a part of one that has all columns of these fields' units: no other column has a say in them.
        """
        ...
