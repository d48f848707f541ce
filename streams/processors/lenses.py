"""What the processors need of a lens beside what the merge needs: row images to rows, and back."""

from collections.abc import Container, Mapping
from typing import Literal, Protocol, runtime_checkable

from streams.merge.rules import Rules
from streams.merge.values import Row, Value


@runtime_checkable
class RowLens(Protocol):
    """A lens that knows the row images of its table."""

    @property
    def on_leave(self) -> Literal["ignore", "delete"]: ...

    def load(self, text: str) -> dict[str, Value]: ...

    def get(self, row: Row, names: Container[str] | None = None) -> dict[str, Value]: ...

    def dump(self, row: Row) -> str: ...

    def dump_new(self, row: Row) -> str: ...

    def admits(self, row: str | Row) -> bool: ...

    def is_gone(self, row: str | Row) -> bool: ...


def row_lenses(rules: Rules) -> Mapping[str, RowLens]:
    """The lenses of an entity, each able to read and write row images."""
    found: dict[str, RowLens] = {}
    for system, lens in rules.lenses.items():
        if not isinstance(lens, RowLens):
            raise TypeError(f"the lens of {rules.entity} in {system} cannot read row images")
        found[system] = lens
    return found
