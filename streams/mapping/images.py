"""Row images: JSON text of a whole row to the normal forms of some of its columns, and back."""

from collections.abc import Callable, Mapping
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
        self._read = _reader(kinds) if all(map(_is_plain, kinds)) else _reader_of_any_names(kinds)
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
            row = self._read(text)
        except (msgspec.DecodeError, UnicodeEncodeError, ValueError, RecursionError) as error:
            raise RowImageError(self._entity, self._system, None, str(error)) from error
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


def _is_plain(column: str) -> bool:
    """Whether JSON text has this name as it is: msgspec's structs know no field that JSON writes escaped."""
    return column.isprintable() and not set(column) & {'"', "\\"}


def _reader(kinds: Mapping[str, ColumnType]) -> Callable[[str], dict[str, Value]]:
    columns = tuple(kinds)
    named = all(column.isidentifier() and column[0] != "_" and not iskeyword(column) for column in columns)
    names = {column if named else f"column_{index}": column for index, column in enumerate(columns)}
    fields: list[tuple[str, Any]] = [(name, wire_type(kinds[column])) for name, column in names.items()]
    image = msgspec.defstruct("RowImage", fields, rename=names, gc=False)
    decode = msgspec.json.Decoder(image, float_hook=number_of_json).decode
    if named:
        return lambda text: msgspec.structs.asdict(decode(text))
    return lambda text: dict(zip(columns, msgspec.structs.astuple(decode(text)), strict=True))


def _reader_of_any_names(kinds: Mapping[str, ColumnType]) -> Callable[[str], dict[str, Value]]:
    whole = msgspec.json.Decoder(dict[str, msgspec.Raw])
    decoders = {
        column: msgspec.json.Decoder[Any](wire_type(kind), float_hook=number_of_json) for column, kind in kinds.items()
    }

    def read(text: str) -> dict[str, Value]:
        found = whole.decode(text)
        if missing := decoders.keys() - found.keys():
            raise msgspec.ValidationError(f"Object missing required field `{min(missing)}`")
        return {column: decoder.decode(found[column]) for column, decoder in decoders.items()}

    return read
