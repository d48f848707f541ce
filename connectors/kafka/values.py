"""One value of a message made one of a row image: exactly, or not at all."""

import base64
import binascii
import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from connectors.kafka.errors import UnreadableError

Convert = Callable[[Any], Any]
MOST_SHOWN = 40
MOST_SCALE = 4000
NO_NUMBERS = {"NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity", "inf": "Infinity", "-inf": "-Infinity"}
_json = msgspec.json.Decoder(Any, float_hook=Decimal)


def shown(value: Any) -> str:
    """A value as a message names it: its beginning."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def wrong(value: Any, what: str) -> UnreadableError:
    """The error for a value that is not what belongs there."""
    return UnreadableError(f"{shown(value)} is no {what}")


def after(first: Convert, then: Convert) -> Convert:
    """One conversion after the other."""
    return lambda value: then(first(value))


def array(convert: Convert) -> Convert:
    """The same for each item of a list, and of lists in it."""

    def each(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise wrong(value, "list")
        return [each(one) if isinstance(one, list) else None if one is None else convert(one) for one in value]

    return each


def integer(value: Any) -> int:
    """A whole number, or text of one."""
    if type(value) is int:
        return value
    number = decimal(value) if isinstance(value, str | Decimal) else None
    if isinstance(number, Decimal) and number == number.to_integral_value():
        return int(number)
    raise wrong(value, "whole number")


def decimal(value: Any) -> Decimal | str:
    """An exact number, from a number or its text; `NaN` and the infinities are text."""
    if isinstance(value, float):
        return floating_text(value) or Decimal(repr(value))
    try:
        number = Decimal(value) if isinstance(value, int | str | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or number.is_snan():
        raise wrong(value, "number")
    if abs(number.adjusted()) > MOST_SCALE:
        raise wrong(value, f"number of less than {MOST_SCALE} digits")
    return number if number.is_finite() else NO_NUMBERS[str(number)]


def floating(value: Any) -> Any:
    """A floating-point number; `NaN` and the infinities are text."""
    if isinstance(value, float):
        return floating_text(value) or value
    return decimal(value)


def floating_text(value: float) -> str:
    """The text of what is no finite number; empty for a finite one."""
    return "" if math.isfinite(value) else NO_NUMBERS.get(str(value), "NaN")


def boolean(value: Any) -> bool:
    """True or false, and nothing that stands for them."""
    if isinstance(value, bool):
        return value
    raise wrong(value, "boolean")


def text(value: Any) -> str:
    """Text; numbers and booleans as they are written in JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise wrong(value, "text")


def json(value: Any) -> Any:
    """Anything that JSON can hold; bytes as base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        return floating_text(value) or value
    if isinstance(value, dict):
        return {str(key): json(one) for key, one in value.items()}
    return [json(one) for one in value] if isinstance(value, list | tuple) else value


def from_json_text(value: Any) -> Any:
    """What a JSON text says."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return _json.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UnreadableError(f"{shown(value)} is no JSON text ({error})") from error


def raw(value: Any) -> bytes:
    """The bytes that a message holds, as such (Avro) or as base64 (JSON)."""
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise wrong(value, "base64 text") from error


def hexadecimal(value: Any) -> str:
    """Bytes, as a row image shows them."""
    return f"\\x{raw(value).hex()}"


def from_hex(value: Any) -> str:
    """Bytes that a message holds as hexadecimal text, with `\\x` before it or without."""
    try:
        return f"\\x{bytes.fromhex(value.removeprefix(chr(92) + 'x')).hex()}"
    except (AttributeError, ValueError) as error:
        raise wrong(value, "hexadecimal text") from error


def unscaled(scale: int) -> Convert:
    """A decimal that is written as a whole number, most significant byte first; text and numbers as they are."""

    def convert(value: Any) -> Any:
        # With decimal.handling.mode=string or double the schema says so; a number here is `json.decimal.format`.
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return value
        return _scaled(raw(value), scale)

    return convert


def variable_scale(value: Any) -> Decimal:
    """A decimal that brings its scale with it."""
    if not isinstance(value, dict) or not isinstance(value.get("scale"), int) or "value" not in value:
        raise wrong(value, "decimal with a scale of its own")
    return _scaled(raw(value["value"]), value["scale"])


def _scaled(data: bytes, scale: int) -> Decimal:
    number = int.from_bytes(data, "big", signed=True)
    if abs(scale) > MOST_SCALE or len(data) > MOST_SCALE:
        raise UnreadableError(f"a decimal of scale {scale} and {len(data)} bytes is too long")
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale))


def bits(length: int) -> Convert:
    """A row of bits, which is written least significant byte first."""

    def convert(value: Any) -> str:
        data = raw(value)
        digits = "".join(f"{byte:08b}" for byte in reversed(data))
        return digits[-length:].rjust(length, "0") if length else digits

    return convert
