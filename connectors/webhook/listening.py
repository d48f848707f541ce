"""The socket that the bridge listens at, with TLS or without, and how many connections the process can have."""

import asyncio
import resource
import ssl

import structlog

from connectors.errors import RefusedError
from connectors.webhook.doors import Door
from schemas.project.bridge import Bridge

log = structlog.get_logger(__name__)

BACKLOG = 1024
OTHER_FILES = 128
"""Files that the process needs besides: Kafka's connections, certificates, pipes."""


async def listen(door: Door, settings: Bridge, context: ssl.SSLContext | None) -> asyncio.Server:
    """Accept connections. Raises RefusedError."""
    # A handshake comes before the head, and is due just as soon.
    handshake_s = settings.head_timeout_s if context is not None else None
    try:
        return await asyncio.get_running_loop().create_server(
            door, settings.host, settings.port, ssl=context, backlog=BACKLOG, ssl_handshake_timeout=handshake_s
        )
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise RefusedError("bridge", f"listening at {where}", str(error), "Look at bridge.host and port.") from error


def tls(settings: Bridge) -> ssl.SSLContext | None:
    """What the project's certificate makes; None without one. Raises RefusedError."""
    if settings.tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # A callable, so that a key with a password is an error here and not a prompt on the terminal.
        context.load_cert_chain(settings.tls.certificate, settings.tls.key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        files = f"{settings.tls.certificate} and {settings.tls.key}"
        remedy = "Give the PEM files of a certificate with its chain, and of its key without a password."
        raise RefusedError("bridge", "setting bridge.tls", f"{files} cannot be used: {error}", remedy) from error
    return context


def possible(connections: int) -> int:
    """So many connections as are wanted, or as the operating system allows the process, which is told to allow more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    found = max(1, soft - OTHER_FILES)
    log.warning("fewer connections are possible than bridge.connections allows", wanted=connections, possible=found,
                limit="open files (ulimit -n)")  # fmt: skip
    return found
