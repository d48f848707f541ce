"""Only systems that are read by schedule can be asked to be read now."""

import pytest

from duplex.asking_to_sync import ask
from duplex.usage import UsageError
from schemas.project.model import Project

HELD = {"table": "t", "map": {"email": "email"}}


@pytest.fixture
def project() -> Project:
    return Project.model_validate(
        {
            "pipeline": "p",
            "systems": {"crm": {"connector": "memory"}, "blog": {"connector": "rest"}},
            "entities": {"contact": {"fields": {"email": {}}, "systems": {"crm": HELD, "blog": HELD}}},
        }
    )


@pytest.mark.parametrize(
    ("system", "entity", "words"),
    [
        ("crm", None, "it keeps a log.*Name one without a log. It has blog"),
        ("shop", None, "there is none such.*It has blog"),
        ("blog", "invoice", "blog has none. It has contact"),
    ],
)
async def test_what_cannot_be_asked_is_said(project: Project, system: str, entity: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await ask(project, system, entity)
