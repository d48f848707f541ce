"""Natural keys: alike for what people mean to be alike."""

import pytest

from streams.mapping.natural_keys import natural_key
from streams.merge.values import Value


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"a": " Anna  LOPEZ\t", "b": 7}, '["anna lopez",7]'),
        ({"a": "ＡＢＣ", "b": "1.5"}, '["abc","1.5"]'),
        ({"a": "Straße", "b": True}, '["strasse",true]'),
        ({"a": "e\u0301", "b": 0}, '["é",0]'),
        ({"a": None, "b": 1}, None),
        ({"a": "  ", "b": 1}, None),
        ({"b": 1}, None),
    ],
)
def test_normalises_each_part(values: dict[str, Value], key: str | None) -> None:
    assert natural_key(("a", "b"), values) == key


def test_no_fields_make_no_key() -> None:
    assert natural_key((), {"a": "x"}) is None
