"""What `duplex check` finds in a file beside its shape."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connectors import memory, registry
from connectors.base import Kind
from duplex import checking, systems
from schemas.project.loading import Loaded, load

FILE = """
pipeline: p
systems:
  crm: {connector: memory, tables: {people: {columns: {id: integer, email: text}, key: [id]}}}
  old: {connector: feed, tables: {people: {columns: {id: integer, email: text}, key: [id]}}WEBHOOK}
entities:
  person:
    fields: {email: {}}
    systems:
      crm: {table: people, map: {email: email}}
      old: {table: people, map: {email: COLUMN}}
"""
feed = Kind(memory.connector, writes=False)


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("feed", f"{__name__}:feed", "g"), EntryPoint("memory", "connectors.memory:connector", "g")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def project(folder: Path, column: str, webhook: str = "") -> Loaded:
    path = folder / "duplex.yaml"
    path.write_text(FILE.replace("COLUMN", column).replace("WEBHOOK", webhook).lstrip())
    return load(path, {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092"})


async def found(loaded: Loaded) -> list[str]:
    try:
        async with systems.opened(loaded.project) as connectors:
            return [str(finding) for finding in (await checking.check(loaded, connectors)).findings]
    finally:
        for name in ("crm", "old"):
            memory.forget(name)


async def test_a_system_that_can_only_be_read_is_mapped_inwards(tmp_path: Path) -> None:
    at = "entities.person.systems.old.map.email: old can only be read"
    written = await found(project(tmp_path, "email"))
    assert [finding for finding in written if at in finding], written
    inwards = await found(project(tmp_path, "{column: email, direction: in}"))
    assert not any("systems.old" in finding for finding in inwards)


def test_a_webhook_that_the_bridge_would_not_take_is_found(tmp_path: Path) -> None:
    webhook = ", webhook: {signature: {scheme: github}}"
    (only,) = checking._webhooks(project(tmp_path, "{column: email, direction: in}", webhook))
    assert "duplex.yaml:4:94: systems.old.webhook" in str(only) and "needs secret" in str(only)
