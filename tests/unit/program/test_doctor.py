"""What `duplex doctor` says of systems: only what was looked at, and what mends the rest."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest

from connectors import memory, registry
from connectors.base import ColumnInfo, Connector, Kind
from connectors.errors import RefusedError, UnreachableError
from connectors.remote.api import Abilities, Api, Page
from connectors.remote.connector import RemoteConnector
from duplex import doctor
from duplex.status.facts import trouble
from schemas.project.loading import Loaded, load

FILE = """
pipeline: p
systems:
  crm: {connector: memory, tables: {people: {columns: {id: integer, email: text}, key: [id]}}}
  mailer: {connector: mailer}
entities:
  person:
    fields: {email: {}}
    systems:
      crm: {table: people, map: {email: email}}
      mailer: {table: people, map: {email: email}}
"""


class People:
    """A resource that gives an empty page, or fails with `error`."""

    name = "people"
    key = ("id",)
    columns = (ColumnInfo("id", "text", nullable=False), ColumnInfo("email", "text"))
    abilities = Abilities()
    error: Exception | None = None

    async def page(self, cursor: str | None, since_us: int | None = None) -> Page:
        if self.error is not None:
            raise self.error
        return Page((), None)

    async def close(self) -> None:
        pass


def mailer_of(system: str, pipeline: str, options: Mapping[str, Any]) -> Connector:
    return RemoteConnector(system, {"people": cast(Api, People())})


mailer = Kind(mailer_of, log=False)


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    named = {"mailer": f"{__name__}:mailer", "memory": "connectors.memory:connector"}
    points = [EntryPoint(name, value, "g") for name, value in named.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    path = tmp_path / "duplex.yaml"
    path.write_text(FILE.lstrip())
    return load(path, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})


async def told(loaded: Loaded, error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> list[doctor.Finding]:
    """What is said of the mailer, whose listing fails so; Kafka is away."""
    monkeypatch.setattr(People, "error", error)
    try:
        return [finding async for finding in doctor._systems(loaded) if finding.subject == "mailer"]
    finally:
        memory.forget("crm")


async def test_an_application_answers_when_it_was_asked(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await told(loaded, None, monkeypatch)
    assert found[0] == doctor.Finding("ok", "mailer", "answers; the first page of 1 resource was read")
    assert not any("declared" in finding.text for finding in found)


async def test_one_that_is_away_does_not(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    away = UnreachableError("mailer", "mailer.example.com", "systems.mailer.url", "no answer")
    (only,) = await told(loaded, away, monkeypatch)
    assert (only.level, only.remedy) == ("error", "look at systems.mailer.url")
    assert "mailer.example.com cannot be reached: no answer" in only.text


async def test_nor_one_that_refuses_the_credentials(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = RefusedError("mailer", "setting systems.mailer.token", "it is refused", "Correct it.")
    (only,) = await told(loaded, refused, monkeypatch)
    assert (only.level, only.remedy) == ("error", "correct it")


def test_a_missing_topic_of_notes_is_made_by_apply() -> None:
    found = trouble(
        "mailer", RefusedError("mailer", "topic p.notes.mailer", "it does not exist", "Run `duplex apply`.")
    )
    assert (found.what, found.remedy) == ("topic p.notes.mailer: it does not exist", "Run `duplex apply`")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind(mailer_of), "capture is installed"),
        (Kind(mailer_of, writes=False), "nothing is installed there"),
        (mailer, "noted as one to be read"),
    ],
)
def test_what_holds_differs_by_kind(kind: Kind, words: str) -> None:
    assert words in doctor.installed(kind)
