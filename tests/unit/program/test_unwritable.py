"""Fields of systems that cannot be written to: what `duplex check` says of them, and where."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connectors import memory, registry
from connectors.base import Kind
from duplex import systems, unwritable
from schemas.project.loading import load

FILE = """
pipeline: p
systems:
  crm: {connector: memory, tables: {people: {columns: {id: integer, email: text, name: text}, key: [id]}}}
  old: {connector: feed, tables: {people: {columns: {id: integer, email: text, name: text}, key: [id]}}}
  shop:
    connector: rest
    url: https://shop.example.com
    resources:
      people:
        {key: [id], columns: {id: bigint, email: text, name: text}, list: {path: /all}, get: {path: "/{{ id }}"} WRITES}
entities:
  person:
    identity: {match: [email]}
    fields: {email: {required: true}, name: NAME}
    systems:
      crm: {table: people, map: {email: email, name: CRM}}
      OTHER: {table: people, map: {email: EMAIL, name: THERE}}
"""
UPDATE = ', update: {method: PUT, path: "/{{ id }}"}'
CREATE = ", create: {method: POST, path: /people}"
IN = {"EMAIL": "{column: email, direction: in}", "THERE": "{column: name, direction: in}"}
feed = Kind(memory.connector, writes=False)


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {
        "feed": f"{__name__}:feed",
        "memory": "connectors.memory:connector",
        "rest": "connectors.rest.connector:kind",
    }
    points = [EntryPoint(name, value, "g") for name, value in named.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


async def told(folder: Path, **words: str) -> list[str]:
    """What is said, without the file's name and the column."""
    path, text = folder / "duplex.yaml", FILE
    standard = {"OTHER": "old", "NAME": "{}", "CRM": "name", "EMAIL": "email", "THERE": "name", "WRITES": ""}
    for word, value in (standard | words).items():
        text = text.replace(word, value)
    path.write_text(text.lstrip())
    loaded = load(path, {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092"})
    try:
        async with systems.opened(loaded.project) as connectors:
            return [str(one).split(": ", 1)[1] for one in unwritable.findings(loaded, connectors)]
    finally:
        for name in ("crm", "old"):
            memory.forget(name)


async def test_every_field_of_a_system_that_is_only_read_must_go_inwards(tmp_path: Path) -> None:
    found = await told(tmp_path)
    at = "entities.person.systems.old.map"
    assert [one.split(": ")[0] for one in found if at in one] == [f"{at}.email", f"{at}.name"]
    assert "direction: in" in found[0]


async def test_a_field_without_an_owner_is_advised_of_one(tmp_path: Path) -> None:
    (only,) = await told(tmp_path, **IN)
    assert only.startswith("warning: entities.person.fields.name: an edit of it in crm is never told to old")
    assert "write owner: old" in only and "direction: out in crm" in only


@pytest.mark.parametrize(
    "words",
    [
        {"NAME": "{owner: old}"},
        {"NAME": "{owner: crm}"},
        {"CRM": "{column: name, direction: out}"},
    ],
)
async def test_nothing_is_advised_where_edits_elsewhere_do_not_count(tmp_path: Path, words: dict[str, str]) -> None:
    assert await told(tmp_path, **IN, **words) == []


async def test_a_resource_without_writes_is_advised_of_both(tmp_path: Path) -> None:
    found = await told(tmp_path, OTHER="shop")
    assert [one.split(": ")[1] for one in found] == [
        "entities.person.systems.shop.map.email",
        "entities.person.systems.shop.map.name",
        "entities.person.fields.name",
    ]
    assert "people of shop has no create and no update" in found[0]
    assert "declare what is missing under people" in found[0]


async def test_a_resource_that_takes_new_rows_alone_may_have_a_natural_key(tmp_path: Path) -> None:
    found = await told(tmp_path, OTHER="shop", WRITES=CREATE, NAME="{owner: crm}")
    assert len(found) == 1
    assert "systems.shop.map.name: people of shop has no update" in found[0]


async def test_a_resource_that_can_be_updated_is_not_spoken_of(tmp_path: Path) -> None:
    assert await told(tmp_path, OTHER="shop", WRITES=UPDATE) == []
