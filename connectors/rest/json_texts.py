"""JSON with exact numbers: read into int and Decimal, written from them, canonical where texts are compared."""

from decimal import Decimal
from typing import Any

import msgspec

GREATEST_EXPONENT = 4000
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(Any, float_hook=Decimal)


def encode(value: Any) -> bytes:
    """Compact JSON; decimals as numbers, exactly. Raises TypeError for what JSON cannot hold."""
    return _ENCODER.encode(value)


def decode(text: bytes) -> Any:
    """Raises ValueError, a sentence, for what is no JSON, or nested too deeply."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from error


def decimal_text(number: Decimal) -> str:
    """Plain decimal text without trailing zeros: equal numbers, equal texts. NaN and the like as they are."""
    if not number.is_finite() or abs(number.adjusted()) > GREATEST_EXPONENT:
        return str(number)
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
