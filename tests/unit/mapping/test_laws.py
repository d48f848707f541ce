"""The laws of lenses: kept by every mapping that can be declared, and seen to be broken where they are."""

import random
from collections.abc import Mapping
from typing import Any

import pytest

from streams.mapping import laws
from streams.mapping.compiled import TableLens
from streams.merge.values import Row, Value, Values
from tests.unit.mapping.lenses import contact_lens, lens_of
from tests.unit.mapping.test_fields import READ_AND_WRITE


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("system", ["crm", "erp"])
def test_the_contacts_keep_the_laws(system: str, seed: int) -> None:
    assert laws.counterexample(contact_lens(system), random.Random(seed)) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_contacts_come_to_rest_between_two_systems(seed: int) -> None:
    assert laws.flapping(contact_lens("crm"), contact_lens("erp"), random.Random(seed)) is None
    assert laws.flapping(contact_lens("erp"), contact_lens("crm"), random.Random(seed)) is None


@pytest.mark.parametrize("case", READ_AND_WRITE)
def test_every_kind_of_column_keeps_the_laws(case: tuple[Any, ...]) -> None:
    assert laws.counterexample(lens_of(case[0], case[1], c=case[2]), random.Random(1), 100) is None


MAPS: list[tuple[dict[str, Any], Any, dict[str, str]]] = [
    ({}, {"join": ["a", "b"]}, {"a": "character varying(5)", "b": "character(9)"}),
    ({}, {"join": ["a", "b", "c"], "separator": ", "}, {"a": "text", "b": "text", "c": "text"}),
    ({"group": ["x", "y"]}, {"x": {"split": "a"}, "y": {"split": "a"}}, {"a": "text"}),
    (
        {"group": ["x", "y", "z"]},
        {"x": {"split": "a"}, "y": "b", "z": {"split": "a"}},
        {"a": "text", "b": "character varying(3)"},
    ),
    ({}, {"column": "a", "trim": True, "case": "upper", "length": 5}, {"a": "text"}),
]


@pytest.mark.parametrize(("rule", "mapped", "columns"), MAPS)
def test_joins_and_splits_keep_the_laws(rule: dict[str, Any], mapped: Any, columns: dict[str, str]) -> None:
    assert laws.counterexample(lens_of(rule, mapped, **columns), random.Random(2)) is None


class _Broken:
    """A lens whose reading or writing is replaced."""

    def __init__(self, lens: TableLens, **replaced: Any) -> None:
        self._lens, self._replaced = lens, replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._lens, name)


def test_a_mapping_that_grows_is_found_and_told() -> None:
    lens = lens_of({}, "c", c="text")

    def put(values: Values, row: Row | None) -> dict[str, Value]:
        return lens.put({field: None if value is None else f"{value}!" for field, value in values.items()}, row)

    found = laws.counterexample(_Broken(lens, put=put), random.Random(3))
    assert found is not None
    assert "column c from" in found


def test_a_value_that_swings_between_systems_is_found_and_told() -> None:
    first, second = lens_of({"type": "boolean"}, "c", c="boolean"), lens_of({"type": "boolean"}, "c", c="boolean")

    def get(row: Mapping[str, Value]) -> dict[str, Value]:
        return {field: None if value is None else not value for field, value in first.get(row).items()}

    found = laws.flapping(_Broken(first, get=get), second, random.Random(4))
    assert found is not None
    assert "f does not come to rest between s and s" in found


def test_a_lossy_image_is_found() -> None:
    lens = lens_of({"type": "decimal"}, "c", c="numeric")
    found = laws.counterexample(_Broken(lens, load=lambda text: {"c": None}), random.Random(5))
    assert found is not None
    assert "a row image does not hold the row" in found
