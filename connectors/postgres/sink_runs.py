"""The statements of a table, run for commands made ready: each returns the places, from 1, of those that it echoed.

The commands are of one entity and one kind, speak of the same units, and name no row twice.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.postgres.sink_commands import NO_ROW_ID, Prepared, columns, key_columns, narrowed
from connectors.postgres.sink_tables import SinkTable, Statements, Units
from connectors.postgres.sink_values import array
from schemas.messages import Outcome

NARROW_ABOVE = 50
Places = Sequence[int]


class KeyNotKeptError(Exception):
    """A batch of creates made rows under other keys than were drawn for them."""


async def write(connection: Any, table: SinkTable, items: list[Prepared]) -> Places:
    """Updates in one pass. Rows that were not found, or came to fit only meanwhile, are left over."""
    units, masks = _narrow(table, items)
    statements = await table.statements(connection, units)
    return await _touched(connection, table, statements.write, items, units, _named(items, masks))


async def swift(connection: Any, table: SinkTable, items: list[Prepared], ahead: int) -> bool:
    """A whole batch of updates of one partition, and its fence, outside a transaction: all of it or nothing.

    `ahead` is how many batches of the partition were carried out ahead, as the caller knows. False if some of this one
    may have been carried out before. Raises asyncpg.PostgresError if anything would be left over.
    """
    units, masks = _narrow(table, items)
    statements = await table.statements(connection, units)
    offsets = [item.command.offset for item in items]
    fence = (items[0].command.partition, min(offsets), max(offsets), ahead)
    values = _values(table, items, units)
    return bool(await connection.fetchval(statements.swift, *_named(items, masks), *fence, *values) == len(items))


def _narrow(table: SinkTable, items: list[Prepared]) -> tuple[Units, list[str]]:
    """The units that a statement for these updates compares and sets, and the masks over them."""
    units, masks = items[0].units, [item.mask for item in items]
    if len(items) >= NARROW_ABOVE:
        narrow, of_mask = narrowed(units, masks)
        if table.narrow(narrow):
            return narrow, [of_mask[mask] for mask in masks]
    return units, masks


async def update(connection: Any, table: SinkTable, items: list[Prepared], final: bool) -> Places:
    """Updates under a lock. `final`: also those whose write the table swallowed."""
    statements = await _statements(connection, table, items)
    named = _named(items, [item.mask for item in items], final=final)
    return await _touched(connection, table, statements.update, items, items[0].units, named)


async def look(
    connection: Any, table: SinkTable, items: list[Prepared], outcome: Outcome, error: str | None, final: bool
) -> Places:
    """Echo rows as they are, writing nothing: an update that touches no unit."""
    statements = await _statements(connection, table, items)
    silent = [msgspec.structs.replace(item, names=(), base=(), set=()) for item in items]
    named = _named(items, [""] * len(items), outcome, error, final)
    return await _touched(connection, table, statements.update, silent, items[0].units, named)


async def _touched(
    connection: Any, table: SinkTable, statement: str, items: list[Prepared], units: Units, named: tuple[Any, ...]
) -> Places:
    places: Places = await connection.fetchval(statement, *named, *_values(table, items, units))
    return places


def _values(table: SinkTable, items: list[Prepared], units: Units) -> list[str]:
    names = [name for unit in units for name in unit]
    return [*key_columns(items, table), *columns(items, "base", names), *columns(items, "set", names)]


async def delete(connection: Any, table: SinkTable, items: list[Prepared], final: bool) -> Places:
    """Deletes of rows that show what is expected of them; others are echoed as they are."""
    statements = await _statements(connection, table, items)
    named = _named(items, [item.mask for item in items], final=final)
    bases = columns(items, "base", [name for unit in items[0].units for name in unit])
    places: Places = await connection.fetchval(statements.delete, *named, *key_columns(items, table), *bases)
    return places


async def restore(connection: Any, table: SinkTable, items: list[Prepared]) -> Places:
    """Creates that bring back rows which count as gone."""
    statement = (await _statements(connection, table, items)).restore
    assert statement is not None
    keys, values = key_columns(items, table), columns(items, "set", items[0].names)
    places: Places = await connection.fetchval(statement, *_named(items), *keys, *values)
    return places


async def insert(connection: Any, table: SinkTable, items: list[Prepared]) -> Places:
    """Creates whose key is not taken. Raises KeyNotKeptError: they have to be carried out one by one."""
    statements = await _statements(connection, table, items, singly=len(items) == 1)
    if len(items) > 1 and not statements.key_known:
        raise KeyNotKeptError
    row = await connection.fetchrow(
        statements.insert, *_named(items), *columns(items, "set", items[0].names or table.key)
    )
    if row["written"] != len(row["places"]):
        raise KeyNotKeptError
    places: Places = row["places"]
    return places


async def gone(
    connection: Any, table: SinkTable, items: list[Prepared], outcomes: list[Outcome], errors: list[str | None]
) -> Places:
    """Commands for rows that are not there, under a lock that keeps them from coming; the outcome and error of each."""
    statements = await _statements(connection, table, items)
    named = _named(items, [item.local_id or NO_ROW_ID for item in items], array(outcomes), array(errors), final=True)
    places: Places = await connection.fetchval(statements.gone, *named, *key_columns(items, table))
    return places


async def twins(connection: Any, table: SinkTable, items: list[Prepared]) -> Places:
    """Creates of which the table has a row with the same natural key. Echoes none."""
    statement = (await table.twins(connection)).twins
    places: Places = await connection.fetchval(statement, *columns(items, "set", table.spec.match))
    return places


async def resting(connection: Any, table: SinkTable, items: list[Prepared]) -> list[tuple[int, str]]:
    """Creates of which the table has a row that counts as gone: place and local id. Echoes none."""
    statement = (await table.twins(connection)).resting
    rows = await connection.fetch(statement, *columns(items, "set", table.spec.match)) if statement else []
    return [(row["place"], row["local_id"]) for row in rows]


async def _statements(connection: Any, table: SinkTable, items: list[Prepared], singly: bool = False) -> Statements:
    item = items[0]
    return await table.statements(connection, item.units, item.names if item.command.op == "c" else (), singly)


def _named(
    items: list[Prepared],
    masks: Sequence[str] = (),
    outcome: str = "applied",
    error: str | None = None,
    final: bool = False,
) -> tuple[Any, ...]:
    """The parameters that every statement has."""
    commands = [item.command for item in items]
    ids, records = array([command.id for command in commands]), array([command.record_id for command in commands])
    hops = array([command.hop for command in commands])
    return ids, records, hops, array(masks), outcome, error, commands[0].entity, final
