"""Putting capture into a database, and taking it out again, each in one transaction.

What is ours is told by the schema's comment, by `duplex.meta` and by the names in `duplex.captured`; anything else is
left alone, and stands in the way of an installation rather than being written over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import msgspec

from connectors.base import TableSpec
from connectors.errors import RefusedError
from connectors.postgres import layouts, removals, tables
from connectors.postgres.connections import connected
from connectors.postgres.settings import Access, Settings
from connectors.postgres.statements import statement
from connectors.postgres.tables import Found

OLDEST_SERVER = 150000
LOCK_TIMEOUT = "5s"
SEGMENTS_AHEAD = 4
ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('duplex.install', 0))"


@dataclass(frozen=True, slots=True)
class Roles:
    """The database roles of the three tasks."""

    install: str
    relay: str
    sink: str


async def install(system: str, pipeline: str, settings: Settings, specs: Sequence[TableSpec]) -> list[str]:
    """Make the schema, the triggers and the grants that are missing; say what was done.

    Entities that are not in `specs` keep their capture. Raises RefusedError, UnreachableError.
    """
    roles = await _roles(settings)
    async with connected(settings.install, "install") as connection:
        try:
            async with connection.transaction():
                return await _install(connection, system, pipeline, settings, roles, specs)
        except asyncpg.PostgresError as error:
            raise _refused(settings.install, "installation", error) from error


async def uninstall(system: str, pipeline: str, settings: Settings) -> list[str]:
    """Take everything of ours away. Raises RefusedError if something of somebody else's leans on it."""
    async with connected(settings.install, "uninstall") as connection:
        try:
            async with connection.transaction():
                return await _uninstall(connection, system, pipeline)
        except asyncpg.PostgresError as error:
            raise _refused(settings.install, "removal of the schema duplex", error) from error


async def _roles(settings: Settings) -> Roles:
    return Roles(*[await _role(access) for access in (settings.install, settings.relay, settings.sink)])


async def _role(access: Access) -> str:
    async with connected(access, "install") as connection:
        return str(await connection.fetchval("select session_user::text"))


async def _install(
    connection: asyncpg.Connection,
    system: str,
    pipeline: str,
    settings: Settings,
    roles: Roles,
    specs: Sequence[TableSpec],
) -> list[str]:
    await _prepare(connection, system)
    version = await _ours(connection, system, pipeline)
    if version is None:
        await _make_schema(connection, system, pipeline, settings, roles)
        done = ["made the schema duplex with the change log"]
    else:
        done = await layouts.upgrade(connection, version)
    for name in ("log", "capture", "capture_statements", "roles"):
        await connection.execute(statement(name))
    await connection.execute("update duplex.meta set relay_role = $1, sink_role = $2", roles.relay, roles.sink)
    for spec in specs:
        done += await _capture(connection, system, spec)
    await connection.execute(statement("forgotten"), [spec.entity for spec in specs])
    await connection.execute("select duplex.grant_roles()")
    await connection.execute("select duplex.extend_log($1)", SEGMENTS_AHEAD)
    return done


async def _prepare(connection: asyncpg.Connection, system: str) -> None:
    version = connection.get_server_version()
    if version.major * 10000 < OLDEST_SERVER:
        raise RefusedError(system, "installation", f"the server is Postgres {version.major}", "Version 15 is needed.")
    await connection.execute(ONE_AT_A_TIME)
    await connection.execute("select set_config('lock_timeout', $1, true)", LOCK_TIMEOUT)
    await connection.execute("set local client_min_messages = warning")


async def _ours(connection: asyncpg.Connection, system: str, pipeline: str) -> int | None:
    """The layout of our installation, if there is one. Raises RefusedError if the schema is somebody else's."""
    state = await connection.fetchrow(
        "select obj_description(oid, 'pg_namespace') like 'duplex: change capture%' as marked,"
        " to_regclass('duplex.meta') is not null as described from pg_namespace where nspname = 'duplex'"
    )
    if state is None:
        return None
    if not (state["marked"] and state["described"]):
        remedy = "Rename that schema: duplex needs this name, and does not touch what it did not make."
        raise RefusedError(system, "schema duplex", "it exists and was not made by duplex", remedy)
    meta = await connection.fetchrow("select pipeline, system, schema_version from duplex.meta")
    if meta is None or (meta["pipeline"], meta["system"]) != (pipeline, system):
        whose = "an unknown pipeline" if meta is None else f"system {meta['system']} of pipeline {meta['pipeline']}"
        remedy = "One database takes part in one pipeline, once: uninstall it there first."
        raise RefusedError(system, "schema duplex", f"it belongs to {whose}", remedy)
    layouts.refuse_newer(meta["schema_version"], system)
    return int(meta["schema_version"])


