"""A glance says of an update what decoding it says, and of anything else nothing; who goes by it does the same."""

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.messages import Change, Link, Origin
from schemas.topics import Topics
from streams.identity.glances import Glance, Glancer
from streams.identity.links import LinksProcessor
from streams.processors.records import Record
from streams.processors.stores import PartitionStore
from tests.unit.identity.events import CODEC, change, email_of, link

TOPICS = Topics("p")
LOOK = Glancer(CODEC).look
NUMBERS = st.integers(0, 2**63 - 1)
TEXTS = st.text(max_size=80)
CHANGES = st.builds(
    Change,
    system=TEXTS,
    entity=TEXTS,
    table=TEXTS,
    incarnation=NUMBERS,
    seq=NUMBERS,
    op=st.sampled_from("cudrtl"),
    local_id=TEXTS,
    before_id=st.none() | TEXTS,
    before=st.none() | TEXTS,
    after=st.none() | TEXTS,
    types=TEXTS,
    ts_us=NUMBERS,
    transaction=NUMBERS,
    origin=st.none()
    | st.builds(
        Origin,
        command=TEXTS,
        record_id=TEXTS,
        hop=st.integers(0, 99),
        outcome=st.sampled_from(["applied", "failed"]),
        error=st.none() | TEXTS,
    ),
)


def expected(made: Change) -> Glance | None:
    origin = made.origin
    ordinary = origin is None or (origin.outcome == "applied" and origin.error is None)
    if made.op != "u" or made.before_id is not None or made.after is None or not ordinary:
        return None
    record_id = None if origin is None else origin.record_id
    return Glance(made.system, (made.incarnation, made.seq), made.local_id, made.after, record_id)


@given(CHANGES)
def test_it_says_what_decoding_says(made: Change) -> None:
    assert LOOK(CODEC.encode(made)) == expected(made)


@given(CHANGES, st.integers(1, 40))
def test_of_what_is_cut_short_it_says_nothing(made: Change, missing: int) -> None:
    assert LOOK(CODEC.encode(made)[:-missing]) is None


@pytest.mark.parametrize("data", [b"", b"rubbish", CODEC.encode(link("r"))])
def test_of_other_messages_it_says_nothing(data: bytes) -> None:
    assert LOOK(data) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["c", "u", "u", "u", "u", "d", "moved", "echo", "failed", "link", "again"]),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["r1", "r2"]),
    ),
    max_size=25,
)


def message(seq: int, kind: str, email: str | None, record_id: str) -> Change | Link:
    if kind == "link":
        return link(record_id)
    if kind in ("echo", "failed"):
        outcome = "applied" if kind == "echo" else "failed"
        return change(
            seq, "u", email, origin=Origin(command="x/crm/1", record_id=record_id, hop=1, outcome=outcome)
        )  # fmt: skip
    if kind == "moved":
        return change(seq, "u", email, row="[2]", before_id="[1]")
    return change(max(1, seq - 1) if kind == "again" else seq, "u" if kind == "again" else kind, email)


def processors() -> list[LinksProcessor]:
    plain = LinksProcessor(TOPICS, "contact", ("crm", "erp"), email_of, codec=CODEC)
    keys = {"crm": lambda image: email_of("crm", image)}
    return [plain, LinksProcessor(TOPICS, "contact", ("crm", "erp"), email_of, codec=CODEC, keys=keys)]


@settings(max_examples=200)
@given(STEPS)
@example([("c", "a", "r1"), ("link", None, "r1"), ("u", "a", "r1"), ("again", "a", "r1"), ("u", "b", "r1")])
def test_passing_on_undecoded_does_what_decoding_does(steps: list[tuple[str, str | None, str]]) -> None:
    values = [CODEC.encode(message(seq, *step)) for seq, step in enumerate(steps, 1)]
    records = [Record("p.changes.crm.contact", 0, at, b"crm:[1]", value, 0) for at, value in enumerate(values)]
    stores = [PartitionStore(), PartitionStore()]
    general, quick = (one.apply(records, store) for one, store in zip(processors(), stores, strict=True))
    assert quick == general
    assert dict(stores[1].items()) == dict(stores[0].items())


def test_an_update_of_a_linked_row_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    processor, store = processors()[1], PartitionStore()
    first, *rest = (CODEC.encode(change(seq, "c" if seq == 1 else "u", "a")) for seq in (1, 2, 3))
    processor.apply([Record("t", 0, 0, b"crm:[1]", first, 0)], store)
    processor.apply([Record("t", 0, 1, b"crm:[1]", CODEC.encode(link("r")), 0)], store)

    class Blind:
        def decode(self, data: bytes) -> msgspec.Struct:
            raise AssertionError("decoded")

    monkeypatch.setattr(processor, "_codec", Blind())
    outputs = processor.apply([Record("t", 0, at, b"crm:[1]", value, 0) for at, value in enumerate(rest, 2)], store)
    assert [(output.key, output.value) for output in outputs] == [(b"r", rest[0]), (b"r", rest[1])]
