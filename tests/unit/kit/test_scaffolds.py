"""The package that `duplex connector new` writes works as it is, and stands every case."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connectors import memory, registry
from duplex import checking
from duplex.kit import scaffolds
from duplex.usage import UsageError
from schemas.project.loading import load


def test_the_package_stands_every_case(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    names = sorted(path.name for path in scaffolds.written("my-shop", folder))
    assert names == ["README.md", "my_shop_connector.py", "pyproject.toml", "test_my_shop_connector.py"]
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[3]}:{folder}", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "failed" not in done.stdout


def test_a_connector_of_ones_own_takes_less_than_a_hundred_lines(tmp_path: Path) -> None:
    scaffolds.written("shop", tmp_path / "package")
    assert len((tmp_path / "package" / "shop_connector.py").read_text().splitlines()) < 100


PROJECT = """
pipeline: p
systems:
  crm:
    connector: memory
    tables: {people: {columns: {id: integer, email: text, name: text}, key: [id], generated: true}}
  shop: {connector: my-shop, folder: FOLDER}
entities:
  person:
    identity: {match: [email]}
    fields: {email: {required: true}, name: {}}
    systems:
      crm: {table: people, map: {email: email, name: name}}
      shop: {table: rows, map: {email: email, name: name}}
"""


async def test_a_project_that_uses_the_package_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scaffolds.written("my-shop", tmp_path / "package")
    monkeypatch.syspath_prepend(tmp_path / "package")
    kinds = {"memory": "connectors.memory:connector", "my-shop": "my_shop_connector:kind"}
    points = [EntryPoint(name, value, registry.GROUP) for name, value in kinds.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    path = tmp_path / "duplex.yaml"
    path.write_text(PROJECT.replace("FOLDER", str(tmp_path)))
    checked = await checking.check_all(load(path, {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092"}))
    memory.forget("crm")
    assert (checked.findings, checked.silent) == ((), {})


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(UsageError, match="it exists, and is not empty"):
        scaffolds.written("shop", tmp_path)


@pytest.mark.parametrize("name", ["", "Shop", "9lives", "class", "a b", "../up"])
def test_a_name_must_be_one_of_a_module(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no such name can be had"):
        scaffolds.written(name, tmp_path / "package")


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a connector of this name is installed already"):
        scaffolds.written("rest", tmp_path / "package")
