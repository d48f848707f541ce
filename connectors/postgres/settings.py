"""A Postgres system's part of the project file, judged and typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from connectors.errors import RefusedError

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
DSN_KEYS = ("dsn", "install_dsn", "relay_dsn", "sink_dsn")
LIMITS = {
    "poll_busy_ms": (4, 1, 1_000),
    "poll_idle_ms": (25, 1, 10_000),
    "batch_rows": (2_000, 1, 100_000),
    "load_chunk_rows": (1_000, 1, 100_000),
    "segment_rows": (250_000, 16, 100_000_000),
}


@dataclass(frozen=True, slots=True)
class Access:
    """One way into the system: the DSN, and the project-file key that it came from."""

    system: str
    dsn: str
    setting: str

    @property
    def address(self) -> str:
        """Host, port and database, without user and password."""
        parts = urlsplit(self.dsn)
        host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
        return f"{host}:{parts.port or 5432}{parts.path}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach a system for each task, and the limits of the relay.

    The relay asks every `poll_busy_ms` while there is much to read, and slows down to `poll_idle_ms`. `batch_rows`
    bounds a batch, `load_chunk_rows` a chunk of the initial load; the log is kept in ranges of `segment_rows`.
    """

    main: Access
    install: Access
    relay: Access
    sink: Access
    poll_busy_ms: int = 4
    poll_idle_ms: int = 25
    batch_rows: int = 2_000
    load_chunk_rows: int = 1_000
    segment_rows: int = 250_000


def read_settings(system: str, options: Mapping[str, Any]) -> Settings:
    """The settings in these options. Raises RefusedError naming the key that is unknown, missing or unfit."""
    for key in options:
        if key not in DSN_KEYS and key not in LIMITS:
            known = ", ".join((*DSN_KEYS, *LIMITS))
            raise _refused(system, key, "the postgres connector has no such setting", f"It knows {known}.")
    if options.get("dsn") is None:
        raise _refused(system, "dsn", "it is missing", "Give postgresql://user:password@host:5432/database.")
    access = {key: _access(system, key, options.get(key)) or _access(system, "dsn", options["dsn"]) for key in DSN_KEYS}
    main, install, relay, sink = (_present(access[key]) for key in DSN_KEYS)
    return Settings(main, install, relay, sink, **{key: _limit(system, key, options) for key in LIMITS})


def _present(access: Access | None) -> Access:
    assert access is not None
    return access


def _access(system: str, key: str, dsn: Any) -> Access | None:
    if dsn is None:
        return None
    example = "Write postgresql://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/path/ca.pem."
    try:
        parts = urlsplit(dsn)
        _ = parts.port
    except (ValueError, AttributeError, TypeError):
        raise _refused(system, key, "it is not an address", example) from None
    if not isinstance(dsn, str) or parts.scheme not in ("postgres", "postgresql"):
        raise _refused(system, key, "it does not start with postgresql://", example)
    _judge_tls(system, key, parts)
    return Access(system, dsn, f"systems.{system}.{key}")


def _judge_tls(system: str, key: str, parts: SplitResult) -> None:
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    mode = query.get("sslmode")
    if mode is not None and mode not in SSL_MODES:
        raise _refused(system, key, f"sslmode={mode} is unknown", f"Use one of {', '.join(SSL_MODES)}.")
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        if name in query and not Path(query[name]).is_file():
            raise _refused(system, key, f"{name}={query[name]} is no file", "Give the path of the PEM file.")


def _limit(system: str, key: str, options: Mapping[str, Any]) -> int:
    standard, least, greatest = LIMITS[key]
    value = options.get(key, standard)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= greatest:
        raise _refused(system, key, f"{value!r} is not a whole number from {least} to {greatest}", "Correct it.")
    return value


def _refused(system: str, key: str, why: str, remedy: str) -> RefusedError:
    return RefusedError(system, f"setting systems.{system}.{key}", why, remedy)
