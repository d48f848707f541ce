"""`duplex dev` as a person uses it, on Postgres alone: Kafka's address is given."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from duplex.cli import dev
from duplex.embedded.home import default_home
from duplex.embedded.runtime import Runtime
from tests import servers


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A DUPLEX_HOME of this test's own, with what was downloaded before."""
    root = servers.fresh_home().root
    monkeypatch.setenv("DUPLEX_HOME", str(root))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.given:9092")
    monkeypatch.delenv("CRM_DSN", raising=False)
    yield root
    Runtime(default_home()).stop(wipe=True)
    shutil.rmtree(root, ignore_errors=True)


def call(*words: str) -> str:
    result = CliRunner().invoke(dev.app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


async def test_start_env_status_and_stop(folder: Path) -> None:
    started = answer("start", "--databases", "crm")
    assert answer("start", "--databases", "crm") == started
    lines = shlex.split(call("env"))
    assert f"CRM_DSN={started['dsns']['crm']}" in lines
    assert "KAFKA_BOOTSTRAP_SERVERS=kafka.given:9092" in lines
    connection = await asyncpg.connect(started["dsns"]["crm"])
    await connection.close()
    assert [server["name"] for server in answer("status")["servers"] if server["running"]] == ["crm"]
    assert answer("stop", "--wipe") == {"stopped": ["crm"], "wiped": True}
    assert call("stop") == "nothing was running\n"
    assert not (folder / "servers" / "postgres").exists()


def test_no_database_is_bad_usage(folder: Path) -> None:
    assert CliRunner().invoke(dev.app, ["start", "--databases", " , "]).exit_code == 2
    assert not folder.exists()
