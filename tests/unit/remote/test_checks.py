"""What a check says of flows and webhooks that do not fit each other."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connectors.base import Problem
from connectors.errors import RefusedError
from connectors.remote import checks
from connectors.remote.api import Abilities
from connectors.remote.connector import RemoteConnector
from connectors.remote.memory import MemoryApi, MemoryApplication
from connectors.remote.settings import read_settings
from connectors.remote.surroundings import Surroundings
from tests.unit.remote.bench import COLUMNS, SPEC, DictNotes

PAGE = Path(__file__).parents[3] / "docs/connectors/webhooks.md"
FLOWS = "systems.blog.flows.members"
ABOUT = [{"resource": "members", "id": "id"}]
OTHERS = [{"resource": "posts", "id": "id"}]


def connector(flows: Any = None, **webhook: Any) -> RemoteConnector:
    """Of an application of two resources, of which one has these flows; `webhook` is the setting, if anything."""
    application = MemoryApplication()
    apis = {
        name: MemoryApi(application.resource(name, COLUMNS, Abilities(since=True))) for name in ("members", "posts")
    }
    options = {"flows": flows and {"members": flows}, "webhook": webhook or None}
    return RemoteConnector("blog", apis, read_settings("blog", options, tuple(apis)))


def told(flows: Any = None, **webhook: Any) -> Sequence[Problem]:
    return connector(flows, **webhook).check_flows([SPEC])


@pytest.mark.parametrize(
    ("flows", "webhook"),
    [
        (None, {}),
        (None, {"records": ABOUT}),
        (["manual"], {}),
        (["webhook", {"sweep": "6h"}], {"records": ABOUT}),
        ([{"poll": "30s"}, {"sweep": "6h"}, "manual"], {}),
    ],
)
def test_what_fits_is_no_problem(flows: Any, webhook: Any) -> None:
    assert told(flows, **webhook) == []


@pytest.mark.parametrize(
    ("flows", "webhook", "what", "setting"),
    [
        ([{"sweep": "6h"}], {"records": ABOUT}, "its flows leave webhook out", FLOWS),
        ([{"sweep": "6h"}, "webhook"], {}, "no webhook is about members", f"{FLOWS}.1"),
        ([{"sweep": "6h"}, "webhook"], {"records": OTHERS}, "no webhook is about members", f"{FLOWS}.1"),
        ([{"sweep": "6h"}, {"removed": "5m"}], {}, "no list of removed rows", f"{FLOWS}.1"),
    ],
)
async def test_flows_and_webhooks_that_are_at_odds(flows: Any, webhook: Any, what: str, setting: str) -> None:
    (only,) = told(flows, **webhook)
    assert (what in only.what, only.fatal, only.setting, only.entity) == (True, True, setting, "contact")
    made = connector(flows, **webhook)
    made.attach(Surroundings(DictNotes()))
    with pytest.raises(RefusedError, match=setting):
        await made.install([SPEC])


@pytest.mark.parametrize(
    ("webhook", "why"),
    [
        ({"signature": {"scheme": "standard"}}, "webhook.records is missing"),
        ({"records": OTHERS}, "no entity uses posts"),
    ],
)
def test_deliveries_that_nobody_would_read_are_warned_of(webhook: Any, why: str) -> None:
    (only,) = told(**webhook)
    assert only.what == f"deliveries would be kept and never read: {why}"
    assert (only.fatal, only.setting, only.entity) == (False, "systems.blog.webhook", None)


@pytest.mark.parametrize(
    ("flows", "records", "how"),
    [
        ([{"poll": "30s"}], None, "only when `duplex sync now` asks"),
        ([{"poll": "30s"}, "manual"], None, "only when `duplex sync now` asks"),
        (["webhook"], ABOUT, "only by webhooks, if at all, and when `duplex sync now` asks"),
    ],
)
def test_by_what_deletes_are_noticed_is_said_where_it_is_little(flows: Any, records: Any, how: str) -> None:
    (only,) = told(flows, **({"records": records} if records else {}))
    assert (only.what, only.fatal) == (f"deleted rows of members are noticed {how}", False)


def test_a_resource_without_flows_goes_by_the_usual_ones_beside_another() -> None:
    ways = connector([{"sweep": "6h"}], records=OTHERS)
    assert ways.check_flows([SPEC, replace(SPEC, entity="post", table="posts")]) == []


def test_the_example_of_the_page_about_webhooks_reads_its_deliveries() -> None:
    texts = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (shop,) = (YAML(typ="safe").load(text)["systems"]["shop"] for text in texts if "records:" in text)
    settings = read_settings("shop", shop, ("customers",))
    api = MemoryApi(MemoryApplication().resource("customers", COLUMNS, Abilities(since=True)))
    assert settings.webhook_of(api) is not None
    assert checks.problems("shop", settings, {api.name: api}, [replace(SPEC, table=api.name)]) == []
