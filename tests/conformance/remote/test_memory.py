"""The application in memory against the cases for applications without a log, with and without each ability."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import UnreachableError
from connectors.http.budgets import Allowance, Budget
from connectors.remote import conformance
from connectors.remote.api import Abilities, Api, Found, Page
from connectors.remote.conforming import FEW_REQUESTS, SHORT_WINDOW_S, Bench, Limited, NonconformingError
from connectors.remote.engine import Clock
from connectors.remote.looks import Numbers
from connectors.remote.memory import MemoryApi, MemoryApplication, MemoryResource, able
from tests.unit.remote.bench import COLUMNS, FakeClock

FULL = able(since=True, removed=True, conditional=True, idempotent=True)
APPLICATIONS: dict[str, tuple[Abilities, dict[str, Any]]] = {
    "bare": (Abilities(), {}),
    "full": (FULL, {"versioned": True}),
    "blind": (able(since=True), {"searchable": False, "dated": False}),
}


class ThriftyApi(MemoryApi):
    """Looks at rows keep to a budget."""

    def __init__(self, resource: MemoryResource, clock: Clock) -> None:
        super().__init__(resource)
        budget = Budget(Allowance(FEW_REQUESTS, SHORT_WINDOW_S, reserve=0))

        async def get(local_id: str) -> Found | None:
            while (wait_s := budget.wait_s(clock.now_us() / 1e6)) > 0:
                await clock.sleep(wait_s)
            budget.spend(clock.now_us() / 1e6)
            return await resource.get(local_id)

        self.get = get


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
        limited=Limited(lambda: ThriftyApi(members, clock)),
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
    assert [await conformance.run(case, judged) for case in conformance.cases().values()] == [None] * 18


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


def tried(judged: Bench, api: Api) -> Bench:
    """The bench with another connector on a small budget."""
    judged.limited = Limited(lambda: api)
    return judged


async def test_a_connector_that_knows_no_budget_does_not_conform() -> None:
    judged = bench(FULL)
    with pytest.raises(NonconformingError, match=r"12 requests were sent within 1 s, where 5 are allowed"):
        await conformance.run(conformance.case_requests_keep_to_a_budget, tried(judged, judged.user))


async def test_a_connector_that_keeps_to_its_budget_only_in_turn_does_not_conform() -> None:
    """Whoever counts a request when it was answered, and not when it is sent, lets any number go at once."""
    judged = bench(FULL)
    api, looks = judged.user, 0

    async def get(local_id: str) -> Found | None:
        nonlocal looks
        looks += 1
        if looks <= FEW_REQUESTS + 1:
            await judged.clock.sleep(SHORT_WINDOW_S / FEW_REQUESTS)
        return await inner(local_id)

    inner, api.get = api.get, get  # type: ignore[method-assign]
    with pytest.raises(NonconformingError, match="where 5 are allowed"):
        await conformance.run(conformance.case_requests_keep_to_a_budget, tried(judged, api))


async def test_a_connector_that_fails_beyond_its_budget_does_not_conform() -> None:
    judged = bench(FULL)
    looks = 0

    async def get(local_id: str) -> Found | None:
        nonlocal looks
        looks += 1
        if looks > FEW_REQUESTS:
            raise UnreachableError("blog", "the application", "systems.blog", "its budget is used up")
        return await inner(local_id)

    api = judged.api()
    inner, api.get = api.get, get  # type: ignore[method-assign]
    with pytest.raises(NonconformingError, match="its budget is used up"):
        await conformance.run(conformance.case_requests_keep_to_a_budget, tried(judged, api))


async def test_without_a_small_budget_that_case_is_not_judged() -> None:
    judged = bench(FULL)
    judged.limited = None
    assert await conformance.run(conformance.case_requests_keep_to_a_budget, judged) == conformance.NO_BUDGET


async def test_an_application_whose_versions_fall_does_not_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = bench(FULL, versioned=True)
    inner = MemoryResource._found

    def falling(resource: MemoryResource, local_id: str) -> Found:
        found = inner(resource, local_id)
        return replace(found, version=100 - (found.version or 0))

    monkeypatch.setattr(MemoryResource, "_found", falling)
    with pytest.raises(NonconformingError, match="was edited 2 times, and this was told"):
        await conformance.run(conformance.case_edits_of_a_row_are_told_in_order, judged)


async def test_an_engine_whose_numbers_stand_still_does_not_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Numbers, "take", lambda self: 7)
    with pytest.raises(NonconformingError, match=r"was edited 2 times|have the numbers"):
        await conformance.run(conformance.case_edits_of_a_row_are_told_in_order, bench(FULL))
