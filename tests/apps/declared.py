"""The systems of the examples' project files, as tests talk to them: the very declarations that users copy."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from connectors.remote.api import Found
from connectors.remote.settings import COMMON
from connectors.rest.api import RestApi
from connectors.rest.assembly import assembled
from schemas.project.loading import load

EXAMPLES = Path(__file__).parents[2] / "examples"
# What an example's file names besides the application.
UNUSED = {"KAFKA_BOOTSTRAP_SERVERS": "not.used:0", "CRM_DSN": "postgresql://not.used/crm"}


def options(example: str, system: str, environment: Mapping[str, str]) -> Mapping[str, object]:
    """The settings of a system of an example, with these values for its references."""
    project = load(EXAMPLES / example / "duplex.yaml", {**UNUSED, **environment}).project
    return project.systems[system].options


@asynccontextmanager
async def apis(example: str, system: str, environment: Mapping[str, str]) -> AsyncIterator[Mapping[str, RestApi]]:
    """The resources of a system of an example."""
    given = options(example, system, environment)
    made = assembled(system, {name: value for name, value in given.items() if name not in COMMON})
    try:
        yield made.apis
    finally:
        for api in made.apis.values():
            await api.close()


async def listing(api: RestApi, since_us: int | None = None) -> dict[str, Found]:
    """All pages of a listing, by local id."""
    found: dict[str, Found] = {}
    cursor: str | None = None
    while True:
        page = await api.page(cursor, since_us)
        found |= {row.local_id: row for row in page.rows}
        if page.cursor is None:
            return found
        cursor = page.cursor


@asynccontextmanager
async def fresh(example: str, system: str, environment: Mapping[str, str]) -> AsyncIterator[Callable[[str], RestApi]]:
    """Resources by name, each time made anew, as by another process; all are closed at the end."""
    given = options(example, system, environment)
    made: list[RestApi] = []

    def make(name: str) -> RestApi:
        found = assembled(system, {key: value for key, value in given.items() if key not in COMMON}).apis[name]
        made.append(found)
        return found

    try:
        yield make
    finally:
        for api in made:
            await api.close()
