"""The rules of an entity as text, and the words for what changed between two texts."""

from pathlib import Path

import pytest

from schemas.project import epochs
from schemas.project.differences import differences
from schemas.project.model import Project
from tests.unit.schemas.projects import WHOLE, changed, loaded

COLUMNS = {
    "crm": dict.fromkeys(
        ("email", "first_name", "last_name", "credit_limit", "phone", "born", "kind", "spare"), "text"
    ),
    "erp": {"mail": "text", "credit": "numeric"},
}


def text_of(folder: Path, text: str = WHOLE, columns: epochs.Columns = COLUMNS) -> str:
    return epochs.rules_text(loaded(folder, text).project, "contact", columns, {"longest": "d1"})


def project_of(found: str) -> Project:
    entity, _ = epochs.entity_of(found)
    return Project.model_validate(
        {"pipeline": "x", "systems": {"crm": {"connector": "memory"}}, "entities": {"contact": entity}}
    )


SAME = [
    ("on_conflict: manual}", "on_conflict: manual, sensitive: false}"),
    ("name: {}", "name: {on_conflict: newest}"),
    ("email: email\n", "email: {column: email, direction: both}\n"),
    ("          email: mail\n          name: full_name\n", "          name: full_name\n          email: mail\n"),
    ("kafka: {", "kafka: {partitions: 7, "),
    ("${env:CRM_DSN}", "postgresql://elsewhere/crm"),
    ("pipeline: shop", "pipeline: other"),
]
OTHER = [
    ("name: {}", "name: {on_conflict: manual}", "field name: newest → manual"),
    ("owner: erp", "on_conflict: {priority: [erp]}", "field credit: owner erp → priority erp"),
    ("name: {}", "name: {on_conflict: {manual: {deadline: 3d, then: {function: longest}}}}",
     "field name: newest → manual, after 3d function longest"),
    ("      name: {}\n", "      name: {}\n      fax: {on_conflict: union, type: list}\n", "field fax: new, union"),
    ("policy: manual", "policy: delete_wins", "on_delete.policy: manual → delete_wins"),
    ("erp: ignore", "erp: ignore, tombstones: 90d", "on_delete.tombstones: not set → 90d"),
    ("    on_delete", "    guard: {window: 5m}\n    on_delete", "guard: not set → {\"window\":\"5m\"}"),
    ("email: mail", "email: post", "systems.erp.map.email.column: mail → post"),
    ("check: email", "check: phone", "field email, check: email → phone"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), SAME)
def test_what_is_no_rule_or_means_the_same_has_the_same_text(tmp_path: Path, old: str, new: str) -> None:
    text = changed(old, new).replace("check: email", "") if "check: phone" in new else changed(old, new)
    assert text_of(tmp_path, text) == text_of(tmp_path)


@pytest.mark.parametrize(("old", "new", "words"), OTHER)
def test_a_change_of_rules_is_told_in_words(tmp_path: Path, old: str, new: str, words: str) -> None:
    before, after = text_of(tmp_path), text_of(tmp_path, changed(old, new))
    assert epochs.fingerprint(before) != epochs.fingerprint(after)
    assert words in differences(before, after)
    assert differences(after, after) == []


def test_the_order_of_systems_is_their_rank_and_a_rule(tmp_path: Path) -> None:
    crm, erp = WHOLE.index("      crm:\n"), WHOLE.index("      erp:\n")
    turned = WHOLE[:crm] + WHOLE[erp:] + WHOLE[crm:erp]
    assert differences(text_of(tmp_path), text_of(tmp_path, turned)) == ["order of systems: crm, erp → erp, crm"]


def test_column_types_count_where_a_column_is_used(tmp_path: Path) -> None:
    wider = {**COLUMNS, "erp": {"mail": "text", "credit": "integer", "unused": "text"}}
    assert differences(text_of(tmp_path), text_of(tmp_path, columns=wider)) == [
        "column credit of erp: numeric → integer"
    ]
    unused = {**COLUMNS, "crm": {**COLUMNS["crm"], "spare": "integer"}}
    assert text_of(tmp_path, columns=unused) == text_of(tmp_path)


def test_another_text_of_a_function_is_another_rule(tmp_path: Path) -> None:
    project = loaded(tmp_path, changed("name: {}", "name: {on_conflict: {function: longest}}")).project
    one, two = (epochs.rules_text(project, "contact", COLUMNS, {"longest": digest, "x": "y"}) for digest in "ab")
    assert differences(one, two) == ["function longest: its file has changed"]


FULL = changed("erp: ignore", "erp: {inactive: {column: gone, value: true, restore: null}}, brake: {}, tombstones: 1h")
FULL = FULL.replace("{column: kind, equals: person}", "{column: kind, equals: null}")


def test_what_is_read_from_a_text_gives_the_same_text(tmp_path: Path) -> None:
    columns = {**COLUMNS, "erp": {**COLUMNS["erp"], "gone": "boolean"}}
    text = text_of(tmp_path, FULL, columns)
    entity, types = epochs.entity_of(text)
    assert types["erp"]["gone"] == "boolean"
    assert entity.systems["crm"].filter[0].allowed == (None,)
    assert entity.on_delete.modes == loaded(tmp_path, FULL).project.entities["contact"].on_delete.modes
    assert epochs.rules_text(project_of(text), "contact", types) == text


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format":2,"entity":{},"columns":{}}', '{"format":1,"entity":{},"columns":{}}']
)
def test_text_that_is_no_rules_is_refused(text: str) -> None:
    with pytest.raises(epochs.RulesTextError, match="the rules of an epoch cannot be read"):
        epochs.read(text)
