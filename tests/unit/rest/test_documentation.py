"""The reference has every setting, and its examples are good."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from connectors.rest import auths, declaration
from connectors.rest.connector import connector
from connectors.rest.expressions import FUNCTIONS
from connectors.rest.resources import NAMES

PAGE = (Path(__file__).parents[3] / "docs/connectors/rest.md").read_text()
MODELS = [
    one
    for module in (declaration, auths)
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, BaseModel) and one.__module__ == module.__name__
]
EXAMPLES: list[dict[str, Any]] = [
    YAML(typ="safe").load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_is_documented(model: type[BaseModel]) -> None:
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert [name for name in names if not re.search(rf"[`{{ ,(]{name}[`:, )]", PAGE)] == []


def test_every_name_and_function_of_templates_is_documented() -> None:
    names = {name for known in NAMES.values() for name in known}
    assert [name for name in sorted(names) if f"`{name}`" not in PAGE] == []
    assert [name for name in FUNCTIONS if f"`{name}(" not in PAGE] == []


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if "resources" in one or "systems" in one], ids=lambda one: next(iter(one))
)
def test_the_examples_are_good(example: dict[str, Any]) -> None:
    system = dict(example["systems"]["shop"]) if "systems" in example else dict(example)
    system.pop("connector", None)
    if "key" in system["auth"]:
        system["auth"] = {**system["auth"], "key": "5f1e:" + "ab" * 32}
    assert connector("shop", "p", system) is not None
