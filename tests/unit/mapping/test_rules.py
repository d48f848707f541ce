"""Rules compiled from the project file, and from the text of an epoch."""

from typing import Any

import pytest

from schemas.messages import Epoch
from schemas.project import epochs
from schemas.project.model import Entity, Project
from streams.errors import InvalidValueError, MappingError
from streams.mapping.functions import Declared
from streams.mapping.rules import compile_epoch, compile_rules
from streams.merge.rules import Function, Guard, Manual, Newest, Priority, Sum, Union

TYPES = {"a": "text", "n": "integer", "l": "text[]", "gone": "boolean"}
COLUMNS = {"crm": TYPES, "erp": TYPES}


def first(current: object, incoming: object, base: object) -> object:
    return current or incoming


FIRST = Declared("first", first, "p.py", 1, "d1")


def entity(**more: Any) -> Entity:
    held = {"table": "t", "map": {"a": "a", "n": "n", "l": "l"}}
    fields = {"a": {}, "n": {"type": "integer"}, "l": {"type": "list"}} | more.pop("fields", {})
    return Entity.model_validate({"fields": fields, "systems": {"crm": held, "erp": held}, **more})


def policy_of(rule: dict[str, Any]) -> object:
    return compile_rules("e", entity(fields={"a": rule}), COLUMNS, {"first": FIRST}).policies["a"]


def until(then: Any) -> dict[str, Any]:
    return {"on_conflict": {"manual": {"deadline": "2h", "then": then}}}


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({}, Newest()),
        ({"type": "integer", "on_conflict": "sum"}, Sum()),
        ({"on_conflict": "manual"}, Manual()),
        (until("newest"), Manual(7_200_000_000, Newest())),
        (until({"priority": ["erp"]}), Manual(7_200_000_000, Priority(("erp", "crm")))),
        ({"on_conflict": {"priority": ["erp"]}}, Priority(("erp", "crm"))),
    ],
)
def test_each_policy(rule: dict[str, Any], wanted: object) -> None:
    columns = {system: {**TYPES, "a": "integer"} for system in COLUMNS} if rule.get("type") == "integer" else COLUMNS
    assert compile_rules("e", entity(fields={"a": rule}), columns).policies["a"] == wanted


def test_a_list_may_be_a_union() -> None:
    rules = compile_rules("e", entity(fields={"l": {"type": "list", "on_conflict": "union"}}), COLUMNS)
    assert rules.policies["l"] == Union()


def test_a_function_is_called_by_its_name() -> None:
    found = policy_of({"on_conflict": {"function": "first"}})
    assert isinstance(found, Function)
    assert (found.name, found.call(None, "x", None)) == ("first", "x")
    later = policy_of(until({"function": "first"}))
    assert isinstance(later, Manual) and isinstance(later.then, Function)


def test_a_function_that_is_not_declared_is_no_policy() -> None:
    with pytest.raises(MappingError, match=r"no function second is declared in policies/\*\.py"):
        policy_of({"on_conflict": {"function": "second"}})


def test_what_a_function_returns_must_be_a_value_of_the_field() -> None:
    rules = compile_rules(
        "e", entity(fields={"n": {"type": "integer", "on_conflict": {"function": "first"}}}), COLUMNS, {"first": FIRST}
    )
    found = rules.policies["n"]
    assert isinstance(found, Function)
    with pytest.raises(InvalidValueError, match="policy first returned a value that is not taken: 'x'"):
        found.call("x", None, None)


def test_deletes_guard_horizon_and_epoch() -> None:
    more = {
        "on_delete": {"crm": {"inactive": {"column": "gone", "value": True, "restore": False}}, "erp": "ignore",
                      "tombstones": "90d"},
        "guard": {"flips": 3, "window": "5m"},
    }  # fmt: skip
    rules = compile_rules("e", entity(**more), COLUMNS, epoch=7)
    assert rules.deletes == {"crm": "remove", "erp": "ignore"}
    assert rules.guard == Guard(3, 300_000_000)
    assert (rules.epoch, rules.horizon_us) == (7, 90 * 86_400_000_000)


def epoch_of(made: Entity, digests: dict[str, str]) -> Epoch:
    project = Project.model_validate(
        {"pipeline": "p", "systems": {"crm": {"connector": "memory"}}, "entities": {"e": made}}
    )
    text = epochs.rules_text(project, "e", COLUMNS, digests)
    return Epoch(entity="e", number=3, fingerprint=epochs.fingerprint(text), rules=text, ts_us=0)


def test_an_epoch_is_compiled_into_the_rules_of_its_entity() -> None:
    made = entity(fields={"a": {"on_conflict": {"function": "first"}}}, on_delete={"erp": "ignore"})
    there, here = (
        compile_epoch(epoch_of(made, {"first": "d1"}), {"first": FIRST}),
        compile_rules("e", made, COLUMNS, {"first": FIRST}, 3),
    )
    assert (there.epoch, there.policies, there.deletes) == (3, here.policies, here.deletes)
    assert there.lenses["crm"].columns == here.lenses["crm"].columns


def test_a_function_with_another_text_than_its_epochs_decides_nothing() -> None:
    made = entity(fields={"a": {"on_conflict": {"function": "first"}}})
    found = compile_epoch(epoch_of(made, {"first": "d0"}), {"first": FIRST}).policies["a"]
    assert isinstance(found, Function)
    with pytest.raises(InvalidValueError, match="policy first has another text than when these rules were applied"):
        found.call("x", "y", None)
