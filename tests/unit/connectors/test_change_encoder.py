"""Changes written by hand are, byte for byte, what the codec writes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.change_encoder import ChangeEncoder, long
from schemas.codec import Codec
from schemas.messages import Change, Origin

CODEC, ENCODER = Codec(), ChangeEncoder()
LONG = st.integers(-(2**63), 2**63 - 1) | st.integers(-70_000, 70_000)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ORIGIN = st.builds(
    Origin,
    command=TEXT,
    record_id=TEXT,
    hop=st.integers(-(2**31), 2**31 - 1),
    outcome=st.sampled_from(["applied", "failed"]),
    error=st.none() | TEXT,
)
CHANGE = st.builds(
    Change,
    system=TEXT,
    entity=TEXT,
    table=TEXT,
    incarnation=LONG,
    seq=LONG,
    op=st.sampled_from("cudrtl"),
    local_id=TEXT,
    before_id=st.none() | TEXT,
    before=st.none() | TEXT,
    after=st.none() | TEXT,
    types=TEXT,
    ts_us=LONG,
    transaction=LONG,
    origin=st.none() | ORIGIN,
)


def plain(**given: object) -> Change:
    fields = {"system": "crm", "entity": "e", "table": "t", "incarnation": 1, "seq": 2, "op": "u", "local_id": "[1]"}
    return Change(**{"ts_us": 3, **fields, **given})  # type: ignore[arg-type]


@given(CHANGE)
@example(plain(after="é" * 9_000, before="x" * 8_191))
@example(plain(after="x" * 8_192, origin=Origin(command="", record_id="", hop=0)))
def test_bytes_are_those_of_the_codec(change: Change) -> None:
    assert ENCODER.encode(change) == CODEC.encode(change)


@given(CHANGE)
def test_they_are_read_back_as_they_were(change: Change) -> None:
    assert CODEC.decode(ENCODER.encode(change)) == change


@pytest.mark.parametrize("number", [0, -1, 8_191, 8_192, -8_192, -8_193, 2**63 - 1, -(2**63)])
def test_numbers_at_the_edges_of_a_table(number: int) -> None:
    change = plain(seq=number)
    assert ENCODER.encode(change) == CODEC.encode(change)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.change_encoder.REMEMBERED", 3)
    encoder = ChangeEncoder()
    for number in range(10):
        change = plain(table=f"t{number}", types=f"f{number}", seq=number << 30)
        assert encoder.encode(change) == CODEC.encode(change)
    assert len(encoder._heads) <= 3 and len(encoder._texts) <= 3
    assert long(1 << 40) == long(1 << 40)
