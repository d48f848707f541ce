"""Row images: whatever columns are called, and however numbers are spelt."""

import msgspec
import pytest

from schemas.project import column_types
from streams.errors import RowImageError
from streams.mapping.images import Images
from streams.merge.values import Value

NAMES = ["name", "self", "mro", "keys", "Straße", "class", "None", "_id", "__slots__", "1st", "two words", ""]
NAMES += ['six "', "back\\slash", "line\nbreak", "\u00a0"]


def _images(*columns: str, kind: str = "text") -> Images:
    return Images("contact", "crm", {column: column_types.parse(kind) for column in columns})


@pytest.mark.parametrize("name", NAMES)
def test_a_column_may_have_any_name(name: str) -> None:
    row: dict[str, Value] = {name: "x", "other": None}
    assert _images(name, "other").load(msgspec.json.encode(row).decode()) == row


def test_a_column_that_lacks_is_no_null_whatever_it_is_called() -> None:
    with pytest.raises(RowImageError, match="a"):
        _images('a"b', "c").load('{"c": "1"}')


def test_columns_stand_in_their_own_order() -> None:
    assert list(_images("b", "a", "c").load('{"a": "1", "c": "2", "more": 3, "b": null}')) == ["b", "a", "c"]
    assert list(_images("b", "a b", "c").load('{"a b": "1", "c": "2", "b": null}')) == ["b", "a b", "c"]


@pytest.mark.parametrize(
    ("spelt", "text"),
    [("1", "1"), ("1.0", "1"), ("1.00", "1"), ("100", "100"), ("1e2", "100"), ("-0.0", "0"), ("0.10", "0.1")],
)
def test_equal_numbers_are_spelt_alike(spelt: str, text: str) -> None:
    assert _images("n", kind="numeric").load(f'{{"n": {spelt}}}') == {"n": text}


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none(word: str) -> None:
    assert _images("n", kind="numeric").load(f'{{"n": "{word}"}}') == {"n": word}


def test_a_row_of_plain_values_is_dumped_as_it_is() -> None:
    assert _images("a", "b").dump({"a": "é", "b": None}) == '{"a":"é","b":null}'
