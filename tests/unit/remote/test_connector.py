"""The connector as a whole: what it finds, installs, refuses and forgets."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Removal, TableSpec
from connectors.errors import RefusedError, UnreachableError
from connectors.remote.api import Abilities
from connectors.remote.connector import RemoteConnector
from connectors.remote.memory import MemoryApi
from connectors.remote.settings import read_settings
from tests.unit.remote.bench import COLUMNS, SPEC, bench, row


async def test_tables_are_found_as_they_are_declared() -> None:
    found = await bench().connector.discover([SPEC, replace(SPEC, entity="order", table="orders")])
    assert list(found) == ["contact"]
    info = found["contact"]
    assert ([column.name for column in info.columns], info.key, info.key_refusal) == (list(COLUMNS), ("id",), None)


async def test_installing_twice_does_nothing_more_and_uninstalling_leaves_nothing() -> None:
    blog = bench()
    assert await blog.connector.install([SPEC]) == ["resource members of blog is read as contact"]
    assert await blog.connector.install([SPEC]) == []
    assert await blog.connector.check([SPEC]) == []
    await blog.load()
    assert await blog.connector.uninstall() == ["contact of blog is read no more"]
    assert blog.notes.values == {}


@pytest.mark.parametrize(
    ("spec", "flows", "what"),
    [
        (replace(SPEC, table="orders"), None, "no resource orders"),
        (replace(SPEC, columns=("mail",)), None, "no column mail"),
        (SPEC, [{"poll": "30s"}], "cannot be asked for changed rows"),
        (SPEC, [{"removed": "30s"}], "no list of removed rows"),
        (SPEC, ["webhook"], "no webhook is about members"),
        (replace(SPEC, removal=Removal("archive")), None, "cannot be archived"),
        (replace(SPEC, removal=Removal("inactive", column="gone", value=1)), None, "no column gone"),
        (replace(SPEC, removal=Removal("inactive", column="id", value=1)), None, "belongs to its key"),
        (replace(SPEC, removal=Removal("inactive", column="name", value="x")), None, "cannot be mapped"),
    ],
)
async def test_what_does_not_fit_is_a_problem_and_is_not_installed(spec: TableSpec, flows: Any, what: str) -> None:
    blog = bench(flows=flows)
    assert any(what in problem.what and problem.fatal for problem in await blog.connector.check([spec]))
    with pytest.raises(RefusedError, match=what):
        await blog.connector.install([spec])


async def test_a_resource_whose_deletes_nobody_notices_is_said_to_be_so() -> None:
    blog = bench(Abilities(since=True), flows=[{"poll": "30s"}])
    await blog.connector.install([SPEC])
    (problem,) = await blog.connector.check([SPEC])
    assert not problem.fatal and "deleted rows" in problem.what


async def test_rows_are_shown_as_they_are_listed() -> None:
    blog = bench(page_size=2)
    for number in range(5):
        blog.members.insert(email=f"{number}@example.org")
    chunks = [chunk async for chunk in blog.connector.rows(SPEC)]
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert row(chunks[0][0])["email"] == "0@example.org"
    assert blog.notes.values == {}


async def test_without_notes_nothing_is_opened() -> None:
    blog = bench()
    connector = RemoteConnector("blog", {"members": MemoryApi(blog.members)})
    with pytest.raises(RefusedError, match="no place for notes"):
        connector.open_source([SPEC])


async def test_notes_that_cannot_be_put_lose_nothing() -> None:
    blog = bench()
    blog.members.insert(email="ada@example.org")
    blog.notes.trouble = UnreachableError("blog", "", "", "Kafka is away")
    with pytest.raises(UnreachableError):
        await blog.load()
    assert [change.op for change in await blog.load()] == ["r", "l"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"concurrency": 0}, "concurrency: 0 is not a whole number"),
        ({"doubt": 3}, "doubt: 3 is not"),
        ({"doubt": {"share": 2}}, "doubt.share: 2 is no share"),
        ({"doubt": {"rows": 0}}, "doubt.rows: 0 is not"),
    ],
)
def test_common_settings_that_do_not_fit_are_refused(options: Any, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        read_settings("blog", options, ["members"])
