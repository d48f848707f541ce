"""The natural key of a row image, of which nothing but the matched columns is decoded."""

from collections.abc import Callable, Sequence

from schemas.project.column_types import ColumnType
from streams.mapping.compiled import TableLens
from streams.mapping.images import Images
from streams.mapping.natural_keys import natural_key

KeyOf = Callable[[str], str | None]


def key_of(lens: TableLens, match: Sequence[str]) -> KeyOf:
    """What tells the natural key of an image's text, None where it has none.

    It raises RowImageError for an image that lacks a matched column, or holds in it what its type cannot.
    """
    columns: dict[str, ColumnType] = {
        column: lens.kinds[column] for one in lens.fields if one.name in match for column in one.columns
    }
    images = Images(lens.entity, lens.system, columns)

    def found(image: str) -> str | None:
        return natural_key(match, lens.get(images.load(image), match))

    return found
