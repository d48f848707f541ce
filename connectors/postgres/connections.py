"""Connections to Postgres, and its errors in our words."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from connectors.errors import RefusedError, UnreachableError
from connectors.postgres.settings import Access

CONNECT_TIMEOUT_S = 10.0
SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "client_encoding": "UTF8",
    "jit": "off",
    "synchronous_commit": "local",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
GONE = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


async def connect(access: Access, task: str) -> asyncpg.Connection:
    """A connection whose sessions write values the way row images are written. `task` names it in pg_stat_activity.

    Raises UnreachableError, and RefusedError for a DSN that the client cannot read.
    """
    settings = {**SESSION, "application_name": f"duplex {task}"}
    try:
        return await asyncpg.connect(access.dsn, timeout=CONNECT_TIMEOUT_S, server_settings=settings)
    except GONE as error:
        raise unreachable(access, error) from error
    except asyncpg.ClientConfigurationError as error:
        remedy = "Write postgresql://user:password@host:5432/database."
        raise RefusedError(access.system, f"setting {access.setting}", str(error), remedy) from error


@asynccontextmanager
async def connected(access: Access, task: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection for the time of the block; a server that goes away meanwhile raises UnreachableError."""
    connection = await connect(access, task)
    try:
        with reaching(access, connection):
            yield connection
    finally:
        await leave(connection)


@contextmanager
def reaching(access: Access, connection: asyncpg.Connection) -> Iterator[None]:
    """Within the block, a server that goes away raises UnreachableError."""
    try:
        yield
    except GONE as error:
        raise unreachable(access, error) from error
    except asyncpg.InternalClientError as error:
        # What asyncpg says of a connection on which the server's last words arrived between two of our queries.
        raise unreachable(access, error) from error
    except asyncpg.InterfaceError as error:
        if not connection.is_closed():
            raise
        raise unreachable(access, error) from error


async def leave(connection: asyncpg.Connection) -> None:
    """Close a connection, waiting a moment at most; never raises for a server that is gone."""
    try:
        await connection.close(timeout=2.0)
    except (*GONE, asyncpg.InterfaceError, asyncpg.InternalClientError):
        connection.terminate()


def unreachable(access: Access, error: BaseException) -> UnreachableError:
    """The error in our words; the address never holds the password."""
    reason = str(error) or type(error).__name__
    return UnreachableError(access.system, access.address, access.setting, reason)
