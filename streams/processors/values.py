"""Values of the merge from their JSON text."""

from decimal import Decimal
from typing import Any

import msgspec

from streams.merge.values import Value
from streams.processors.records import UnprocessableError

_exact = msgspec.json.Decoder(float_hook=Decimal).decode


def value_of(text: str | None) -> Value:
    """A value from its JSON text, lists as tuples. Raises UnprocessableError."""
    try:
        return None if text is None else _frozen(msgspec.json.decode(text))
    except msgspec.DecodeError as error:
        raise UnprocessableError(f"not a JSON value: {error}", "decode") from error


def exact_value_of(text: str | None) -> Any:
    """As `value_of`, but a number with a fraction is a Decimal with all its digits. Raises UnprocessableError."""
    try:
        return None if text is None else _frozen(_exact(text))
    except msgspec.DecodeError as error:
        raise UnprocessableError(f"not a JSON value: {error}", "decode") from error


def _frozen(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return tuple((name, _frozen(item)) for name, item in value.items())
    return value  # type: ignore[no-any-return]
