"""Connectors are found by their entry points."""

from pathlib import Path

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


def test_a_name_that_two_packages_bring_is_refused_by_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("shop-one", "shop-two"):
        folder = tmp_path / package / f"{package.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("[duplex.connectors]\nshop = connectors.memory:connector\n")
        monkeypatch.syspath_prepend(tmp_path / package)
    assert "shop" in registry.kinds()
    with pytest.raises(RefusedError) as caught:
        registry.open_connector("shop", "crm", "shop", {})
    assert "crm: connector shop: more than one package brings it" in str(caught.value)
    assert all(name in str(caught.value) for name in ("shop-one (", "shop-two (", "Uninstall all but one"))
