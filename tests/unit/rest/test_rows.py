"""Whole rows: sent, kept by an application, and read as they were."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.rest import json_texts
from connectors.rest.columns import compiled
from connectors.rest.declaration import ColumnRule
from connectors.rest.rows import Rows

RULES: dict[str, dict[str, Any]] = {
    "id": {"type": "bigint", "read_only": False},
    "name": {"type": "text"},
    "city": {"type": "text", "path": "address.city"},
    "street": {"type": "text", "path": 'address["street."]'},
    "tags": {"type": "text[]", "path": "tags[*].name"},
    "slugs": {"type": "text[]", "path": "tags[*].meta.slug"},
    "price": {"type": "numeric", "path": "money.amount", "as": "text"},
    "due": {"type": "timestamptz", "format": "epoch_ms"},
    "extra": {"type": "jsonb"},
}
ROWS = Rows(
    "resources.things",
    {
        name: compiled(name, ColumnRule.model_validate(rule), name == "id", False, f"columns.{name}")
        for name, rule in RULES.items()
    },
    ("id",),
)
TEXT = st.none() | st.text(max_size=5)


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    tags = draw(st.lists(st.tuples(TEXT, TEXT), max_size=3))
    amount = draw(st.none() | st.integers(-(10**20), 10**20))
    return {
        "id": draw(st.integers(-(2**63), 2**63 - 1)),
        "name": draw(TEXT),
        "city": draw(TEXT),
        "street": draw(TEXT),
        "tags": [tag for tag, _ in tags],
        "slugs": [slug for _, slug in tags],
        "price": None if amount is None else str(amount),
        "due": draw(st.none() | st.just("2026-01-02T03:04:05.6Z")),
        "extra": draw(st.dictionaries(st.text(max_size=2), st.integers() | st.none(), max_size=2)),
    }


@given(row=values())
def test_a_row_that_is_kept_as_sent_is_read_as_it_was(row: dict[str, Any]) -> None:
    item = json_texts.decode(json_texts.encode(ROWS.laid_out(ROWS.sent(row))))
    assert ROWS.found(item).values == row


@given(row=values(), names=st.sets(st.sampled_from(sorted(RULES)), min_size=1))
def test_only_what_is_given_is_sent(row: dict[str, Any], names: set[str]) -> None:
    sent = ROWS.sent({name: row[name] for name in names})
    assert set(sent) == names
    assert set(ROWS.laid_out(sent)) <= {"id", "name", "address", "tags", "money", "due", "extra"}


def test_a_key_goes_through_its_local_id() -> None:
    found = ROWS.found(
        json_texts.decode(json_texts.encode(ROWS.laid_out(dict.fromkeys(RULES) | {"id": 7, "tags": []})))
    )
    assert found.local_id == "[7]" and ROWS.key_of("[7]") == {"id": 7}
