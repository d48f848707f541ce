"""Transactions with as few round trips as they need: the sink's batches are short, and each one waits for the server.

The driver's own transaction object takes one round trip to begin and one more for each setting; it also refuses
savepoints inside a transaction begun by hand, so both are here.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

BEGIN = "begin isolation level read committed; set constraints all immediate"


@contextlib.asynccontextmanager
async def transaction(connection: Any) -> AsyncIterator[None]:
    """Commit at the end of the block, roll back when it raises. Deferred constraints speak up at once."""
    try:
        await connection.execute(BEGIN)
        yield
        await connection.execute("commit")
    except BaseException:
        await roll_back(connection)
        raise


@contextlib.asynccontextmanager
async def savepoint(connection: Any, wanted: bool = True) -> AsyncIterator[None]:
    """Undo the block alone when it raises what the server said; other errors are the transaction's to undo."""
    if not wanted:
        yield
        return
    await connection.execute("savepoint duplex")
    try:
        yield
    except Exception:
        await connection.execute("rollback to savepoint duplex; release savepoint duplex")
        raise
    await connection.execute("release savepoint duplex")


async def roll_back(connection: Any) -> None:
    """Leave no transaction behind: a connection that cannot even roll back is thrown away."""
    if connection.is_closed() or not connection.is_in_transaction():
        return
    try:
        await connection.execute("rollback")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        connection.terminate()
