"""Values on their way into statements: JSON objects in, one JSON array per column out. Pure.

A value is never more than looked at: it reaches the server in the very text that the command has.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

Document = dict[str, msgspec.Raw]
Raws = tuple[msgspec.Raw, ...]
Texts = Sequence[str]
Reader = Callable[[Texts], list[Raws]]

encode = msgspec.json.Encoder().encode
decode_document = msgspec.json.Decoder(Document).decode


def is_null(value: msgspec.Raw | None) -> bool:
    """Whether a value is JSON null, or there is none."""
    return value is None or bytes(value) == b"null"


def array(values: Iterable[Any]) -> str:
    """The values as the text of one JSON array."""
    return encode(list(values)).decode()


def unit_reader(columns: Sequence[str]) -> Reader:
    """A function that reads many objects over exactly these columns, and gives their values column by column.

    It raises msgspec.DecodeError or ValueError if any text is anything else.
    """
    fields = [(f"f{place}", msgspec.Raw) for place in range(len(columns))]
    names = {f"f{place}": name for place, name in enumerate(columns)}
    unit: Any = msgspec.defstruct("Unit", fields, rename=names, forbid_unknown_fields=True, gc=False)
    return _reader(msgspec.json.Decoder(list[unit]).decode, [attrgetter(name) for name in names])


def key_reader(columns: int) -> Reader:
    """The same for arrays of so many values."""
    kind: Any = tuple[(msgspec.Raw,) * columns]  # type: ignore[misc]
    decode = msgspec.json.Decoder(list[kind]).decode
    return lambda texts: list(zip(*_rows(decode, texts), strict=True))


def _reader(decode: Callable[[str], list[Any]], fields: Sequence[Callable[[Any], msgspec.Raw]]) -> Reader:
    def read(texts: Texts) -> list[Raws]:
        rows = _rows(decode, texts)
        return [tuple(map(field, rows)) for field in fields]

    return read


def _rows(decode: Callable[[str], list[Any]], texts: Texts) -> list[Any]:
    rows = decode(f"[{','.join(texts)}]")
    if len(rows) != len(texts):
        raise ValueError("a text that is not one JSON value")
    return rows
