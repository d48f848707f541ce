"""The layout of the schema `duplex`, by version, and the way from each to the next (`sql/layout_<version>.sql`).

`sql/schema.sql` is the newest layout as a whole; an installation of an older one is brought there step by step.
"""

from typing import Any

from connectors.errors import RefusedError
from connectors.postgres.statements import statement

VERSION = 3


async def upgrade(connection: Any, version: int) -> list[str]:
    """Bring a schema of this version to the newest layout, in the caller's transaction; says so if it had to."""
    for step in range(version + 1, VERSION + 1):
        await connection.execute(statement(f"layout_{step}"))
    if version == VERSION:
        return []
    await connection.execute("update duplex.meta set schema_version = $1", VERSION)
    return [f"brought the schema duplex from layout {version} to {VERSION}"]


async def require_present(connection: Any, system: str) -> None:
    """Raises RefusedError where the schema is there and has another layout than this version of duplex works on."""
    if not await connection.fetchval("select to_regclass('duplex.meta') is not null"):
        return
    version = await connection.fetchval("select schema_version from duplex.meta")
    if version is None:
        return
    if version < VERSION:
        raise RefusedError(system, "schema duplex", "an older version of duplex made it", "Run `duplex apply`.")
    refuse_newer(version, system)


def refuse_newer(version: int, system: str) -> None:
    """Raises RefusedError for a layout that this version of duplex does not know."""
    if version > VERSION:
        raise RefusedError(system, "schema duplex", "a newer version of duplex made it", "Use that version.")
