"""Messages survive the wire exactly, and bytes that are none of ours are refused with the reason."""

import io
from collections.abc import Callable
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import (
    HEADER_BYTES,
    KINDS,
    MARKER,
    READERS,
    WRITERS,
    Codec,
    earlier_texts,
    schema_fingerprint,
    schema_text,
)
from schemas.datums import IRREGULAR
from schemas.errors import UndecodableError
from schemas.messages import Change, Command, Conflict, Link, Nudge, Origin, Unit

CODEC = Codec()
TEXT = st.text(max_size=40)
LONG = st.integers(-(2**63), 2**63 - 1)
INT = st.integers(-(2**31), 2**31 - 1)
OPTIONAL = st.none() | TEXT
ORIGINS = st.builds(
    Origin, command=TEXT, record_id=TEXT, hop=INT, outcome=st.sampled_from(["applied", "failed"]), error=OPTIONAL
)
CHANGES = st.builds(
    Change, system=TEXT, entity=TEXT, table=TEXT, incarnation=LONG, seq=LONG, op=st.sampled_from("cudrt"),
    local_id=TEXT, before_id=OPTIONAL, before=OPTIONAL, after=OPTIONAL, types=TEXT, ts_us=LONG, transaction=LONG,
    origin=st.none() | ORIGINS,
)  # fmt: skip
COMMANDS = st.builds(
    Command, id=TEXT, record_id=TEXT, entity=TEXT, system=TEXT, number=LONG, op=st.sampled_from("cud"),
    local_id=OPTIONAL, units=st.lists(st.builds(Unit, base=OPTIONAL, set=OPTIONAL), max_size=3).map(tuple),
    partition=INT, offset=LONG, hop=INT, ts_us=LONG,
)  # fmt: skip
CHANGE = Change(system="s", entity="e", table="t", incarnation=1, seq=1, op="u", local_id="[1]", ts_us=1)


@given(CHANGES | COMMANDS)
def test_what_is_decoded_is_what_was_encoded(message: msgspec.Struct) -> None:
    assert CODEC.decode(CODEC.encode(message)) == message


@given(CHANGES | COMMANDS)
def test_what_is_written_by_hand_is_what_the_schema_says(message: msgspec.Struct) -> None:
    assert CODEC.encode(message) == CODEC.encode_generally(message)
    assert WRITERS[type(message)](message) == CODEC.encode_generally(message)[HEADER_BYTES:]


@given(CHANGES | COMMANDS)
def test_what_is_read_by_hand_is_what_the_schema_says(message: msgspec.Struct) -> None:
    data = CODEC.encode_generally(message)
    assert READERS[type(message).__name__.lower()](data, HEADER_BYTES) == CODEC.decode_generally(data) == message


@pytest.mark.parametrize("number", [0, -1, 63, 64, 8_191, 8_192, -8_192, -8_193, 1 << 40, 2**63 - 1, -(2**63)])
def test_numbers_that_differ_in_their_last_digits_are_written_by_the_schema(number: int) -> None:
    change = Change(
        system="crm", entity="e", table="t", incarnation=1, seq=number, op="u", local_id="[1]", ts_us=number
    )
    assert CODEC.encode(change) == CODEC.encode_generally(change)


@settings(max_examples=500, deadline=None)
@given(CHANGES | COMMANDS, st.data())
def test_damaged_bytes_mean_the_same_by_hand_and_by_the_schema(message: msgspec.Struct, draw: st.DataObject) -> None:
    data = CODEC.encode(message)
    start = draw.draw(st.integers(HEADER_BYTES, len(data)))
    end = draw.draw(st.integers(start, min(len(data), start + 3)))
    damaged = data[:start] + draw.draw(st.binary(max_size=12)) + data[end:]
    assert _outcome(CODEC.decode, damaged) == _outcome(CODEC.decode_generally, damaged)


@settings(deadline=None)
@given(CHANGES | COMMANDS)
def test_bytes_cut_short_anywhere_are_refused(message: msgspec.Struct) -> None:
    data = CODEC.encode(message)
    for end in range(len(data)):
        with pytest.raises(UndecodableError):
            CODEC.decode(data[:end])