async def _make_schema(
    connection: asyncpg.Connection, system: str, pipeline: str, settings: Settings, roles: Roles
) -> None:
    await connection.execute(statement("schema"))
    await connection.execute(statement("log"))
    await connection.execute(
        "insert into duplex.meta (pipeline, system, schema_version, installed_by, relay_role, sink_role, segment_rows)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        pipeline,
        system,
        layouts.VERSION,
        roles.install,
        roles.relay,
        roles.sink,
        settings.segment_rows,
    )
    await connection.execute(
        "insert into duplex.source (incarnation, system_identifier, timeline, database)"
        " select extract(epoch from clock_timestamp())::bigint, w.* from duplex.whereabouts() w"
    )


async def _capture(connection: asyncpg.Connection, system: str, spec: TableSpec) -> list[str]:
    found = await tables.require(connection, system, spec)
    await _not_taken(connection, system, spec, found)
    await _let_go(connection, spec, found)
    first = await connection.fetchval(
        statement("captured"),
        spec.entity,
        found.relation,
        found.info.name,
        list(found.info.key),
        list(spec.columns),
        msgspec.json.encode(spec.units).decode(),
        msgspec.json.encode(dict(spec.constants)).decode(),
        found.info.fingerprint,
        removals.text(spec.removal),
        found.removal.archive,
    )
    await connection.execute("insert into duplex.load (entity) values ($1) on conflict do nothing", spec.entity)
    put = await connection.fetchval("select duplex.put_capture($1)", spec.entity)
    if first:
        return [f"captured table {found.info.name} as entity {spec.entity}, key {', '.join(found.info.key)}"]
    return [f"put back {put} triggers on table {found.info.name}"] if put else []


async def _not_taken(connection: asyncpg.Connection, system: str, spec: TableSpec, found: Found) -> None:
    other = await connection.fetchval(
        "select entity from duplex.captured where relation = $1::bigint::oid and entity <> $2",
        found.relation,
        spec.entity,
    )
    if other is not None:
        remedy = "A table holds one entity: give each its own table."
        raise RefusedError(
            system, f"entity {spec.entity}, table {spec.table}", f"it is captured as entity {other}", remedy
        )


async def _let_go(connection: asyncpg.Connection, spec: TableSpec, found: Found) -> None:
    """Take the capture off the table that this entity had before, if it was another one."""
    await connection.execute(
        "select duplex.remove_capture(entity) from duplex.captured where entity = $1 and relation <> $2::bigint::oid",
        spec.entity,
        found.relation,
    )


async def _uninstall(connection: asyncpg.Connection, system: str, pipeline: str) -> list[str]:
    await _prepare(connection, system)
    version = await _ours(connection, system, pipeline)
    if version is None:
        return []
    await layouts.upgrade(connection, version)
    await _nothing_archived(connection, system)
    captured = await connection.fetch("select entity, table_name from duplex.captured order by entity")
    await connection.execute(statement("uninstall"))
    done = [f"released table {row['table_name']} (entity {row['entity']})" for row in captured]
    return [*done, "removed the schema duplex with the change log"]


async def _nothing_archived(connection: asyncpg.Connection, system: str) -> None:
    """Raises RefusedError if rows of users would go away with the schema."""
    rows = await connection.fetchval("select count(*) from duplex.archive")
    if rows:
        remedy = "Copy what you want to keep into a table of your own, empty duplex.archive, and repeat."
        raise RefusedError(
            system, "removal of the schema duplex", f"duplex.archive holds {rows} rows that were deleted", remedy
        )


def _refused(access: Access, what: str, error: asyncpg.PostgresError) -> RefusedError:
    """A refusal by the server, with what can be done about it; nothing was changed."""
    remedy = "Nothing was changed; mend the cause and repeat."
    if isinstance(error, asyncpg.LockNotAvailableError):
        remedy = f"A transaction has held one of the tables for more than {LOCK_TIMEOUT}: repeat when it is over."
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        remedy = f"The role of {access.setting} must own the tables and may create a schema in the database."
    if isinstance(error, asyncpg.DependentObjectsStillExistError):
        remedy = "Something that duplex did not make leans on it: remove that first."
    detail = f" ({error.detail})" if getattr(error, "detail", None) else ""
    return RefusedError(access.system, what, f"{error}{detail}", remedy)
