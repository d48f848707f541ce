from collections.abc import Iterator
from pathlib import Path

import pytest

from duplex import running
from duplex.supervisor import presence
from schemas.project.model import Processors, Project


@pytest.fixture
def project() -> Project:
    held = {"table": "t", "map": {"email": "email"}}
    return Project.model_validate(
        {
            "pipeline": "shop",
            "systems": {name: {"connector": "memory"} for name in ("crm", "erp", "spare")},
            "entities": {"contact": {"fields": {"email": {}}, "systems": {"crm": held, "erp": held}}},
        }
    )


def names(parts: list[running.Part]) -> list[str]:
    return [part.name for part in parts]


def test_every_system_in_use_has_a_source_and_a_sink(project: Project) -> None:
    assert names(running.parts(project)) == ["sink crm", "sink erp", "processors", "source crm", "source erp"]


def test_workers_of_the_processors_are_parts_of_their_own(project: Project) -> None:
    several = project.model_copy(update={"processors": Processors(workers=3)})
    workers = ["processors", "processors 2", "processors 3"]
    assert names(running.parts(several))[2:5] == workers
    assert names(running.chosen(several, "processors")) == workers
    assert names(running.chosen(several, "processors:2")) == ["processors 2"]


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        ("sources", ["source crm", "source erp"]),
        ("processors, sink:erp", ["sink erp", "processors"]),
        ("source:crm,sinks", ["sink crm", "sink erp", "source crm"]),
    ],
)
def test_only_chooses_parts(project: Project, only: str, wanted: list[str]) -> None:
    assert names(running.chosen(project, only)) == wanted


@pytest.mark.parametrize("only", ["sourcs", "source:shop", "sink:spare", "sinks:"])
def test_only_refuses_what_the_project_does_not_have(project: Project, only: str) -> None:
    if only == "sinks:":
        assert names(running.chosen(project, only)) == ["sink crm", "sink erp"]
        return
    with pytest.raises(running.UnknownPartError, match=f"--only {only}.*source:crm"):
        running.chosen(project, only)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "duplex.yaml"


def note() -> presence.Running:
    return presence.Running(pid=1, port=2, host="127.0.0.1", pipeline="shop", started_at_s=3.0)


def test_a_running_pipeline_is_found_while_it_holds_the_lock(file: Path) -> None:
    with presence.locked(file) as free:
        assert free
        presence.note(file, note())
        assert presence.found(file) == note()
        with presence.locked(file) as second:
            assert not second


def test_what_a_killed_supervisor_left_behind_is_not_taken_for_running(file: Path) -> None:
    presence.folder(file).mkdir()
    presence.note(file, note())
    assert presence.found(file) is None


def test_nothing_is_made_by_looking(file: Path) -> None:
    assert presence.found(file) is None
    assert not presence.folder(file).exists()
