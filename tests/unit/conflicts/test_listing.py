"""Which record a list is about: by the beginning of an id, or by a natural key that looks like one."""

from pathlib import Path
from typing import Any

import pytest

from duplex import composition
from duplex.catalog import CatalogMissingError
from duplex.conflicts import listing
from duplex.conflicts.conditions import Wanted
from duplex.explaining import finding
from schemas.project.loading import Loaded
from schemas.project.positions import Positions
from tests.unit.conflicts.scenes import RECORD, project


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """A project with one record, which goes by C1001."""

    async def composed(loaded: Loaded) -> Any:
        return None

    async def find(composed: Any, path: Path, name: str, entity: str | None) -> list[finding.Found]:
        if name != "C1001":
            raise finding.RecordMissingError(name, ("contact",), "")
        return [finding.Found("contact", RECORD, 0, b"", {})]

    monkeypatch.setattr(composition, "composed", composed)
    monkeypatch.setattr(finding, "find", find)
    return Loaded(project(), Positions("f"), Path("f"), "")


async def meant(loaded: Loaded, name: str) -> str | None:
    return (await listing.record_ids(loaded, Wanted(record=name))).record


async def test_a_natural_key_of_hexadecimal_letters_is_found(loaded: Loaded) -> None:
    assert await meant(loaded, "C1001") == RECORD


async def test_the_beginning_of_an_id_still_serves(loaded: Loaded) -> None:
    assert await meant(loaded, "3FA85f64-57") == "3fa85f64-57"
    assert await meant(loaded, RECORD.upper()) == RECORD


async def test_a_name_that_begins_no_id_must_be_known(loaded: Loaded) -> None:
    with pytest.raises(finding.RecordMissingError, match="ada@example"):
        await meant(loaded, "ada@example.com")


async def test_the_beginning_serves_before_anything_was_applied(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def composed(loaded: Loaded) -> Any:
        raise CatalogMissingError("shop.catalog", ("crm/contact",))

    monkeypatch.setattr(composition, "composed", composed)
    assert await meant(loaded, "3fa8") == "3fa8"
    with pytest.raises(CatalogMissingError):
        await meant(loaded, "zoe")


@pytest.mark.parametrize(
    ("name", "record", "words"),
    [
        ("C1001", RECORD, f"record {RECORD}, which goes by that, has no conflict"),
        ("C1002", "c1002", "no record is known by that natural key"),
        (RECORD, RECORD, "this record has no conflict"),
    ],
)
def test_an_empty_list_says_what_was_looked_for(name: str, record: str, words: str) -> None:
    text = listing.nothing_of(name, Wanted(record=record))
    assert text.startswith(f"--record {name}: ") and words in text
