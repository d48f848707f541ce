"""What `duplex check` finds in a file beside its shape."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest

from connectors import memory, registry
from connectors.base import ColumnInfo, Kind
from connectors.errors import RefusedError, UnreachableError
from connectors.remote.api import Abilities, AnswerLostError, Api, Page
from connectors.remote.connector import RemoteConnector
from connectors.remote.settings import read_settings
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
ENVIRONMENT = {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092"}
feed = Kind(memory.connector, writes=False)


class Shop:
    """An application whose listing fails with `error`."""

    name = "people"
    key = ("id",)
    columns = (ColumnInfo("id", "text", nullable=False), ColumnInfo("email", "text"))
    abilities = Abilities()
    error: Exception

    async def page(self, cursor: str | None, since_us: int | None = None) -> Page:
        raise self.error

    async def close(self) -> None:
        pass


def shop_of(system: str, pipeline: str, options: Mapping[str, Any]) -> RemoteConnector:
    api = cast(Api, Shop())
    flows = {"flows": {api.name: [{"poll": "1m"}]}}
    return RemoteConnector(system, {api.name: api}, read_settings(system, flows, (api.name,)))


def blog_of(system: str, pipeline: str, options: Mapping[str, Any]) -> RemoteConnector:
    api = cast(Api, Shop())
    return RemoteConnector(system, {api.name: api}, read_settings(system, options, (api.name,)))


shop = Kind(shop_of, log=False)
blog = Kind(blog_of, log=False)


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {
        "feed": f"{__name__}:feed",
        "shop": f"{__name__}:shop",
        "blog": f"{__name__}:blog",
        "memory": "connectors.memory:connector",
    }
    points = [EntryPoint(name, value, "g") for name, value in named.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def project(folder: Path, column: str, webhook: str = "") -> Loaded:
    path = folder / "duplex.yaml"
    path.write_text(FILE.replace("COLUMN", column).replace("WEBHOOK", webhook).lstrip())
    return load(path, ENVIRONMENT)


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
    assert "duplex.yaml:4:104: systems.old.webhook.signature: needs secret" in str(only)


async def test_settings_that_a_connector_does_not_take_are_findings_at_their_keys(tmp_path: Path) -> None:
    path = project(tmp_path, "{column: email, direction: in}").path
    path.write_text(path.read_text().replace("key: [id]}}}", "key: [id]}}, tabels: {}}", 1).replace("feed", "fede"))
    loaded = load(path, ENVIRONMENT)
    for checked in (await checking.check_file(loaded), await checking.check_all(loaded)):
        told = [str(finding).split("duplex.yaml:")[1] for finding in checked.errors]
        assert told[0].startswith("3:") and "systems.crm.tabels: " in told[0]
        assert told[1].startswith("4:") and "fede: no such connector is installed; did you mean feed?" in told[1]
        assert (len(told), checked.silent) == (2, {})


async def asked(folder: Path, error: Exception, **abilities: bool) -> checking.Checked:
    """What comes of a check of an application whose listing fails so."""
    path = folder / "duplex.yaml"
    feed = "feed, tables: {people: {columns: {id: integer, email: text}, key: [id]}}WEBHOOK"
    path.write_text(FILE.replace(feed, "shop").replace("COLUMN", "email").lstrip())
    Shop.error, Shop.abilities = error, Abilities(**abilities)
    try:
        return await checking.check_all(load(path, ENVIRONMENT))
    finally:
        memory.forget("crm")


async def test_an_application_is_asked_for_a_first_page(tmp_path: Path) -> None:
    away = UnreachableError("old", "shop", "systems.old.url", "no answer")
    assert (await asked(tmp_path, away)).silent == {"old": away}
    found = await asked(
        tmp_path, RefusedError("old", "setting systems.old.auth", "the token is refused", "Correct it.")
    )
    (only,) = [str(each) for each in found.errors if each.path == "systems.old.auth"]
    assert "systems.old.auth: the token is refused; correct it" in only
    found = await asked(tmp_path, AnswerLostError("old", "half of it came"))
    assert [each.path for each in found.errors if "half" in each.message] == ["entities.person.systems.old.table"]


async def test_what_a_connector_finds_without_being_installed_is_found(tmp_path: Path) -> None:
    found = await asked(tmp_path, AnswerLostError("old", "x"))
    assert [each.severity for each in found.findings if "cannot be asked for changed rows" in each.message] == ["error"]
    found = await asked(tmp_path, AnswerLostError("old", "x"), since=True)
    assert not any("cannot be asked" in each.message for each in found.findings)


async def test_why_a_table_is_missing_is_the_connectors_to_say(tmp_path: Path) -> None:
    Shop.name = "persons"
    try:
        found = await asked(tmp_path, AnswerLostError("old", "x"))
    finally:
        Shop.name = "people"
    (only,) = [each for each in found.errors if each.path == "entities.person.systems.old.table"]
    assert only.message == "there is no resource people"


async def checked_offline(folder: Path, settings: str) -> list[str]:
    """What a check of the file alone says of an application with these settings."""
    path = folder / "duplex.yaml"
    feed = "feed, tables: {people: {columns: {id: integer, email: text}, key: [id]}}WEBHOOK"
    path.write_text(FILE.replace(feed, f"blog, {settings}").replace("COLUMN", "email").lstrip())
    try:
        checked = await checking.check_file(load(path, ENVIRONMENT | {"SECRET": "whsec_c2l4dGVlbiBieXRlcyBvZiBpdA=="}))
    finally:
        memory.forget("crm")
    return [str(finding).split("duplex.yaml:")[1] for finding in checked.findings]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            "flows: {people: [{sweep: 6h}]}, webhook: {SIGNED, records: [RULE]}",
            "4:34: systems.old.flows.people: webhook",
        ),
        ("flows: {people: [{sweep: 6h}, webhook]}", "4:56: systems.old.flows.people[1]: no webhook is about people"),
        ("webhook: {SIGNED}", "4:26: warning: systems.old.webhook: deliveries would be kept and never read: "),
    ],
)
async def test_flows_and_webhooks_that_are_at_odds_are_found_in_the_file(
    tmp_path: Path, settings: str, told: str
) -> None:
    signed = "signature: {scheme: standard, secret: '${env:SECRET}'}"
    settings = settings.replace("SIGNED", signed).replace("RULE", "{resource: people, id: id}")
    (only,) = await checked_offline(tmp_path, settings)
    assert only.startswith(told), only
