"""What a person may mean by a key."""

import pytest

from duplex.explaining.finding import local_ids


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("7", ["[7]", '["7"]']),
        ("DE", ['["DE"]']),
        ("[7]", ["[7]"]),
        ('["DE", 42]', ['["DE",42]']),
        ("DE, 0042", ['["DE","0042"]']),
        ("DE,42", ['["DE",42]', '["DE","42"]']),
        ("12.50", ["[12.50]", '["12.50"]']),
        ("-3", ["[-3]", '["-3"]']),
        ("007", ['["007"]']),
        ("[7", []),
    ],
)
def test_a_key_is_read_as_the_number_and_the_text_that_it_may_be(written: str, meant: list[str]) -> None:
    assert local_ids(written) == meant
