"""Messages to bytes and back: Avro binary in single-object framing.

Frame: `C3 01`, the CRC-64-AVRO fingerprint of the writer's schema in little-endian order, then the datum
(Avro 1.12 specification, "Single-object encoding"). One topic may carry several kinds: the fingerprint tells.
Where a schema registry is wanted, another `Framing` takes the place of `SingleObject`; nothing else changes.

The schemas say everything. What passes once per event is written and read by hand (`datums`), to the same bytes.

What an earlier version of the program wrote stays readable: `envelopes/earlier/<kind>.<version>.avsc` are the schemas
it wrote with, and Avro resolves them to those of today, a field that was not there yet reading as its default.
"""

import io
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Protocol, TypeVar, cast

import fastavro
import msgspec
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas import datums, messages
from schemas.errors import UndecodableError

MARKER = b"\xc3\x01"
HEADER_BYTES = 10
M = TypeVar("M", bound=msgspec.Struct)

KINDS: dict[str, type[msgspec.Struct]] = {
    "change": messages.Change,
    "command": messages.Command,
    "result": messages.Result,
    "conflict": messages.Conflict,
    "decision": messages.Decision,
    "link": messages.Link,
    "claim": messages.Claim,
    "loaded": messages.Loaded,
    "nudge": messages.Nudge,
    "amendment": messages.Amendment,
    "epoch": messages.Epoch,
    "allowance": messages.Allowance,
}

WRITERS: dict[type[msgspec.Struct], Callable[[Any], bytes]] = {
    messages.Change: datums.write_change,
    messages.Command: datums.write_command,
}
READERS: dict[str, Callable[[bytes, int], msgspec.Struct]] = {
    "change": datums.read_change,
    "command": datums.read_command,
}


class Framing(Protocol):
    """How a datum says which schema wrote it."""

    def header(self, kind: str) -> bytes: ...

    def split(self, data: bytes) -> tuple[str, int]:
        """The kind of a message and where its datum starts. Raises UndecodableError.

        The kind is followed by a point and the version where an earlier version of its schema wrote the message.
        """
        ...


def schema_text(kind: str) -> str:
    """The Avro schema of a message kind, as JSON text."""
    return resources.files("schemas").joinpath("envelopes", f"{kind}.avsc").read_text()


@lru_cache(maxsize=1)
def earlier_texts() -> Mapping[str, str]:
    """The schemas that messages were once written with, as JSON text, by `<kind>.<version>`."""
    folder = resources.files("schemas").joinpath("envelopes", "earlier")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".avsc"): file.read_text() for file in files if file.name.endswith(".avsc")}


def schema_fingerprint(schema: str) -> bytes:
    """The eight bytes that stand for a schema in a frame."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(cast(Any, msgspec.json.decode(schema))), "CRC-64-AVRO"))


class SingleObject:
    """Avro's own framing: no registry needed to read a topic."""

    def __init__(self) -> None:
        self._headers = {kind: MARKER + schema_fingerprint(schema_text(kind)) for kind in KINDS}
        earlier = {MARKER + schema_fingerprint(text): name for name, text in earlier_texts().items()}
        self._kinds = earlier | {header: kind for kind, header in self._headers.items()}

    def header(self, kind: str) -> bytes:
        return self._headers[kind]

    def split(self, data: bytes) -> tuple[str, int]:
        kind = self._kinds.get(bytes(data[:HEADER_BYTES]))
        if kind is None:
            raise UndecodableError(_why(data), len(data))
        return kind, HEADER_BYTES


def _why(data: bytes) -> str:
    if len(data) < HEADER_BYTES:
        return "shorter than a header"
    if data[:2] != MARKER:
        return f"starts with {data[:2].hex()}, not {MARKER.hex()}"
    return f"schema fingerprint {data[2:HEADER_BYTES].hex()} is none of ours"


class Codec:
    """Encodes and decodes every message kind. Safe to share; build once, it parses the schemas."""

    def __init__(self, framing: Framing | None = None) -> None:
        self._framing = framing or SingleObject()
        self._schemas = {kind: fastavro.parse_schema(msgspec.json.decode(schema_text(kind))) for kind in KINDS}
        self._kind_of = {struct: kind for kind, struct in KINDS.items()}
        self._writers = {
            struct: (write, self._framing.header(self._kind_of[struct])) for struct, write in WRITERS.items()
        }
        self._readers: dict[str, tuple[Any, Any, type[msgspec.Struct]]] = {
            kind: (schema, None, KINDS[kind]) for kind, schema in self._schemas.items()
        }
        for name, text in earlier_texts().items():
            kind = name.partition(".")[0]
            written = fastavro.parse_schema(msgspec.json.decode(text))
            self._readers[name] = (written, self._schemas[kind], KINDS[kind])

    def encode(self, message: msgspec.Struct) -> bytes:
        """The framed bytes of a message."""
        write, header = self._writers.get(type(message), (None, b""))
        if write is not None:
            try:
                return header + write(message)
            except datums.IRREGULAR:
                pass
        return self.encode_generally(message)

    def encode_generally(self, message: msgspec.Struct) -> bytes:
        """As `encode`, by the schema alone."""
        kind = self._kind_of[type(message)]
        buffer = io.BytesIO()
        buffer.write(self._framing.header(kind))
        fastavro.schemaless_writer(buffer, self._schemas[kind], msgspec.to_builtins(message))
        return buffer.getvalue()

    def decode(self, data: bytes) -> messages.Message:
        """The message in these bytes. Raises UndecodableError for anything else."""
        kind, start = self._framing.split(data)
        read = READERS.get(kind)
        if read is not None:
            try:
                return cast(messages.Message, read(data, start))
            except datums.IRREGULAR:
                pass
        return self._read(kind, start, data)

    def decode_generally(self, data: bytes) -> messages.Message:
        """As `decode`, by the schemas alone."""
        return self._read(*self._framing.split(data), data)

    def _read(self, kind: str, start: int, data: bytes) -> messages.Message:
        written, wanted, struct = self._readers[kind]
        try:
            stream = io.BytesIO(data)
            stream.seek(start)
            datum = fastavro.schemaless_reader(stream, written, wanted)
            return cast(messages.Message, msgspec.convert(datum, struct))
        except (
            EOFError,
            IndexError,
            ValueError,
            TypeError,
            UnicodeDecodeError,
            msgspec.ValidationError,
        ) as error:
            raise UndecodableError(f"a {kind} cut short or damaged ({error})", len(data)) from error

    def decode_as(self, data: bytes, expected: type[M]) -> M:
        """The message in these bytes, which must be of one kind. Raises UndecodableError."""
        message = self.decode(data)
        if not isinstance(message, expected):
            raise UndecodableError(f"a {type(message).__name__} where a {expected.__name__} belongs", len(data))
        return message
