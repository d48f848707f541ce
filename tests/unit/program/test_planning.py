"""The plan of a first sync, on systems in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import memory
from duplex.cli.plan import _rules
from duplex.planning import actions, comparing
from duplex.planning.actions import Plan
from schemas.project.findings import ProjectFileError
from schemas.project.loading import Loaded, load

PROJECT = """
pipeline: shop
kafka: {bootstrap: "nowhere:1"}
systems:
  crm: {connector: memory, name: plan_crm}
  erp: {connector: memory, name: plan_erp}
entities:
  contact:
    identity: {match: [email]}
    fields:
      email: {type: string, required: true, check: email}
      name:  {type: string}
      phone: {type: string, on_conflict: {priority: [crm, erp]}}
    systems:
      crm: {table: contacts,  map: {email: email, name: name, phone: phone}}
      erp: {table: customers, map: {email: mail, name: full_name, phone: tel}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Loaded]:
    text = {"id": "integer"}
    crm, erp = memory.system("plan_crm"), memory.system("plan_erp")
    crm.create_table("contacts", text | dict.fromkeys(("email", "name", "phone"), "text"), ["id"], generated=True)
    erp.create_table("customers", text | dict.fromkeys(("mail", "full_name", "tel"), "text"), ["id"], generated=True)
    (tmp_path / "duplex.yaml").write_text(PROJECT)
    yield load(tmp_path / "duplex.yaml", {})
    memory.forget("plan_crm")
    memory.forget("plan_erp")


def contact(email: str, name: str | None = "Ada", phone: str | None = "1") -> None:
    memory.system("plan_crm").insert("contacts", email=email, name=name, phone=phone)


def customer(mail: str, full_name: str | None = "Ada", tel: str | None = "1") -> None:
    memory.system("plan_erp").insert("customers", mail=mail, full_name=full_name, tel=tel)


async def planned(loaded: Loaded) -> Plan:
    return await comparing.plan(loaded, say=lambda _: None)


def kinds(plan: Plan) -> list[tuple[str, str]]:
    return [(action.kind, action.system) for action in plan.actions]


async def test_a_row_on_one_side_only_is_created_on_the_other(loaded: Loaded) -> None:
    contact("ada@example.org")
    customer("bob@example.org")
    found = await planned(loaded)
    assert kinds(found) == [("create", "erp"), ("create", "crm")]
    assert found.actions[0].values["mail"] == (None, "ada@example.org")
    assert found.changes


async def test_equal_rows_are_linked_and_that_is_no_change(loaded: Loaded) -> None:
    contact("ada@example.org")
    customer("ADA@example.org ".strip().lower())
    found = await planned(loaded)
    assert kinds(found) == [("link", "")]
    assert not found.changes
    assert found.entities["contact"].records == 1


async def test_different_values_are_a_conflict_and_the_loser_is_updated(loaded: Loaded) -> None:
    contact("ada@example.org", phone="1")
    customer("ada@example.org", tel="2")
    found = await planned(loaded)
    assert kinds(found) == [("link", ""), ("conflict", ""), ("update", "erp")]
    assert found.actions[1].values == {"phone": ("1", "2")}
    assert found.actions[2].values == {"tel": ("2", "1")}


async def test_a_second_row_of_one_system_is_a_duplicate_and_takes_no_part(loaded: Loaded) -> None:
    contact("ada@example.org")
    contact("ada@example.org", name="Ada L.")
    found = await planned(loaded)
    assert kinds(found) == [("duplicate", "crm"), ("create", "erp")]
    assert found.actions[0].local_id == "[2]"


async def test_an_invalid_value_stops_at_the_border(loaded: Loaded) -> None:
    contact("no address")
    found = await planned(loaded)
    assert ("invalid", "crm") in kinds(found)


async def test_nothing_is_written(loaded: Loaded) -> None:
    contact("ada@example.org")
    before = len(memory.system("plan_crm").log), len(memory.system("plan_erp").log)
    await planned(loaded)
    assert (len(memory.system("plan_crm").log), len(memory.system("plan_erp").log)) == before


async def test_a_column_that_does_not_exist_is_refused_with_its_place(tmp_path: Path, loaded: Loaded) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(PROJECT.replace("phone: tel", "phone: tell"))
    with pytest.raises(ProjectFileError, match=r'wrong\.yaml:16:.*no column tell.*"tel"'):
        await planned(load(path, {}))


def action(kind: Any, entity: str = "contact", **more: Any) -> actions.Action:
    return actions.Action(kind=kind, entity=entity, record="r", **more)


def test_counts_are_by_kind_and_system() -> None:
    counts = actions.counted(
        3, {"crm": 5}, [action("create", system="erp"), action("create", system="crm"), action("link")]
    )
    assert (counts.total["create"], counts.total["link"], counts.total["update"]) == (2, 1, 0)
    assert counts.by_system == {"create": {"erp": 1, "crm": 1}}


def test_the_listing_is_limited_per_kind_and_begins_with_what_needs_a_person() -> None:
    many = [action("create") for _ in range(5)] + [action("duplicate")]
    assert [each.kind for each in actions.limited(many, 2)] == ["duplicate", "create", "create"]


def test_an_action_on_one_line() -> None:
    update = action("update", system="erp", local_id="[7]", values={"tel": (None, "1")})
    assert update.sentence() == '~ r  erp [7]  tel: nothing → "1"'


async def test_a_row_marked_as_deleted_counts_as_gone(tmp_path: Path, loaded: Loaded) -> None:
    text = PROJECT.replace(
        "    fields:\n", "    on_delete: {erp: {inactive: {column: mark, value: gone, restore: null}}}\n    fields:\n"
    ).replace("plan_erp", "plan_marked")
    columns = {"id": "integer", **dict.fromkeys(("mail", "full_name", "tel", "mark"), "text")}
    marked = memory.system("plan_marked")
    marked.create_table("customers", columns, ["id"], generated=True)
    marked.insert("customers", mail="ada@example.org", full_name="Ada", tel="1", mark="gone")
    marked.insert("customers", mail="bob@example.org", full_name="Bob", tel="2", mark=None)
    (tmp_path / "marked.yaml").write_text(text)
    found = await planned(load(tmp_path / "marked.yaml", {}))
    memory.forget("plan_marked")
    assert kinds(found) == [("create", "crm")]
    assert found.actions[0].values["email"] == (None, "bob@example.org")


async def test_without_a_broker_only_changed_rules_are_not_known(loaded: Loaded) -> None:
    found = await planned(loaded)
    assert found.rules == ()
    assert "Kafka cannot be used (nowhere:1)" in found.silence


def test_rules_that_change_are_told_with_what_they_decide() -> None:
    ruled = actions.Ruled(
        record_id="r", field="name", rule="rules:newest", current="crm 1", incoming="erp 2", winner="erp"
    )
    change = actions.RuleChange(
        entity="contact", number=2, changes=("field name: manual → newest",), open=3, left=1, commands=2,
        decided=(ruled, ruled),
    )  # fmt: skip
    plan = Plan(entities={}, actions=(), rules=(change,))
    assert plan.changes
    assert _rules(plan, 1) == [
        "rules of contact would change (epoch 2):",
        "  ~ field name: manual → newest",
        "  of 3 open conflicts 2 would be decided, 1 left open; commands to send: 2",
        "    ! r  name: crm 1 against erp 2, by rules:newest: erp",
        "    … and 1 more",
    ]
