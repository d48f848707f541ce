"""`duplex demo --example NAME` as its user plays it, on the test run's servers, judged by what both sides hold."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from duplex.embedded.home import default_home
from duplex.examples.installation import Recipe
from duplex.examples.playing import EXAMPLES
from tests.apps.conftest import installed, only_at_length

LIMIT_S = 540
KEYS = ["ok", "example", "edits", "records", "conflicts", "lost", "duplicates", "differences", "cold_start_s", "steps"]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def environment(tmp_path: Path, kafka_bootstrap: str, postgres_dsn: str) -> Mapping[str, str]:
    """A home of this test's own, in which all that is installed is known."""
    shared, home = default_home().downloads.parent, tmp_path / "home"
    home.mkdir()
    for name in ("downloads", "apps"):
        (home / name).symlink_to(shared / name)
    servers = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "CRM_DSN": postgres_dsn, "ERP_DSN": postgres_dsn}
    return {**os.environ, **servers, "DUPLEX_HOME": str(home)}


def played(name: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The summary of a play in which every check held."""
    command = [sys.executable, "-m", "duplex", "demo", "--example", name, "--once", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr[-6000:] + done.stdout
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_plays_and_every_check_holds(name: str, environment: Mapping[str, str]) -> None:
    recipe: Recipe | None = EXAMPLES[name].recipe
    if recipe is not None:
        only_at_length(f"{name} is played")
        installed(recipe)
    found = played(name, environment)
    assert list(found) == KEYS
    assert (found["ok"], found["example"], found["lost"], found["duplicates"], found["differences"]) == (
        True,
        name,
        0,
        0,
        0,
    )
    assert found["edits"] >= 13 and found["records"] >= 3 and found["conflicts"] >= 1
