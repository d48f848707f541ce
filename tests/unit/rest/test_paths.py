"""Paths into JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rest.paths import Lack, Step, find, parse, place

DOCUMENT = {"a": {"b": 1, "n": None}, "list": [{"x": 1}, {"x": 2}, {}], "p.": [{"q": 3}], "empty": [], "text": "t"}


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("a[0]", ("a", 0)),
        ("a[-1].b", ("a", -1, "b")),
        ("a[*].b", ("a", Step.EACH, "b")),
        ('["a."].b', ("a.", "b")),
        ('a["b c"][2]', ("a", "b c", 2)),
        ("[0]", (0,)),
        ("a-b._c$d", ("a-b", "_c$d")),
    ],
)
def test_paths_are_read(text: str, steps: tuple[Any, ...]) -> None:
    assert parse(text) == steps


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "a[", "a[x]", "a[1", "a.[0]", 'a.["b"]', "a b", "a[0]b"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b", 1),
        ("a.n", None),
        ("a.n.deeper[0].still", None),
        ("a.c", Lack.ABSENT),
        ("text.length", Lack.ABSENT),
        ("a[0]", Lack.ABSENT),
        ("list[1].x", 2),
        ("list[-1]", {}),
        ("list[3]", Lack.BEYOND),
        ("empty[0]", Lack.BEYOND),
        ("empty[0].x", Lack.BEYOND),
        ("list[*].x", [1, 2, None]),
        ("empty[*].x", []),
        ("a[*]", Lack.ABSENT),
        ('["p."][0].q', 3),
    ],
)
def test_what_lies_at_a_path(text: str, value: Any) -> None:
    assert find(DOCUMENT, parse(text)) == value


def test_values_are_laid_beside_each_other() -> None:
    document = place({}, parse("a.b"), 1)
    document = place(document, parse("a.c"), 2)
    document = place(document, parse("l[*].x"), [1, 2])
    document = place(document, parse("l[*].y.z"), [3, 4])
    assert document == {"a": {"b": 1, "c": 2}, "l": [{"x": 1, "y": {"z": 3}}, {"x": 2, "y": {"z": 4}}]}


def test_no_list_is_laid_as_null() -> None:
    assert place({}, parse("l[*].x"), None) == {"l": None}


NAMES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4)


@given(names=NAMES, value=st.none() | st.integers() | st.text(max_size=4))
def test_what_is_laid_is_found(names: list[str], value: Any) -> None:
    path = parse(".".join(names))
    assert find(place({}, path, value), path) == value


@given(names=NAMES, values=st.lists(st.integers(), max_size=4))
def test_lists_that_are_laid_are_found(names: list[str], values: list[int]) -> None:
    path = parse("l[*]." + ".".join(names))
    assert find(place({}, path, values), path) == values
