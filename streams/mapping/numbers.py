"""Exact decimals as text: one spelling for each number, whatever its source wrote, and rounding as Postgres does it."""

import struct
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from streams.errors import InvalidValueError

DIGITS_LIMIT = 131_072 + 16_383
_EXACT = Context(prec=DIGITS_LIMIT + 10)


def decimal_of(value: object) -> Decimal:
    """A number, or the text of one, exactly. Raises InvalidValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise InvalidValueError(repr(value), "is no number")
    try:
        # A float's shortest text is what a system printed; its binary expansion is noise.
        number = value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError) as error:
        raise InvalidValueError(repr(value), "is no number") from error
    if number.is_finite() and (abs(number.adjusted()) > DIGITS_LIMIT or _is_long(value, number)):
        raise InvalidValueError(f"{str(number)[:20]}…", "has more digits than a column can hold")
    return number


def _is_long(value: object, number: Decimal) -> bool:
    return isinstance(value, str) and len(value) > DIGITS_LIMIT and len(number.as_tuple().digits) > DIGITS_LIMIT


def decimal_text(number: Decimal) -> str:
    """Plain text without exponent and without trailing zeros; `NaN` and `Infinity` as in Postgres."""
    if not number.is_finite():
        return "NaN" if number.is_nan() else ("-Infinity" if number < 0 else "Infinity")
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def rounded(number: Decimal, places: int) -> Decimal:
    """Rounded to this many decimal places, halves away from zero; a negative count rounds left of the point."""
    if not number.is_finite():
        return number
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_EXACT)


def float_value(value: object, bits: int) -> float | str:
    """A float as a column of so many bits holds it; what JSON cannot hold is text, as Postgres writes it."""
    exact = decimal_of(value)
    number = float(exact)
    if exact.is_finite() and number in (float("inf"), float("-inf")):
        raise InvalidValueError(str(value), "is out of a float's range")
    if number != number or number in (float("inf"), float("-inf")):
        return "NaN" if number != number else ("Infinity" if number > 0 else "-Infinity")
    return (_single(number) if bits == 32 else number) + 0.0


def _single(number: float) -> float:
    """The shortest decimal that names the same 32-bit float: what Postgres prints for a real."""
    try:
        stored = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError as error:
        raise InvalidValueError(repr(number), "is out of a real's range") from error
    for digits in range(6, 9):
        short = float(f"{stored:.{digits}g}")
        if struct.unpack("<f", struct.pack("<f", short))[0] == stored:
            return short
    return float(f"{stored:.9g}")
