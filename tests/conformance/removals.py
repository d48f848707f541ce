"""What a delete means in a table, for every connector that deletes rows in more than one way.

The subject is that of `suite.py`, with one more table, `contacts_archive`: id, email, first_name, and `note`, which
contacts do not have; and one more thing to ask: what is archived where no table is named for it.
"""

from dataclasses import replace
from typing import Any, Protocol

import pytest

from connectors.base import Connector, Effect, Removal, TableSpec
from connectors.errors import RefusedError
from schemas.messages import Change
from tests.conformance.commands import Commander
from tests.conformance.subject import Subject, apply_with, changes, echo_of, row

EMAIL_AND_NAME = TableSpec("contact", "contacts", ("email", "first_name"), (("email",), ("first_name",)))
MARKED = replace(EMAIL_AND_NAME, removal=Removal("inactive", column="active", value=False, restore=True))
MATCHED = replace(MARKED, match=("email",))
ARCHIVED = replace(EMAIL_AND_NAME, removal=Removal("archive"))
MOVED = replace(EMAIL_AND_NAME, removal=Removal("archive", archive="contacts_archive"))
ADA = {"email": "ada@example.org", "first_name": "Ada"}


class RemovalSubject(Subject, Protocol):
    """A system under test that keeps what it archives."""

    async def archived(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What its own archive holds: entity, local id, row."""
        ...


class RemovalSuite:
    """The tests. They see the system through its log, its rows and its archive."""

    @pytest.fixture
    async def removing(self) -> RemovalSubject:
        raise NotImplementedError("a subclass gives the system to test")

    @pytest.fixture
    def commands(self) -> Commander:
        return Commander()

    # --- inactive

    async def test_a_marked_row_stays_and_is_echoed_as_it_is(
        self, removing: RemovalSubject, commands: Commander
    ) -> None:
        ada = await with_ada(removing, MARKED, active=True)
        command = commands.delete(ada, ADA)
        assert await apply_with(removing, MARKED, command) == [Effect(command.id, "applied")]
        echo = await echo_of(removing, command)
        assert (echo.op, echo.local_id, row(echo.before)["active"]) == ("u", ada, True)
        assert (row(echo.after)["active"], row(echo.after)["email"]) == (False, "ada@example.org")
        assert (await rows(removing, MARKED))[0]["active"] is False

    async def test_a_marked_row_is_in_the_log_once(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, MARKED, active=True)
        command = commands.delete(ada, ADA)
        await apply_with(removing, MARKED, command)
        await removing.insert("contacts", email="end@example.org")
        found = await changes(removing, lambda found: any("end@" in (change.after or "") for change in found))
        assert [_name(change) for change in found if change.local_id == ada and change.op == "u"] == [command.id]

    async def test_a_row_that_is_another_now_is_not_marked(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, MARKED, active=True)
        command = commands.delete(ada, {**ADA, "first_name": "Augusta"})
        await apply_with(removing, MARKED, command)
        assert row((await echo_of(removing, command)).after)["active"] is True

    async def test_a_row_that_is_marked_already_is_left(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, MARKED, active=False)
        command = commands.delete(ada, ADA)
        await apply_with(removing, MARKED, command)
        echo = await echo_of(removing, command)
        assert (echo.op, row(echo.before)) == ("u", row(echo.after))

    async def test_an_update_leaves_a_marked_row_alone(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, MARKED, active=False)
        command = commands.update(ada, ({"first_name": "Ada"}, {"first_name": "Augusta"}))
        await apply_with(removing, MARKED, command)
        assert row((await echo_of(removing, command)).after)["first_name"] == "Ada"

    async def test_a_create_brings_a_marked_row_back(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, MARKED, active=False, credit=5)
        command = commands.create({"email": "ada@example.org", "first_name": "Augusta"}, local_id=ada)
        assert await apply_with(removing, MARKED, command) == [Effect(command.id, "applied")]
        echo = await echo_of(removing, command)
        after = row(echo.after)
        assert (echo.op, echo.local_id, row(echo.before)["active"]) == ("u", ada, False)
        assert (after["active"], after["first_name"], after["credit"]) == (True, "Augusta", 5)

    async def test_a_create_finds_its_marked_row_by_the_natural_key(
        self, removing: RemovalSubject, commands: Commander
    ) -> None:
        ada = await with_ada(removing, MATCHED, active=False)
        back, new = (
            commands.create({**ADA, "first_name": "Augusta"}),
            commands.create({**ADA, "email": "b@example.org"}),
        )
        effects = await apply_with(removing, MATCHED, back, new)
        assert [effect.outcome for effect in effects] == ["applied", "applied"]
        echo = await echo_of(removing, back)
        assert (echo.local_id, row(echo.after)["active"], row(echo.after)["first_name"]) == (ada, True, "Augusta")
        assert (await echo_of(removing, new)).op == "c"
        assert len(await rows(removing, MATCHED)) == 2

    async def test_a_create_never_writes_over_a_living_row(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, MARKED, active=True)
        command = commands.create({**ADA, "first_name": "Augusta"}, local_id=ada)
        await apply_with(removing, MARKED, command)
        assert row((await echo_of(removing, command)).after)["first_name"] == "Ada"

    async def test_a_row_comes_and_goes_in_one_batch(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, MARKED, active=True)
        await apply_with(removing, MARKED, commands.delete(ada, ADA), commands.create(ADA, local_id=ada))
        assert [found["active"] for found in await rows(removing, MARKED)] == [True]

    async def test_marked_rows_are_loaded_as_they_are(self, removing: RemovalSubject) -> None:
        ada = await removing.insert("contacts", **ADA, active=False)
        await removing.connector.install([MARKED])
        found = await changes(removing, lambda found: bool(found))
        assert [(change.op, change.local_id, row(change.after)["active"]) for change in found] == [("r", ada, False)]

    # --- archive

    async def test_an_archived_row_leaves_its_table(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, ARCHIVED, active=True)
        command = commands.delete(ada, ADA)
        assert await apply_with(removing, ARCHIVED, command) == [Effect(command.id, "applied")]
        echo = await echo_of(removing, command)
        assert (echo.op, echo.local_id, echo.after) == ("d", ada, None)
        assert await rows(removing, ARCHIVED) == []
        ((entity, local_id, kept),) = await removing.archived()
        assert (entity, local_id, kept["email"], kept["active"]) == ("contact", ada, "ada@example.org", True)

    async def test_a_table_of_its_own_takes_the_columns_that_it_has(
        self, removing: RemovalSubject, commands: Commander
    ) -> None:
        ada = await with_ada(removing, MOVED, active=True)
        await apply_with(removing, MOVED, commands.delete(ada, ADA))
        kept = await rows(removing, replace(MOVED, table="contacts_archive"))
        assert kept == [{"id": int(ada[1:-1]), **ADA, "note": None}]
        assert (await rows(removing, MOVED), await removing.archived()) == ([], [])

    @pytest.mark.parametrize("spec", [ARCHIVED, MOVED], ids=["own", "named"])
    async def test_a_row_that_is_another_now_is_not_archived(
        self, removing: RemovalSubject, commands: Commander, spec: TableSpec
    ) -> None:
        ada = await with_ada(removing, spec)
        command = commands.delete(ada, {**ADA, "first_name": "Augusta"})
        await apply_with(removing, spec, command)
        assert row((await echo_of(removing, command)).after)["first_name"] == "Ada"
        assert await removing.archived() == []
        assert await rows(removing, replace(spec, table="contacts_archive")) == []

    async def test_an_archived_row_is_archived_once(self, removing: RemovalSubject, commands: Commander) -> None:
        ada = await with_ada(removing, ARCHIVED)
        command = commands.delete(ada, ADA)
        await apply_with(removing, ARCHIVED, command)
        await apply_with(removing, ARCHIVED, command)
        assert len(await removing.archived()) == 1

    async def test_a_row_that_others_refer_to_is_not_archived(
        self, removing: RemovalSubject, commands: Commander
    ) -> None:
        company = replace(ARCHIVED, entity="company", table="companies", columns=("name",), units=(("name",),))
        await removing.connector.install([company])
        engines = await removing.insert("companies", name="Engines")
        await removing.insert("contacts", email="ada@example.org", company=int(engines[1:-1]))
        await apply_with(removing, company, commands.delete(engines, {"name": "Engines"}, entity="company"))
        assert await removing.waiting()
        assert len(await rows(removing, company)) == 1 and await removing.archived() == []

    # --- what cannot be

    @pytest.mark.parametrize(
        ("removal", "reason"),
        [
            (Removal("inactive", column="gone", value=True, restore=False), "it has no column gone"),
            (Removal("inactive", column="email", value="", restore="x"), "cannot be mapped"),
            (Removal("inactive", column="id", value=0, restore=1), "belongs to its key"),
            (Removal("inactive", column="active", value=True, restore=True), "the same value"),
            (Removal("inactive", column="credit", value="none", restore=1), "column credit cannot hold"),
            (Removal("archive", archive="nowhere"), "there is no table nowhere"),
            (Removal("archive", archive="companies"), "its archive companies has no column email"),
        ],
    )
    async def test_a_way_that_does_not_fit_the_table_is_refused(
        self, removing: RemovalSubject, removal: Removal, reason: str
    ) -> None:
        spec = replace(EMAIL_AND_NAME, removal=removal)
        with pytest.raises(RefusedError, match=reason):
            await removing.connector.install([spec])
        refusal = (await removing.connector.discover([spec]))["contact"].key_refusal
        assert refusal is not None and reason in refusal

    @pytest.mark.parametrize("spec", [MATCHED, ARCHIVED, MOVED], ids=["inactive", "own archive", "named archive"])
    async def test_a_way_that_fits_is_no_problem(self, removing: RemovalSubject, spec: TableSpec) -> None:
        await removing.connector.install([spec])
        assert list(await removing.connector.install([spec])) == []
        assert list(await removing.connector.check([spec])) == []


async def with_ada(subject: RemovalSubject, spec: TableSpec, **values: Any) -> str:
    """An installed system with one contact; its local id."""
    await subject.connector.install([spec])
    return await subject.insert("contacts", **ADA, **values)


async def rows(subject: RemovalSubject, spec: TableSpec) -> list[dict[str, Any]]:
    """The rows of a table as they are, by id."""
    connector: Connector = subject.connector
    found = [row(image) async for chunk in connector.rows(spec) for image in chunk]
    return sorted(found, key=lambda one: int(one["id"]))


def _name(change: Change) -> str | None:
    return change.origin.command if change.origin else None
