"""Bodies are looked into without a stack and without going back."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.webhook.documents import at, decoded, deeper_than


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


documents = st.recursive(
    st.none() | st.integers() | st.text('[]{}"\\ab'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{}"\\ab'), inner),
    max_leaves=20,
)


@given(documents)
def test_the_depth_is_the_documents(document: object) -> None:
    body, depth = json.dumps(document).encode(), depth_of(document)
    assert not deeper_than(body, max(1, depth))
    assert depth < 2 or deeper_than(body, depth - 1)


@pytest.mark.parametrize(
    "body",
    [b"[" * 1_000_000, b'{"a":' * 200_000, b'"' + b"\\" * 1_000_001, b'\\"' * 500_000, b'"\\"[' * 300_000, b'"[' * 99],
)
def test_a_hostile_body_takes_no_time(body: bytes) -> None:
    started = time.process_time()
    deeper_than(body, 64)
    assert time.process_time() - started < 1.0


def test_brackets_in_strings_are_text() -> None:
    assert not deeper_than(json.dumps(["[" * 500, {"{" * 500: '\\"['}]).encode(), 2)


@pytest.mark.parametrize(
    ("path", "found"),
    [("id", "7"), ("events.1.id", "b"), ("events.9.id", None), ("events.x", None), ("flag", None), ("none.x", None),
     ("events", None), ("", None)],
)  # fmt: skip
def test_a_place_in_a_document(path: str, found: str | None) -> None:
    assert at({"id": 7, "events": [{"id": "a"}, {"id": "b"}], "flag": True, "none": None}, path) == found


def test_what_is_no_document_is_none() -> None:
    assert [decoded(body) for body in (b"", b"{", b"\xff", b"a=b")] == [None] * 4
