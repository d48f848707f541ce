"""The package that `duplex connector new` writes works as it is, and stands every case."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from duplex.kit import scaffolds
from duplex.usage import UsageError


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


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(UsageError, match="it exists, and is not empty"):
        scaffolds.written("shop", tmp_path)


@pytest.mark.parametrize("name", ["", "Shop", "9lives", "class", "a b", "../up"])
def test_a_name_must_be_one_of_a_module(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no such name can be had"):
        scaffolds.written(name, tmp_path / "package")
