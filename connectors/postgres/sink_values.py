"""Values on their way into statements: JSON in commands, one array of texts per column in the server. Pure.

`carried` in `sql/sink_table.sql` says which text stands for a value of each column.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

Carried = Literal["text", "json", "document"]
Document = dict[str, msgspec.Raw]

NULL = b"null"
_AS_IT_IS = frozenset({str, type(None)})
_decode_string = msgspec.json.Decoder(str).decode
# A number that is no whole number keeps its text: "1.50" is neither 1.5 nor a binary fraction.
decode_values = msgspec.json.Decoder(dict[str, Any], float_hook=str).decode
decode_list = msgspec.json.Decoder(list[Any], float_hook=str).decode
decode_document = msgspec.json.Decoder(Document).decode
decode_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def text_of(value: msgspec.Raw | bytes, carried: Carried) -> str | None:
    """The text that stands for a JSON value; None for null."""
    told = bytes(value)
    if told == NULL:
        return None
    if carried == "document":
        return f'{{"v":{told.decode()}}}'
    return _decode_string(told) if carried == "text" and told[:1] == b'"' else told.decode()


def texts_of(document: Mapping[str, msgspec.Raw], carried: Mapping[str, Carried]) -> dict[str, str | None]:
    """The texts of a whole document."""
    return {name: text_of(value, carried[name]) for name, value in document.items()}


def column(values: list[Any], carried: Carried, raw: Callable[[int], msgspec.Raw | bytes]) -> list[str | None]:
    """The texts of one column's values, as `decode_values` gave them.

    `raw` gives the JSON text of the value at a place: for those that lost something by being decoded.
    """
    if carried != "text":
        return [None if value is None else text_of(raw(place), carried) for place, value in enumerate(values)]
    if _AS_IT_IS.issuperset(map(type, values)):
        return values
    return [
        value if value is None or value.__class__ is str else _scalar(value, place, raw)
        for place, value in enumerate(values)
    ]


def _scalar(value: Any, place: int, raw: Callable[[int], msgspec.Raw | bytes]) -> str | None:
    if value.__class__ is int and value:
        return str(value)
    # Lists and objects keep their spelling, and zero its sign.
    return ("true" if value else "false") if value.__class__ is bool else text_of(raw(place), "text")
