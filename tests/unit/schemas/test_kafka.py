"""Kafka settings as clients take them."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.project.kafka import KafkaSettingError, client_options
from schemas.project.model import Kafka


def _kafka(**settings: Any) -> Kafka:
    return Kafka.model_validate({"bootstrap": "a:1, b:2,", **settings})


SASL = {"sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "u", "sasl_password": "p"}


def test_plain_settings() -> None:
    assert client_options(_kafka()) == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}


def test_sasl_settings() -> None:
    assert client_options(_kafka(security_protocol="SASL_PLAINTEXT", **SASL)) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }


def test_tls_verifies_by_default() -> None:
    context = client_options(_kafka(security_protocol="SASL_SSL", **SASL))["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("setting", ["ssl_ca_file", "ssl_certificate_file"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, setting: str) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(KafkaSettingError, match=rf"kafka\.{setting}: .*x\.pem"):
        client_options(_kafka(security_protocol="SSL", **{setting: str(tmp_path / "x.pem")}))


@pytest.mark.parametrize(
    "settings",
    [
        {"security_protocol": "SASL_SSL"},
        {"sasl_username": "u"},
        {"ssl_ca_file": "x", "security_protocol": "PLAINTEXT"},
        {"security_protocol": "SSL", "ssl_key_file": "x"},
    ],
)
def test_settings_that_would_be_ignored_or_are_missing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _kafka(**settings)


def test_a_password_is_not_shown() -> None:
    assert "p@ss" not in repr(_kafka(security_protocol="SASL_SSL", **{**SASL, "sasl_password": "p@ss"}))


def test_no_server_is_refused() -> None:
    with pytest.raises(KafkaSettingError, match="names no server"):
        client_options(Kafka(bootstrap=" , "))
