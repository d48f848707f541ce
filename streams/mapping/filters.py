"""Which rows take part in an entity: judged on the whole row, mapped columns or not."""

from collections.abc import Mapping, Sequence

from schemas.project.column_types import ColumnType
from schemas.project.model import Filter
from streams.errors import RowImageError
from streams.mapping.columns import normaliser
from streams.mapping.images import Images
from streams.merge.values import Row, Value


class RowFilter:
    """The filters of one entity in one system: all of them must admit a row."""

    def __init__(self, entity: str, system: str, filters: Sequence[Filter], kinds: Mapping[str, ColumnType]) -> None:
        self._entity, self._system = entity, system
        self._normalisers = {one.column: normaliser(kinds[one.column]) for one in filters}
        self._allowed: list[tuple[str, frozenset[Value]]] = [
            (one.column, frozenset(self._normalisers[one.column](value) for value in one.allowed)) for one in filters
        ]
        self._images = Images(entity, system, {one.column: kinds[one.column] for one in filters})

    def admits(self, row: str | Row) -> bool:
        """Whether a row takes part: its image's text, or a row with every filtered column.

        Raises RowImageError for a row that lacks a filtered column.
        """
        if not self._allowed:
            return True
        found = self._images.load(row) if isinstance(row, str) else self._normalised(row)
        return all(found[column] in allowed for column, allowed in self._allowed)

    def _normalised(self, row: Row) -> dict[str, Value]:
        for column in self._normalisers:
            if column not in row:
                raise RowImageError(self._entity, self._system, column, "is missing, and rows are filtered by it")
        return {column: normalise(row[column]) for column, normalise in self._normalisers.items()}
