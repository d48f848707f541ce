"""A system's settings are judged before anything is opened."""

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import RefusedError
from connectors.postgres.connector import connector
from connectors.postgres.settings import read_settings

DSN = "postgresql://ada:s3cret@db.example:6432/crm"

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "systems.crm.dsn: it is missing"),
    ({"dsn": DSN, "dns": DSN}, "systems.crm.dns"),
    ({"dsn": 7}, "systems.crm.dsn"),
    ({"dsn": "mysql://db/x"}, "systems.crm.dsn: it does not start with postgresql://"),
    ({"dsn": "postgresql://db:port/x"}, "systems.crm.dsn"),
    ({"dsn": DSN, "relay_dsn": "host=db"}, "systems.crm.relay_dsn"),
    ({"dsn": DSN + "?sslmode=verify"}, "sslmode=verify is unknown"),
    ({"dsn": DSN + "?sslmode=verify-full&sslrootcert=/no/such.pem"}, "sslrootcert=/no/such.pem is no file"),
    ({"dsn": DSN, "batch_rows": "many"}, "systems.crm.batch_rows"),
    ({"dsn": DSN, "batch_rows": 0}, "systems.crm.batch_rows"),
    ({"dsn": DSN, "batch_rows": True}, "systems.crm.batch_rows"),
]


@pytest.mark.parametrize(("options", "expected"), REFUSED)
def test_unfit_settings_are_named(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(RefusedError) as refused:
        connector("crm", "shop", options)
    assert expected in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_one_dsn_serves_every_task() -> None:
    settings = read_settings("crm", {"dsn": DSN})
    assert {settings.install.dsn, settings.relay.dsn, settings.sink.dsn} == {DSN}
    assert settings.sink.setting == "systems.crm.dsn"


def test_each_task_may_have_its_own() -> None:
    settings = read_settings("crm", {"dsn": DSN, "sink_dsn": DSN + "x"})
    assert (settings.sink.dsn, settings.sink.setting) == (DSN + "x", "systems.crm.sink_dsn")


def test_address_has_no_password() -> None:
    assert read_settings("crm", {"dsn": DSN}).main.address == "db.example:6432/crm"


def test_verify_full_is_passed_on_as_it_stands(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    dsn = f"{DSN}?sslmode=verify-full&sslrootcert={authority}"
    assert read_settings("crm", {"dsn": dsn}).main.dsn == dsn
