"""Debezium for a test: installed already, or the test is skipped and says so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps.debezium import installing
from tests.apps.debezium.worker import Connect

INSTALL = "python -m tests.apps.debezium.installing"


@pytest.fixture
async def connect(tmp_path: Path, kafka_bootstrap: str) -> AsyncIterator[Connect]:
    """A running Kafka Connect worker on the run's broker."""
    if not installing.is_installed():
        pytest.skip(f"Debezium is not installed on this machine: `make test-apps` or `{INSTALL}` does it")
    worker = Connect(installing.install(), tmp_path, kafka_bootstrap)
    await worker.start()
    yield worker
    await worker.stop()
