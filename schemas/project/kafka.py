"""The project file's Kafka settings as arguments of aiokafka's clients."""

import ssl
from dataclasses import dataclass
from typing import Any

from schemas.errors import SchemasError
from schemas.project.model import Kafka


@dataclass(eq=False)
class KafkaSettingError(SchemasError):
    """A Kafka setting that cannot be used: a file that is missing, or holds no certificate or key."""

    setting: str
    reason: str

    def __str__(self) -> str:
        return f"kafka.{self.setting}: {self.reason}"


def client_options(kafka: Kafka) -> dict[str, Any]:
    """Keyword arguments for every aiokafka client. Raises KafkaSettingError where a file cannot be used."""
    servers = [server.strip() for server in kafka.bootstrap.split(",") if server.strip()]
    if not servers:
        raise KafkaSettingError("bootstrap", "names no server")
    options: dict[str, Any] = {"bootstrap_servers": servers, "security_protocol": kafka.security_protocol}
    if "SSL" in kafka.security_protocol:
        options["ssl_context"] = _ssl_context(kafka)
    if kafka.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
    return options


def _ssl_context(kafka: Kafka) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise KafkaSettingError("ssl_ca_file", f"{kafka.ssl_ca_file} cannot be used: {error}") from error
    if kafka.ssl_certificate_file:
        password = kafka.ssl_key_password.get_secret_value() if kafka.ssl_key_password else ""
        try:
            # A callable, so that a missing password is an error here and not a prompt on the terminal.
            context.load_cert_chain(kafka.ssl_certificate_file, kafka.ssl_key_file, password=lambda: password)
        except (OSError, ssl.SSLError) as error:
            reason = f"{kafka.ssl_certificate_file} and its key cannot be used: {error}"
            raise KafkaSettingError("ssl_certificate_file", reason) from error
    return context
