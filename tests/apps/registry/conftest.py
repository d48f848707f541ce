"""The registry for tests: installed already, or they are skipped and say so."""

from collections.abc import Iterator

import pytest

from tests.apps.registry import installing
from tests.apps.registry.running import Registry

INSTALL = "python -m tests.apps.registry.installing"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A started registry. What it printed is shown when a test fails."""
    if not installing.is_installed():
        pytest.skip(f"Apicurio Registry is not installed on this machine: `make test-apps` or `{INSTALL}` does it")
    found = Registry(installing.installed(), tmp_path_factory.mktemp("registry"))
    try:
        found.start()
        yield found
    finally:
        found.stop()
        print(found.log.read_text(errors="replace"))
