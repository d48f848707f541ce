"""What is wrong with an installation: asked by `check`, and every few seconds by a running source."""

from collections.abc import Sequence

import asyncpg

from connectors.base import Problem, TableSpec
from connectors.postgres import layouts, removals
from connectors.postgres.statements import statement

APPLY = "Run `duplex apply`."


async def problems(connection: asyncpg.Connection, system: str, specs: Sequence[TableSpec]) -> list[Problem]:
    """Everything that keeps these entities from being captured or written, a sentence each."""
    if not await connection.fetchval("select to_regclass('duplex.captured') is not null"):
        return [Problem(system, None, "change capture is not installed", APPLY)]
    try:
        if await connection.fetchval("select schema_version from duplex.meta") < layouts.VERSION:
            return [Problem(system, None, "the schema duplex was made by an older version of duplex", APPLY)]
        rows = await connection.fetch(statement("checks"))
    except asyncpg.InsufficientPrivilegeError:
        return [Problem(system, None, "this role may not read the schema duplex", APPLY)]
    found = {row["entity"]: row for row in rows}
    listed = [problem for spec in specs for problem in _of_entity(system, spec, found.get(spec.entity))]
    for spec in specs:
        if spec.entity in found and found[spec.entity]["present"]:
            listed += await _of_removal(connection, system, spec, found[spec.entity])
    return listed + await _of_log(connection, system)


async def _of_removal(
    connection: asyncpg.Connection, system: str, spec: TableSpec, row: asyncpg.Record
) -> list[Problem]:
    """What keeps deleted rows from being marked or archived as the mapping says."""
    removal, table = spec.removal, row["table_name"]
    if removal.mode == "remove":
        return []
    if not row["archive_there"]:
        what = f"table {removal.archive}, which archives deleted rows of {table}, was dropped"
        return [Problem(system, spec.entity, what, "Create it again and run `duplex apply`.")]
    given = (row["relation"], row["key_columns"], spec.columns, removals.text(removal), row["archive"])
    refusal = (await removals.look(connection, *given))["refusal"]
    if refusal is not None:
        remedy = "Mend that, or give this system another way in `on_delete`; apply."
        return [Problem(system, spec.entity, f"deleted rows of table {table}: {refusal}", remedy)]
    if not row["archivable"]:
        what = f"the sink's role may not write to {removal.archive or 'duplex.archive'}, which archives rows of {table}"
        return [Problem(system, spec.entity, what, APPLY)]
    return []


def _of_entity(system: str, spec: TableSpec, row: asyncpg.Record | None) -> list[Problem]:
    if row is None:
        return [Problem(system, spec.entity, f"table {spec.table} is not captured", APPLY)]
    if not row["present"]:
        what = f"table {row['table_name']} was dropped"
        return [Problem(system, spec.entity, what, "Create it again and run `duplex apply`, or take the entity out.")]
    return [Problem(system, spec.entity, what, remedy, fatal) for what, remedy, fatal in _faults(row)]


def _faults(row: asyncpg.Record) -> list[tuple[str, str, bool]]:
    table = row["table_name"]
    judged = (
        ("captures", f"the capture trigger of table {table} is missing or disabled: edits are not seen", APPLY, True),
        ("truncations", f"the truncate trigger of table {table} is missing or disabled", APPLY, True),
        ("partitions", f"a partition of table {table} lacks a trigger", APPLY, True),
        ("same_key", f"key columns of table {table} were renamed or dropped", "Correct the project; apply.", True),
        ("columns_there", f"a mapped column of table {table} is gone", "Correct the mapping; apply.", True),
        ("writable", f"the sink's role may not write table {table}", APPLY, True),
        ("same_table", f"table {table} was renamed or another took its name", "Correct the project; apply.", False),
        ("logged", f"table {table} is unlogged: a crash empties it unseen", "Set it LOGGED.", False),
    )
    return [(what, remedy, fatal) for name, what, remedy, fatal in judged if not row[name]]


async def _of_log(connection: asyncpg.Connection, system: str) -> list[Problem]:
    readable = await connection.fetchval("select has_table_privilege('duplex.change_log', 'select')")
    if readable:
        return []
    return [Problem(system, None, "the relay's role may not read duplex.change_log", APPLY)]
