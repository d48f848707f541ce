"""Bytes of keys and values to plain values, with what their schema says of them."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import fastavro
import msgspec

from connectors.kafka.errors import UnreadableError
from connectors.kafka.shapes import Shape, of_connect

MAGIC = 0
FRAME_BYTES = 5
MOST_SCHEMAS = 256


@dataclass(frozen=True, slots=True)
class Datum:
    """A decoded key or value. JSON numbers with a point are Decimals; `shape` is None where there is no schema."""

    value: Any
    shape: Shape | None = None


class Wire(Protocol):
    """A way to write values as bytes."""

    async def prepare(self, found: Iterable[bytes | None]) -> None:
        """Fetch what is needed to read these. Raises UnreachableError and RefusedError."""
        ...

    def read(self, data: bytes) -> Datum:
        """The value in these bytes. Raises UnreadableError."""
        ...


class Ready:
    """What every format has that needs nothing fetched."""

    async def prepare(self, found: Iterable[bytes | None]) -> None:
        """Nothing is needed."""


class Json(Ready):
    """JSON without a schema."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Any, float_hook=Decimal).decode

    def read(self, data: bytes) -> Datum:
        """Raises UnreadableError, also for JSON that brings its schema, which would be read as columns."""
        value = _decoded(self._decode, data)
        if isinstance(value, dict) and value.keys() == {"schema", "payload"} and isinstance(value["schema"], dict):
            raise UnreadableError("it brings its schema with it: the format is debezium-json or json-schema")
        return Datum(value)


class Text(Ready):
    """Text as it is: what most producers make of a key."""

    def read(self, data: bytes) -> Datum:
        """Raises UnreadableError."""
        try:
            return Datum(data.decode())
        except UnicodeDecodeError as error:
            raise UnreadableError(f"it is no UTF-8 text ({error})") from error


class _Enveloped(msgspec.Struct):
    schema: msgspec.Raw
    payload: Any


class JsonWithSchema(Ready):
    """JSON as Kafka Connect writes it with `schemas.enable`: `{"schema": …, "payload": …}`."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Enveloped, float_hook=Decimal).decode
        self._shapes: dict[bytes, Shape] = {}

    def read(self, data: bytes) -> Datum:
        """Raises UnreadableError."""
        try:
            found = self._decode(data)
        except msgspec.ValidationError as error:
            what = "it has no schema and payload: the format may be one without schema"
            raise UnreadableError(f"{what} ({error})") from error
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise UnreadableError(f"it is no JSON ({error})") from error
        return Datum(found.payload, self._shape(bytes(found.schema)))

    def _shape(self, text: bytes) -> Shape | None:
        if text == b"null":
            return None
        found = self._shapes.get(text)
        if found is None:
            if len(self._shapes) >= MOST_SCHEMAS:
                self._shapes.clear()
            found = self._shapes[text] = of_connect(_decoded(msgspec.json.decode, text))
        return found


def _decoded(decode: Any, data: bytes) -> Any:
    try:
        return decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UnreadableError(f"it is no JSON ({error})") from error


@dataclass(frozen=True, slots=True)
class Written:
    """A schema that values were written with, parsed for reading, and its shape."""

    parsed: Any
    shape: Shape


class Schemas(Protocol):
    """Where the schemas of Avro messages come from."""

    @property
    def known(self) -> Mapping[int, Written | UnreadableError]:
        """What was fetched so far, by number."""
        ...

    async def fetch(self, numbers: Iterable[int]) -> None:
        """Make these known, whether they can be used or not. Raises UnreachableError and RefusedError."""
        ...


class Avro:
    """Avro behind five bytes: a zero and the number of its schema in a registry."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    async def prepare(self, found: Iterable[bytes | None]) -> None:
        """Have the schemas of these at hand."""
        numbers = {_number(data) for data in found if data is not None and _is_framed(data)}
        await self._schemas.fetch(numbers - self._schemas.known.keys())

    def read(self, data: bytes) -> Datum:
        """Raises UnreadableError."""
        if not _is_framed(data):
            raise UnreadableError("it is not Avro with the number of a registry's schema before it")
        written = self._schemas.known[_number(data)]
        if isinstance(written, UnreadableError):
            raise UnreadableError(written.reason)
        stream = io.BytesIO(data)
        stream.seek(FRAME_BYTES)
        try:
            return Datum(fastavro.schemaless_reader(stream, written.parsed, None), written.shape)
        except (EOFError, IndexError, ValueError, TypeError, KeyError) as error:
            reason = f"it is cut short or damaged: it does not fit its schema {_number(data)} ({error!r})"
            raise UnreadableError(reason) from error


def _is_framed(data: bytes) -> bool:
    return len(data) >= FRAME_BYTES and data[0] == MAGIC


def _number(data: bytes) -> int:
    return int.from_bytes(data[1:FRAME_BYTES], "big")
