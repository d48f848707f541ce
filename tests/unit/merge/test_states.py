"""A state survives its bytes, and only its own."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.merge import states
from streams.merge.states import FieldState, Flip, Item, Look, Sent, SentUnit, State, StateError, SystemState

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=5)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
NAMES = st.text(max_size=4)
ROWS = st.one_of(st.none(), st.dictionaries(NAMES, VALUES, max_size=3))
VERSIONS = st.dictionaries(NAMES, st.integers(-1, 99), max_size=3)
POSITIONS = st.tuples(st.integers(-1, 9), st.integers(-1, 2**62))
TIMES = st.integers(0, 2**60)
ITEMS = st.builds(
    Item,
    st.integers(1, 9),
    NAMES,
    NAMES,
    TIMES,
    VALUES,
    st.one_of(st.none(), ROWS),
    VERSIONS,
    TIMES,
    st.dictionaries(NAMES, VALUES, max_size=2),
    NAMES,
)
LOOKS = st.builds(Look, st.integers(0, 99), TIMES, ROWS, NAMES, st.booleans())
SENT = st.builds(
    Sent,
    st.integers(1, 9),
    st.sampled_from("cud"),
    st.lists(st.builds(SentUnit, ROWS, ROWS, VERSIONS), max_size=2),
)
SYSTEMS = st.builds(
    SystemState,
    ROWS,
    st.one_of(st.none(), NAMES),
    POSITIONS,
    st.integers(0, 9),
    VERSIONS,
    st.one_of(st.none(), SENT),
    st.dictionaries(NAMES, ITEMS, max_size=2),
    VERSIONS,
    VERSIONS,
    st.dictionaries(NAMES, POSITIONS, max_size=2),
    st.lists(LOOKS, max_size=2),
    st.lists(SENT, max_size=2),
)
STATES = st.builds(
    State,
    offset=st.integers(-1, 2**62),
    version=st.integers(0, 99),
    decisions=st.integers(0, 99),
    fields=st.dictionaries(
        NAMES, st.builds(FieldState, VALUES, st.integers(0, 9), st.integers(0, 2**60), NAMES), max_size=3
    ),
    systems=st.dictionaries(NAMES, SYSTEMS, max_size=2),
    loose=st.dictionaries(st.integers(1, 9), ITEMS, max_size=2),
    flips=st.dictionaries(NAMES, st.builds(Flip, VALUES, st.integers(0, 9), TIMES), max_size=2),
    trail=st.lists(st.integers(0, 2**62), max_size=3),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STATES)
def test_a_state_survives_its_bytes(state: State) -> None:
    data = states.encode(state)
    assert states.decode(data) == state
    assert states.encode(states.decode(data)) == data


def test_a_state_of_an_earlier_program_is_read() -> None:
    """What was added to the format since stands at the end of each part, and is absent there."""
    item, system = [7, "erp", "phone", 9, "3", None, {}], [{"phone": "3"}, "[1]", [1, 2], 1, {}, None]
    old = [1, 5, 3, 7, {"phone": ["2", 3, 8, "crm"]}, {"erp": [*system, {"phone": item}, {}, {}, {}]}, {}]
    state = states.decode(msgspec.msgpack.encode(old))
    entry = state.systems["erp"]
    assert (entry.dissent["phone"].due_us, entry.late, entry.lost, state.flips) == (0, [], [], {})


def test_decoding_shares_nothing() -> None:
    data = states.encode(State(fields={"$": FieldState()}))
    states.decode(data).fields["$"].version = 9
    assert states.decode(data).fields["$"].version == 0


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91\x01\x02", states.encode(State())[:-1]])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StateError, match="not a merge state"):
        states.decode(data)


def test_another_format_is_refused_by_its_number() -> None:
    with pytest.raises(StateError, match="format 2, where 1 is known"):
        states.decode(states.encode(State(format=2)))


def test_a_new_field_finds_room_in_an_old_state() -> None:
    state = State(fields={"name": FieldState("Ada", 1)})
    states.prepare(state, ("name", "phone"), ("crm",))
    assert list(state.fields) == ["name", "$", "phone"]
    assert list(state.systems) == ["crm"]
