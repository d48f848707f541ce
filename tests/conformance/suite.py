"""What every connector must do, whatever it connects to. A connector's test is a subclass with a `subject` fixture.

The subject holds two tables. `contacts`: id (a whole number that the system makes where it is left out), email
(required, unique), first_name and last_name, credit (exact decimal), active, details (JSON), company (may be null, and
must else be a company's id). `companies`: id, name. Only systems with a log of their own are tested here.
"""

from decimal import Decimal

import pytest

from connectors.base import Effect, TableSpec
from tests.conformance.commands import Commander
from tests.conformance.subject import (
    CONTACTS,
    SPECS,
    Subject,
    acknowledge,
    apply,
    batches,
    changes,
    echo_of,
    entries,
    ids,
    installed_with_ada,
    retry,
    row,
)


class ConformanceSuite:
    """The tests. They see the system through its log alone, as the pipeline does."""

    @pytest.fixture
    async def subject(self) -> Subject:
        raise NotImplementedError("a subclass gives the system to test")

    @pytest.fixture
    def commands(self) -> Commander:
        return Commander()

    # --- source

    async def test_rows_that_were_there_before_are_loaded(self, subject: Subject) -> None:
        ada = await subject.insert("contacts", email="ada@example.org")
        await subject.connector.install(SPECS)
        loaded = await changes(subject, lambda found: any(change.local_id == ada for change in found))
        assert [(change.op, change.before) for change in loaded if change.local_id == ada] == [("r", None)]
        assert row(loaded[-1].after)["email"] == "ada@example.org"

    async def test_the_end_of_a_load_is_marked_once_for_each_entity(self, subject: Subject) -> None:
        await subject.insert("contacts", email="ada@example.org")
        await subject.connector.install(SPECS)
        read = await batches(subject, lambda found: len([change for change in found if change.op == "l"]) == 2)
        found = [(change.entity, change.op) for batch in read for change in batch.changes]
        assert sorted(entry for entry in found if entry[1] == "l") == [("company", "l"), ("contact", "l")]
        assert found.index(("contact", "r")) < found.index(("contact", "l"))

    async def test_the_load_never_beats_an_entry_of_the_log(self, subject: Subject) -> None:
        ada = await subject.insert("contacts", email="ada@example.org")
        await subject.connector.install(SPECS)
        await subject.update("contacts", ada, email="countess@example.org")
        found = await changes(subject, lambda found: {"r", "u"} <= {change.op for change in found})
        entry = next(change for change in found if change.op == "u")
        for read in [change for change in found if change.op == "r" and change.seq > entry.seq]:
            assert row(read.after)["email"] == "countess@example.org"
        assert row(max(found, key=lambda change: change.seq).after)["email"] == "countess@example.org"

    async def test_changes_come_in_order_with_both_images(self, subject: Subject) -> None:
        await subject.connector.install(SPECS)
        ada = await subject.insert("contacts", email="ada@example.org", credit=Decimal("1.50"))
        await subject.update("contacts", ada, email="countess@example.org")
        await subject.delete("contacts", ada)
        made, changed, gone = await entries(subject, 3)
        assert [change.op for change in (made, changed, gone)] == ["c", "u", "d"]
        assert made.seq < changed.seq < gone.seq
        assert made.before is None and gone.after is None
        assert changed.before == made.after and gone.before == changed.after
        assert row(changed.after)["email"] == "countess@example.org"
        assert row(changed.after)["credit"] == Decimal("1.50")
        assert {change.local_id for change in (made, changed, gone)} == {ada}
        assert made.origin is None and made.entity == "contact"

    async def test_a_change_of_the_key_is_one_entry(self, subject: Subject) -> None:
        await subject.connector.install(SPECS)
        ada = await subject.insert("contacts", id=1, email="ada@example.org")
        await subject.update("contacts", ada, id=2)
        _, moved = await entries(subject, 2)
        assert (moved.op, moved.before_id, moved.local_id) == ("u", "[1]", "[2]")
        assert (row(moved.before)["id"], row(moved.after)["id"]) == (1, 2)

    async def test_an_update_that_changes_nothing_leaves_no_entry(self, subject: Subject) -> None:
        await subject.connector.install(SPECS)
        ada = await subject.insert("contacts", email="ada@example.org")
        await subject.update("contacts", ada, email="ada@example.org")
        await subject.delete("contacts", ada)
        assert [change.op for change in await entries(subject, 2)] == ["c", "d"]

    async def test_reading_goes_on_after_what_was_acknowledged(self, subject: Subject) -> None:
        await subject.connector.install(SPECS)
        await subject.insert("contacts", id=1, email="one@example.org")
        await acknowledge(subject, lambda found: "[1]" in ids(found))
        await subject.insert("contacts", id=2, email="two@example.org")
        found = await changes(subject, lambda found: "[2]" in ids(found))
        assert "[2]" in ids(found)

    async def test_what_was_not_acknowledged_comes_again(self, subject: Subject) -> None:
        await subject.connector.install(SPECS)
        await subject.insert("contacts", id=1, email="one@example.org")
        await changes(subject, lambda found: "[1]" in ids(found))
        assert "[1]" in ids(await changes(subject, lambda found: "[1]" in ids(found)))

    # --- sink

    async def test_an_update_is_written_and_echoed(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        command = commands.update(ada, ({"email": "ada@example.org"}, {"email": "new@example.org"}))
        effects = await apply(subject, command)
        echo = await echo_of(subject, command)
        assert effects == [Effect(command.id, "applied")]
        assert (echo.op, echo.local_id) == ("u", ada)
        assert row(echo.before)["email"] == "ada@example.org"
        assert row(echo.after)["email"] == "new@example.org"
        assert echo.origin is not None
        assert (echo.origin.record_id, echo.origin.hop, echo.origin.outcome) == (command.record_id, 1, "applied")

    async def test_the_sinks_own_write_is_in_the_log_once(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        command = commands.update(ada, ({"email": "ada@example.org"}, {"email": "new@example.org"}))
        await apply(subject, command)
        await subject.insert("contacts", id=99, email="last@example.org")
        found = await changes(subject, lambda found: "[99]" in ids(found))
        assert [change.op for change in found if change.local_id == ada and change.op != "r"] == ["c", "u"]

    async def test_a_unit_is_compared_and_set_as_a_whole(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject, first_name="Ada", last_name="King", active=True)
        torn = ({"first_name": "Ada", "last_name": "Byron"}, {"first_name": "Augusta", "last_name": "Lovelace"})
        command = commands.update(ada, torn, ({"active": True}, {"active": False}))
        await apply(subject, command)
        after = row((await echo_of(subject, command)).after)
        assert (after["first_name"], after["last_name"], after["active"]) == ("Ada", "King", False)

    async def test_a_unit_that_holds_the_wanted_value_already_is_left(
        self, subject: Subject, commands: Commander
    ) -> None:
        ada = await installed_with_ada(subject, credit=Decimal("5.00"))
        command = commands.update(ada, ({"credit": "4"}, {"credit": "5"}))
        await apply(subject, command)
        echo = await echo_of(subject, command)
        assert row(echo.before) == row(echo.after)

    async def test_null_is_a_value_like_others(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject, first_name=None, credit=Decimal("5.00"))
        command = commands.update(
            ada,
            ({"first_name": None, "last_name": None}, {"first_name": "Ada", "last_name": None}),
            ({"credit": "5"}, {"credit": None}),
        )
        await apply(subject, command)
        after = row((await echo_of(subject, command)).after)
        assert (after["first_name"], after["credit"]) == ("Ada", None)

    async def test_values_are_written_exactly(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        details = {"b": [1, "x", None, {"y": 12345678901234567890}], "a": 'quote " and \\ and \u00e9 \U0001f600'}
        wanted = {"credit": "12345678901234567.89", "details": details, "active": True}
        command = commands.update(ada, *(({name: None}, {name: value}) for name, value in wanted.items()))
        await apply(subject, command)
        after = row((await echo_of(subject, command)).after)
        assert (after["credit"], after["active"]) == (Decimal("12345678901234567.89"), True)
        assert after["details"] == details

    async def test_a_create_reports_the_key_that_the_system_made(self, subject: Subject, commands: Commander) -> None:
        await subject.connector.install(SPECS)
        command = commands.create({"email": "ada@example.org", "first_name": "Ada", "last_name": None})
        await apply(subject, command)
        echo = await echo_of(subject, command)
        assert (echo.op, echo.before) == ("c", None)
        assert echo.local_id == f"[{row(echo.after)['id']}]"

    async def test_a_create_keeps_the_key_it_was_given(self, subject: Subject, commands: Commander) -> None:
        await subject.connector.install(SPECS)
        command = commands.create({"email": "ada@example.org"}, local_id="[7]")
        await apply(subject, command)
        assert (await echo_of(subject, command)).local_id == "[7]"

    async def test_a_create_of_a_row_that_is_there_writes_nothing(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        command = commands.create({"email": "other@example.org"}, local_id=ada)
        await apply(subject, command)
        echo = await echo_of(subject, command)
        assert echo.local_id == ada
        assert row(echo.before) == row(echo.after)
        assert row(echo.after)["email"] == "ada@example.org"

    async def test_a_delete_removes_the_row_it_expects(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        command = commands.delete(ada, {"email": "ada@example.org", "first_name": None})
        await apply(subject, command)
        echo = await echo_of(subject, command)
        assert (echo.op, echo.local_id, echo.after) == ("d", ada, None)

    async def test_a_delete_leaves_a_row_that_is_another_now(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject, first_name="Ada")
        command = commands.delete(ada, {"email": "ada@example.org", "first_name": None})
        await apply(subject, command)
        assert row((await echo_of(subject, command)).after)["first_name"] == "Ada"

    @pytest.mark.parametrize("kind", ["update", "delete"])
    async def test_a_row_that_is_gone_is_echoed_as_gone(self, subject: Subject, commands: Commander, kind: str) -> None:
        await subject.connector.install(SPECS)
        values = {"email": "ada@example.org"}
        command = commands.update("[5]", (values, values)) if kind == "update" else commands.delete("[5]", values)
        await apply(subject, command)
        echo = await echo_of(subject, command)
        assert (echo.op, echo.local_id, echo.before, echo.after) == ("d", "[5]", None, None)

    async def test_a_command_takes_effect_once(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        command = commands.update(ada, ({"email": "ada@example.org"}, {"email": "new@example.org"}))
        await apply(subject, command)
        await subject.update("contacts", ada, email="ada@example.org")
        assert await apply(subject, command) == [Effect(command.id, None)]
        found = await changes(subject, lambda found: len([c for c in found if c.local_id == ada and c.op == "u"]) == 2)
        assert row(found[-1].after)["email"] == "ada@example.org"

    async def test_the_fence_is_kept_for_each_partition(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        first = commands.update(ada, ({"active": None}, {"active": True}), partition=0, offset=50)
        other = commands.update(ada, ({"first_name": None, "last_name": None}, {"first_name": "A", "last_name": None}),
                                partition=1, offset=3)  # fmt: skip
        await apply(subject, first)
        assert await apply(subject, other) == [Effect(other.id, "applied")]

    async def test_a_failed_command_leaves_the_others_applied(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        bob = await subject.insert("contacts", email="bob@example.org")
        await subject.insert("contacts", email="taken@example.org")
        clash = commands.update(ada, ({"email": "ada@example.org"}, {"email": "taken@example.org"}))
        fine = commands.update(bob, ({"email": "bob@example.org"}, {"email": "robert@example.org"}))
        refused, written = await apply(subject, clash, fine)
        echo = await echo_of(subject, clash)
        assert (refused.outcome, written.outcome) == ("failed", "applied")
        assert refused.error and echo.origin is not None and echo.origin.error == refused.error
        assert (echo.origin.outcome, row(echo.after)["email"]) == ("failed", "ada@example.org")
        assert row((await echo_of(subject, fine)).after)["email"] == "robert@example.org"

    async def test_a_failed_create_is_echoed_without_a_row(self, subject: Subject, commands: Commander) -> None:
        await subject.connector.install(SPECS)
        command = commands.create({"first_name": "Nobody", "last_name": None})
        assert [effect.outcome for effect in await apply(subject, command)] == ["failed"]
        echo = await echo_of(subject, command)
        assert (echo.op, echo.local_id, echo.after) == ("d", "[]", None)

    async def test_an_unfit_value_is_that_commands_failure(self, subject: Subject, commands: Commander) -> None:
        ada = await installed_with_ada(subject)
        command = commands.update(ada, ({"credit": None}, {"credit": "much"}))
        assert [effect.outcome for effect in await apply(subject, command)] == ["failed"]
        assert row((await echo_of(subject, command)).after)["credit"] is None

    async def test_a_row_may_refer_to_one_later_in_the_batch(self, subject: Subject, commands: Commander) -> None:
        await subject.connector.install(SPECS)
        child = commands.create({"email": "ada@example.org", "company": 4})
        parent = commands.create({"name": "Engines"}, local_id="[4]", entity="company")
        await apply(subject, child, parent)
        await retry(subject)
        assert row((await echo_of(subject, child)).after)["company"] == 4

    async def test_a_row_that_refers_to_a_missing_one_waits_for_it(self, subject: Subject, commands: Commander) -> None:
        await subject.connector.install(SPECS)
        child = commands.create({"email": "ada@example.org", "company": 4})
        assert [effect.outcome for effect in await apply(subject, child)] == [None]
        await subject.insert("companies", id=4, name="Engines")
        await retry(subject)
        assert row((await echo_of(subject, child)).after)["company"] == 4

    async def test_no_commands_are_no_work(self, subject: Subject) -> None:
        await subject.connector.install(SPECS)
        assert await apply(subject) == []

    # --- installation

    async def test_installing_twice_does_nothing_more(self, subject: Subject) -> None:
        await subject.connector.install(SPECS)
        assert list(await subject.connector.install(SPECS)) == []
        assert list(await subject.connector.check(SPECS)) == []

    async def test_what_is_not_installed_is_a_problem(self, subject: Subject) -> None:
        await subject.connector.install(SPECS)
        await subject.connector.uninstall()
        await subject.connector.uninstall()
        assert list(await subject.connector.check(SPECS)) != []

    async def test_tables_are_discovered(self, subject: Subject) -> None:
        elsewhere = TableSpec("ghost", "no_such_table", (), ())
        found = await subject.connector.discover([*SPECS, elsewhere])
        assert sorted(found) == ["company", "contact"]
        assert found["contact"].key == ("id",)
        assert {column.name for column in found["contact"].columns} == {"id", *CONTACTS.columns}

    async def test_rows_are_read_as_images(self, subject: Subject) -> None:
        for name in ("ada", "bob"):
            await subject.insert("contacts", email=f"{name}@example.org")
        images = [image async for chunk in subject.connector.rows(CONTACTS) for image in chunk]
        assert sorted(row(image)["email"] for image in images) == ["ada@example.org", "bob@example.org"]
