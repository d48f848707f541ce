"""The REST connector, over real HTTP, against the cases for applications without a log."""

import time
from collections.abc import AsyncIterator

import pytest

from connectors.remote import conformance
from connectors.remote.conforming import FEW_REQUESTS, Bench, Limited
from connectors.rest.api import RestApi
from connectors.rest.assembly import Assembled, assembled
from tests.integration.rest.serving import options, serving
from tests.integration.rest.shelf import RESOURCE, Shelf


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    shelf = Shelf(lambda: time.time_ns() // 1000)
    async with serving(shelf.handle) as server:
        made: list[Assembled] = []

        def api(**limits: object) -> RestApi:
            made.append(assembled("shop", options(server, {"members": RESOURCE}, limits=limits)))
            return made[-1].apis["members"]

        yield Bench(
            system="shop",
            api=api,
            sample=lambda number: {"email": f"reader-{number}@example.org", "name": f"Name {number}"},
            edit=lambda number: {"name": f"Edited {number}", "credit": "1.50"},
            match=("email",),
            limited=Limited(lambda: api(requests=FEW_REQUESTS, window="1s", reserve=0)),
        )
        for one in made:
            await one.client.close()


@pytest.mark.parametrize("case", conformance.cases())
async def test_a_rest_application_conforms(case: str, bench: Bench) -> None:
    assert await conformance.run(conformance.cases()[case], bench) is None
