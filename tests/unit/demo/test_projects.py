"""The examples' project files as a showing plays them."""

import subprocess
import sys

import pytest

from duplex import checking
from duplex.examples import projects
from duplex.examples.playing import EXAMPLES
from duplex.usage import UsageError
from schemas.project.loading import load

ENVIRONMENT = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "CRM_DSN": "postgresql://127.0.0.1/crm",
    "ERP_DSN": "postgresql://127.0.0.1/erp",
    "ERP_URL": "http://127.0.0.1:8000/erp",
    "ERP_USER": "duplex",
    "ERP_PASSWORD": "known",
    "BLOG_URL": "http://127.0.0.1:2368",
    "BLOG_ADMIN_KEY": "0123456789abcdef01234567:" + "ab" * 32,
    "BLOG_WEBHOOK_SECRET": "shared-with-the-site",
}


def test_every_example_can_be_played() -> None:
    assert set(EXAMPLES) == set(projects.NAMES) == {path.name for path in projects.folder("crm-erp").parent.iterdir()}


@pytest.mark.parametrize("name", projects.NAMES)
async def test_nothing_is_wrong_with_an_example(name: str) -> None:
    found = await checking.check_file(load(projects.folder(name) / "duplex.yaml", ENVIRONMENT))
    assert [str(one) for one in found.findings] == []


def test_an_unknown_example_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"no such example.*crm-marketing"):
        projects.folder("crm-marketting")


def test_a_showing_polls_in_haste_under_a_name_and_a_port_of_its_own() -> None:
    text = projects.hastened("crm-marketing", "demo_1", 4711)
    assert "\npipeline: demo_1\nbridge: {port: 4711}\n" in text
    assert "{poll: 2s}, {sweep: 30s}" in text and "poll: 30s" not in text


def test_only_an_example_with_webhooks_has_a_bridge() -> None:
    assert "\nbridge:" not in projects.hastened("crm-erp", "demo_1", 4711)


def test_the_plain_demo_does_not_load_the_examples() -> None:
    probe = "import sys, duplex.cli.demo, duplex.demo.app; print([m for m in sys.modules if 'examples' in m])"
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
