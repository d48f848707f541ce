"""The in-memory system beyond what the conformance suite asks: its settings, its constraints, its edits."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from connectors import memory
from connectors.base import TableSpec
from connectors.errors import RefusedError
from connectors.memory_tables import ConstraintError, MemorySystem

TABLE = {"columns": {"id": "integer", "email": "text", "credit": "numeric"}, "key": ["id"], "generated": True}


@pytest.fixture
def data() -> MemorySystem:
    made = MemorySystem(clock_us=lambda: 7)
    made.create_table("contacts", TABLE["columns"], ["id"], generated=True, unique=(("email",),))  # type: ignore[arg-type]
    made.captured["contact"] = "contacts"
    return made


@pytest.fixture
def name() -> Iterator[str]:
    yield "a test's own"
    memory.forget("a test's own")


def test_one_name_is_one_system(name: str) -> None:
    first = memory.connector("crm", "shop", {"name": name, "tables": {"contacts": TABLE}})
    second = memory.connector("crm", "shop", {"name": name})
    first.data.insert("contacts", email="a")
    assert second.data.tables["contacts"].rows == {(1,): {"id": 1, "email": "a", "credit": None}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tabels": {}}, "systems.crm.tabels"),
        ({"tables": {"contacts": {"columns": {}}}}, "it needs columns and key"),
        ({"tables": {"contacts": {**TABLE, "colour": "red"}}}, "colour is no setting"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        memory.connector("crm", "shop", {"name": name, **options})


def test_edits_are_logged_in_order(data: MemorySystem) -> None:
    key = data.insert("contacts", email="a", credit="1.50")
    data.update("contacts", key, credit=Decimal(2))
    data.upsert("contacts", id=1, email="b")
    data.upsert("contacts", id=5, email="c")
    data.delete("contacts", 5)
    assert [(entry.seq, entry.op, entry.local_id) for entry in data.log] == [
        (1, "c", "[1]"),
        (2, "u", "[1]"),
        (3, "u", "[1]"),
        (4, "c", "[5]"),
        (5, "d", "[5]"),
    ]
    assert data.log[0].after == '{"id":1,"email":"a","credit":1.50}'


def test_a_generated_key_goes_on_after_a_given_one(data: MemorySystem) -> None:
    data.insert("contacts", id=7)
    assert data.insert("contacts") == (8,)


def test_a_row_against_a_constraint_changes_nothing(data: MemorySystem) -> None:
    data.insert("contacts", email="a")
    for values in ({"email": "a"}, {"id": 1}, {"credit": "much"}, {"ghost": 1}):
        with pytest.raises(ConstraintError):
            data.insert("contacts", **values)
    assert len(data.log) == 1
    assert len(data.tables["contacts"].rows) == 1


def test_a_check_of_the_tests_own(data: MemorySystem) -> None:
    data.tables["contacts"].check = lambda row: "no bad ones" if row["email"] == "bad" else None
    with pytest.raises(ConstraintError, match="contacts: no bad ones"):
        data.insert("contacts", email="bad")


def test_acknowledged_entries_are_let_go(data: MemorySystem) -> None:
    for email in "abc":
        data.insert("contacts", email=email)
    data.acknowledge(2, ["contact"])
    assert [entry.seq for entry in data.log] == [3]


async def test_installing_on_a_missing_table_is_refused(name: str) -> None:
    connector = memory.connector("crm", "shop", {"name": name, "tables": {"contacts": TABLE}})
    with pytest.raises(RefusedError, match="there is no such table"):
        await connector.install([TableSpec("contact", "ghosts", (), ())])
    with pytest.raises(RefusedError, match="it has no column ghost"):
        await connector.install([TableSpec("contact", "contacts", ("ghost",), (("ghost",),))])