def _outcome(decode: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return decode(data)
    except UndecodableError as error:
        return str(error)


@pytest.mark.parametrize(
    "change", [{"local_id": None}, {"seq": "1"}, {"after": b"{}"}, {"system": "\ud800"}, {"seq": 2**64}]
)
def test_what_no_message_may_hold_comes_to_the_same_by_hand_and_by_the_schema(change: dict[str, Any]) -> None:
    wrong = msgspec.structs.replace(CHANGE, **change)
    with pytest.raises(IRREGULAR):
        WRITERS[Change](wrong)
    assert _written(CODEC.encode, wrong) == _written(CODEC.encode_generally, wrong)


def _written(encode: Callable[[msgspec.Struct], bytes], message: msgspec.Struct) -> bytes | str:
    try:
        return encode(message)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        return repr(error)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_frame_is_avro_single_object_encoding(kind: str) -> None:
    schema = schema_text(kind)
    expected = int.from_bytes(schema_fingerprint(schema), "little")
    assert expected == _rabin(fastavro.schema.to_parsing_canonical_form(msgspec.json.decode(schema)).encode())


def _rabin(data: bytes) -> int:
    """CRC-64-AVRO written out from the specification, as a second opinion on the fingerprint and its byte order."""
    empty = 0xC15D213AA4D7A795
    value = empty
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (empty & -(value & 1))
    return value


def test_any_avro_reader_can_read_what_follows_the_header() -> None:
    link = Link(entity="contact", system="crm", local_id="[1]", record_id="r")
    schema = fastavro.parse_schema(msgspec.json.decode(schema_text("link")))
    datum = fastavro.schemaless_reader(io.BytesIO(CODEC.encode(link)[HEADER_BYTES:]), schema, None)
    assert datum == msgspec.to_builtins(link)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter than a header"),
        (b"{}", "shorter than a header"),
        (b'{"not": "avro"}', "starts with 7b22"),
        (MARKER + b"12345678", "is none of ours"),
        (CODEC.encode(Link(entity="e", system="s", local_id="[1]", record_id=None))[:-4], "cut short or damaged"),
    ],
)
def test_bytes_that_are_no_message_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UndecodableError, match=reason) as caught:
        CODEC.decode(data)
    assert caught.value.size_bytes == len(data)


@given(st.binary(max_size=60))
def test_no_bytes_at_all_make_decoding_fail_otherwise(tail: bytes) -> None:
    for kind in KINDS:
        try:
            CODEC.decode(CODEC._framing.header(kind) + tail)
        except UndecodableError:
            continue


def test_a_message_of_another_kind_is_refused_by_name() -> None:
    data = CODEC.encode(Link(entity="e", system="s", local_id="[1]", record_id=None))
    with pytest.raises(UndecodableError, match="a Link where a Change belongs"):
        CODEC.decode_as(data, Change)


EARLIER = sorted(earlier_texts())
WRITTEN = {
    "conflict.1": {
        "id": "r/1", "record_id": "r", "entity": "contact", "field": "phone", "kind": "value", "rule": "newest",
        "winner": "current", "current": {"system": "crm", "value": '"1"', "ts_us": 1},
        "incoming": {"system": "erp", "value": None, "ts_us": 2}, "detail": "", "partition": 0, "offset": 9, "ts_us": 3,
    },
    "nudge.1": {"record_id": "r", "entity": "contact", "reason": "loaded"},
}  # fmt: skip


def _as_once(name: str) -> bytes:
    """The bytes that an earlier version of the program wrote."""
    text, buffer = earlier_texts()[name], io.BytesIO()
    buffer.write(MARKER + schema_fingerprint(text))
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(msgspec.json.decode(text)), WRITTEN[name])
    return buffer.getvalue()


@pytest.mark.parametrize("name", EARLIER)
def test_what_an_earlier_version_wrote_is_read_with_defaults_for_what_it_lacks(name: str) -> None:
    message = CODEC.decode(_as_once(name))
    assert type(message) is KINDS[name.partition(".")[0]]
    assert msgspec.to_builtins(message).items() >= WRITTEN[name].items()


def test_a_conflict_of_version_1_has_no_deadline() -> None:
    message = CODEC.decode_as(_as_once("conflict.1"), Conflict)
    assert (message.version, message.due_us) == (0, 0)


def test_bytes_kept_from_version_1_are_read() -> None:
    data = bytes.fromhex("c3011e3d18bd3bf55e82" + "0272" + "0e636f6e74616374" + "0c6c6f61646564")
    assert data == _as_once("nudge.1")
    assert CODEC.decode(data) == Nudge(record_id="r", entity="contact", reason="loaded", system=None)


@pytest.mark.parametrize("name", EARLIER)
def test_earlier_bytes_cut_short_are_refused(name: str) -> None:
    with pytest.raises(UndecodableError, match=rf"a {name} cut short or damaged"):
        CODEC.decode(_as_once(name)[:-3])
