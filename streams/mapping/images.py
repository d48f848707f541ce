"""Row images: JSON text of a whole row to the normal forms of some of its columns, and back."""

from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

import msgspec

from schemas.project.column_types import ColumnType
from streams.errors import InvalidValueError, RowImageError
from streams.mapping.columns import dumper, from_wire, number_of_json, wire_type
from streams.merge.values import Row, Value

_ENCODER = msgspec.json.Encoder()


class Images:
    """Reads and writes the images of one table, some columns of it. Built once; the decoder is made for them.

    `load` skips what is not asked for without decoding it. Numbers are exact throughout.
    """

    def __init__(self, entity: str, system: str, kinds: Mapping[str, ColumnType]) -> None:
        self._entity, self._system = entity, system
        self._named = all(column.isidentifier() and column[0] != "_" and not iskeyword(column) for column in kinds)
        names = {column if self._named else f"column_{index}": column for index, column in enumerate(kinds)}
        fields: list[tuple[str, Any]] = [(name, wire_type(kinds[column])) for name, column in names.items()]
        image = msgspec.defstruct("RowImage", fields, rename=names, gc=False)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(image, float_hook=number_of_json)
        self._columns = tuple(kinds)
        self._normalisers = [
            (column, normalise) for column, kind in kinds.items() if (normalise := from_wire(kind)) is not None
        ]
        self._dumpers = {column: dump for column, kind in kinds.items() if (dump := dumper(kind)) is not None}

    def load(self, text: str) -> dict[str, Value]:
        """The columns asked for, in normal form.

        Raises RowImageError for text that is no row, that lacks one of the columns (a dropped column must not read
        as a column set to null), or that holds what a column's type cannot.
        """
        try:
            found = self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, ValueError, RecursionError) as error:
            raise RowImageError(self._entity, self._system, None, str(error)) from error
        row: dict[str, Value] = (
            msgspec.structs.asdict(found)
            if self._named
            else dict(zip(self._columns, msgspec.structs.astuple(found), strict=True))
        )
        for column, normalise in self._normalisers:
            try:
                row[column] = normalise(row[column])
            except InvalidValueError as error:
                raise RowImageError(self._entity, self._system, column, str(error)) from error
        return row

    def dump(self, row: Row) -> str:
        """JSON object text from which Postgres' `jsonb_populate_record` makes the same values again."""
        dumpers = self._dumpers
        if not dumpers and type(row) is dict:
            return _ENCODER.encode(row).decode()
        out = {column: dumpers[column](value) if column in dumpers else value for column, value in row.items()}
        return _ENCODER.encode(out).decode()
