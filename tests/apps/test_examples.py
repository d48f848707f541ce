"""The examples' project files are whole, whether their applications are installed or not."""

import re

import pytest

from connectors.rest.connector import connector
from connectors.webhook.settings import read_endpoint
from schemas.project.loading import load
from tests.apps.declared import EXAMPLES, UNUSED, options

ENVIRONMENTS = {
    ("crm-marketing", "blog"): {
        "BLOG_URL": "http://127.0.0.1:2368",
        "BLOG_ADMIN_KEY": "0123456789abcdef01234567:" + "ab" * 32,
        "BLOG_WEBHOOK_SECRET": "shared-with-the-site",
    },
    ("crm-erp", "erp"): {"ERP_URL": "http://127.0.0.1:8000/erp", "ERP_USER": "duplex", "ERP_PASSWORD": "known"},
}
LONGEST_LINES = 100


@pytest.mark.parametrize(("example", "system"), ENVIRONMENTS)
def test_an_example_is_read_without_a_warning(example: str, system: str) -> None:
    environment = {**UNUSED, **ENVIRONMENTS[example, system]}
    found = load(EXAMPLES / example / "duplex.yaml", environment)
    assert found.warnings == ()
    tables = {entity.systems[system].table for entity in found.project.entities.values()}
    made = connector(system, found.project.pipeline, found.project.systems[system].options)
    assert tables == set(made._apis)


@pytest.mark.parametrize(("example", "system"), ENVIRONMENTS)
def test_an_application_is_declared_in_less_than_a_hundred_lines(example: str, system: str) -> None:
    text = (EXAMPLES / example / "duplex.yaml").read_text()
    declared = re.search(rf"^  {system}:\n(.*?)^entities:", text, re.MULTILINE | re.DOTALL)
    assert declared is not None and declared[1].count("\n") < LONGEST_LINES


def test_the_webhooks_of_ghost_have_an_endpoint() -> None:
    given = options("crm-marketing", "blog", ENVIRONMENTS["crm-marketing", "blog"])
    endpoint = read_endpoint("blog", given["webhook"], "marketing.hooks.blog")
    assert (endpoint.path, endpoint.scheme is not None) == ("/hooks/blog", True)
