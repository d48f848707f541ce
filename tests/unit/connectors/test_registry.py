"""Connectors are found by their entry points."""

import pytest

from connectors import registry
from connectors.errors import RefusedError
from connectors.memory import MemoryConnector


def test_our_own_are_there() -> None:
    assert {"memory", "postgres"} <= set(registry.kinds())


def test_a_connector_is_made_from_its_settings() -> None:
    found = registry.open_connector("memory", "crm", "shop", {})
    assert isinstance(found, MemoryConnector)
    assert found.system == "crm"


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(RefusedError, match=r"no such connector is installed\. Did you mean postgres\?"):
        registry.open_connector("postgress", "crm", "shop", {})


def test_a_kind_like_no_other_lists_what_there_is() -> None:
    with pytest.raises(RefusedError, match=r"Installed are .*memory, postgres"):
        registry.open_connector("zzz", "crm", "shop", {})


def test_settings_are_judged_by_the_connector() -> None:
    with pytest.raises(RefusedError, match="dns"):
        registry.open_connector("postgres", "crm", "shop", {"dns": "postgresql://x"})
