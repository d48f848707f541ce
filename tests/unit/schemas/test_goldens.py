"""The golden record: nothing is lost on the way through typed Avro."""

import copy
import io
from typing import Any, NamedTuple

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import compatibility
from schemas.errors import SchemasError, UndecodableError
from schemas.goldens import Golden, GoldenCodec, GoldenValueError, Pieces, Provenance, golden_schema
from schemas.project.model import Entity

ENTITY = Entity.model_validate(
    {
        "fields": {
            "name": {},
            "count": {"type": "integer"},
            "credit": {"type": "decimal"},
            "share": {"type": "float"},
            "ok": {"type": "boolean"},
            "born": {"type": "date"},
            "seen": {"type": "datetime"},
            "id": {"type": "uuid"},
            "extra": {"type": "json"},
            "photo": {"type": "bytes"},
            "tags": {"type": "list"},
            "address": {"group": ["street", "city"]},
        },
        "systems": {"s": {"table": "t", "map": {"name": "n"}}},
    }
)
CODEC = GoldenCodec("shop", "contact", ENTITY)
INFINITIES = st.sampled_from(["infinity", "-infinity"])
VALUES = st.fixed_dictionaries(
    {
        "name": st.none() | st.text(),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "credit": st.none() | st.decimals(allow_nan=False, allow_infinity=False).map(lambda value: f"{value:f}"),
        "share": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["NaN", "-Infinity"]),
        "ok": st.none() | st.booleans(),
        "born": st.none() | st.dates().map(str) | INFINITIES,
        "seen": st.none() | INFINITIES | st.just("2024-01-02T03:04:05.1Z") | st.just("0001-01-01T00:00:00Z"),
        "id": st.none() | st.uuids().map(str),
        "extra": st.none() | st.just('{"a":1.5}'),
        "photo": st.none() | st.binary().map(bytes.hex),
        "tags": st.none()
        | st.lists(st.none() | st.booleans() | st.integers(-9, 9) | st.text() | st.just(0.5)).map(tuple),
        "address": st.none() | st.tuples(st.none() | st.text(), st.none() | st.text()),
    }
)


def _golden(values: dict[str, Any]) -> Golden:
    return Golden(
        record_id="r",
        version=3,
        deleted=False,
        values=values,
        provenance={"name": Provenance(system="crm", ts_us=17, version=2)},
    )


@given(VALUES)
def test_what_is_written_is_read(values: dict[str, Any]) -> None:
    golden = _golden(values)
    assert CODEC.decode(CODEC.encode(golden)) == golden


def test_anyone_with_the_schema_can_read_it() -> None:
    data = CODEC.encode(_golden({"born": "2024-02-29", "credit": "1.50", "address": ("a", None)}))
    datum: Any = fastavro.schemaless_reader(io.BytesIO(data[10:]), fastavro.parse_schema(dict(CODEC.schema)), None)
    assert str(datum["born"]) == "2024-02-29"
    assert (datum["credit"], datum["address"]) == ("1.50", {"street": "a", "city": None})
    assert datum["provenance"]["name"]["system"] == "crm"


@given(VALUES)
def test_the_bytes_are_those_of_a_general_avro_writer(values: dict[str, Any]) -> None:
    data = CODEC.encode(_golden(values))
    schema = CODEC._parsed
    datum = fastavro.schemaless_reader(io.BytesIO(data[10:]), schema, None)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, datum)
    assert buffer.getvalue() == data[10:]


class Kept(NamedTuple):
    """A field as the merge keeps it."""

    value: Any
    by: str
    ts_us: int
    version: int


def test_fields_as_the_merge_keeps_them_are_written_with_their_provenance() -> None:
    data = CODEC.encode_fields("r", 3, False, {"name": Kept("Anna", "crm", 17, 2), "$": Kept(True, "crm", 1, 1)})
    golden = CODEC.decode(data)
    assert golden.values == dict.fromkeys(ENTITY.fields) | {"name": "Anna"}
    assert golden.provenance.keys() == ENTITY.fields.keys()
    assert golden.provenance["name"] == Provenance(system="crm", ts_us=17, version=2)
    assert golden.provenance["count"] == Provenance(system="", ts_us=0, version=0)


@given(VALUES, VALUES, st.sets(st.sampled_from(sorted(ENTITY.fields))))
def test_pieces_written_before_make_no_difference(
    before: dict[str, Any], after: dict[str, Any], changed: set[str]
) -> None:
    pieces: Pieces = {}
    fields = {name: Kept(value, "crm", 17, 2) for name, value in before.items()}
    CODEC.encode_fields("r", 3, False, fields, pieces)
    fields |= {name: Kept(after[name], "erp", 18, 3) for name in changed}
    assert CODEC.encode_fields("r", 4, True, fields, pieces) == CODEC.encode_fields("r", 4, True, fields)


def test_what_has_its_piece_is_not_written_anew() -> None:
    pieces: Pieces = {}
    fields = {"name": Kept("Anna", "crm", 17, 2), "count": Kept(None, "", 0, 0)}
    CODEC.encode_fields("r", 3, False, fields, pieces)
    pieces["name"] = (2, b"\x02\x06Eva", pieces["name"][2])
    found = CODEC.decode(CODEC.encode_fields("r", 3, False, fields | {"count": Kept(7, "crm", 1, 4)}, pieces))
    assert (found.values["name"], found.values["count"]) == ("Eva", 7)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 2**63), ("count", "1"), ("count", True), ("name", 1), ("born", "soon"), ("photo", "zz"),
        ("tags", (("a",),)), ("address", ("a",)), ("ok", 1), ("seen", 5), ("share", "much"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(field: str, value: Any) -> None:
    with pytest.raises(GoldenValueError, match=field) as caught:
        CODEC.encode(_golden({field: value}))
    assert isinstance(caught.value, SchemasError)


@pytest.mark.parametrize("data", [b"", b"\xc3\x01", b"\xc3\x01" + b"\0" * 20])
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        CODEC.decode(data)


@given(st.integers(0, 40))
def test_bytes_cut_short_are_refused(length: int) -> None:
    data = CODEC.encode(_golden({"name": "Anna", "address": ("a", "b"), "tags": ("x",)}))
    with pytest.raises(UndecodableError):
        CODEC.decode(data[: min(length, len(data) - 1)])


def test_records_of_an_earlier_schema_are_read() -> None:
    fewer = ENTITY.model_copy(update={"fields": {"name": ENTITY.fields["name"]}})
    earlier = GoldenCodec("shop", "contact", fewer)
    now = GoldenCodec("shop", "contact", ENTITY, earlier=[earlier.schema])
    read = now.decode(earlier.encode(_golden({"name": "Anna"})))
    assert (read.values["name"], read.values["credit"]) == ("Anna", None)


def test_a_new_field_is_a_compatible_change() -> None:
    old = copy.deepcopy(golden_schema("shop", "contact", ENTITY))
    old["fields"] = [one for one in old["fields"] if one["name"] != "tags"]
    assert compatibility.incompatibilities(CODEC.schema, old) == ()
    assert compatibility.incompatibilities(old, CODEC.schema) == ()
