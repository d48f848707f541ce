"""The application in memory against the cases for applications without a log, with and without each ability."""

from typing import Any

import pytest

from connectors.remote import conformance
from connectors.remote.api import Abilities, Page
from connectors.remote.conforming import Bench, NonconformingError
from connectors.remote.memory import MemoryApi, MemoryApplication, MemoryResource, able
from tests.unit.remote.bench import COLUMNS, FakeClock

FULL = able(since=True, removed=True, conditional=True, idempotent=True)
APPLICATIONS: dict[str, tuple[Abilities, dict[str, Any]]] = {
    "bare": (Abilities(), {}),
    "full": (FULL, {"versioned": True}),
    "blind": (able(since=True), {"searchable": False, "dated": False}),
}


def bench(abilities: Abilities, **how: Any) -> Bench:
    clock = FakeClock()
    application = MemoryApplication(clock_us=clock.now_us, sleep=clock.sleep)
    members = application.resource("members", COLUMNS, abilities, page_size=2, **how)
    members.insert(email="there@before.example", name="There before")
    return Bench(
        system="blog",
        api=lambda: MemoryApi(members),
        sample=lambda number: {"email": f"conforming-{number}@example.org", "name": f"Name {number}"},
        edit=lambda number: {"name": f"Edited {number}", "credit": "1.50"},
        match=("email",),
        clock=clock,
    )


@pytest.mark.parametrize("case", conformance.cases())
@pytest.mark.parametrize("application", APPLICATIONS)
async def test_the_application_in_memory_conforms(application: str, case: str) -> None:
    abilities, how = APPLICATIONS[application]
    judged = bench(abilities, **how)
    await conformance.run(conformance.cases()[case], judged)
    assert len(await conformance.everything(judged)) == 1


async def test_a_full_application_is_spared_nothing() -> None:
    judged = bench(FULL, versioned=True)
    assert [await conformance.run(case, judged) for case in conformance.cases().values()] == [None] * 16


async def test_an_application_that_lies_about_its_conditions_does_not_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = bench(FULL)
    monkeypatch.setattr(MemoryResource, "_require_unmoved", lambda self, before: None)
    with pytest.raises(NonconformingError, match="covered an edit"):
        await conformance.run(conformance.case_a_conditional_write_covers_no_edit, judged)


async def test_an_application_that_forgets_rows_does_not_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = bench(FULL)
    inner = judged.user.page

    async def short(cursor: str | None, since_us: int | None = None) -> Page:
        page = await inner(cursor, since_us)
        return Page(page.rows[1:], page.cursor)

    monkeypatch.setattr(judged.user, "page", short)
    with pytest.raises(NonconformingError, match="is in the listing 0 times"):
        await conformance.run(conformance.case_a_listing_has_every_row_once, judged)
