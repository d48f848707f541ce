"""What a kind of system can do decides which processes and topics it has."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from connectors import registry
from connectors.base import Kind
from connectors.memory import connector
from duplex import running, topics
from schemas.project.model import Project

HELD = {"table": "t", "map": {"email": "email"}}


blog, feed = Kind(connector, log=False), Kind(connector, writes=False)


def points(group: str) -> list[EntryPoint]:
    here = [EntryPoint(name, f"{__name__}:{name}", group) for name in ("blog", "feed")]
    return [*here, EntryPoint("memory", "connectors.memory:connector", group)]


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(registry, "entry_points", points)
    systems: Mapping[str, Any] = {"shop": {"connector": "memory"}, "old": {"connector": "feed"}}
    hooked = {"connector": "blog", "webhook": {"signature": "none", "allow_unsigned": True}}
    held = {"shop": HELD, "old": HELD, "blog": HELD}
    return Project.model_validate(
        {
            "pipeline": "p",
            "systems": {**systems, "blog": hooked},
            "entities": {"contact": {"fields": {"email": {}}, "systems": held}},
        }
    )


def test_a_bare_factory_makes_systems_that_can_do_everything(project: Project) -> None:
    assert registry.kind_of("memory", "shop") == Kind(connector)


def test_a_system_without_a_log_is_one_process_and_its_webhooks_another(project: Project) -> None:
    names = [part.name for part in running.parts(project)]
    assert names == ["sink shop", "processors", "system blog", "source shop", "source old", "bridge"]


def test_only_names_the_bridge_and_systems(project: Project) -> None:
    assert [part.name for part in running.chosen(project, "bridges,system:blog")] == ["system blog", "bridge"]
    with pytest.raises(running.UnknownPartError, match="bridges, systems, sink:shop"):
        running.chosen(project, "webhooks")


def test_a_system_without_a_log_has_notes_and_webhooks_have_a_log(project: Project) -> None:
    names = [spec.name for spec in topics.wanted(project)]
    assert [name for name in names if ".notes." in name or ".hooks." in name] == ["p.notes.blog", "p.hooks.blog"]
