"""The tables a sink writes to, as the catalog has them, and the statements made for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from connectors.base import TableSpec
from connectors.errors import RefusedError
from connectors.postgres import removals
from connectors.postgres.removals import Fragments
from connectors.postgres.sink_values import Reader, encode, key_reader, unit_reader
from connectors.postgres.statements import statement

Units = tuple[tuple[str, ...], ...]
Names = tuple[str, ...] | frozenset[str]
STATEMENT_SETS_KEPT = 64
NARROW_SETS = 32
LAYOUTS_KEPT = 1024
PLAIN = Fragments()


@dataclass(frozen=True, slots=True)
class SinkColumn:
    """A column as far as writing goes. `omissible`: the table has a value of its own for it.

    `document`: how the server reads its values, as `sql/sink_table.sql` says.
    """

    name: str
    not_null: bool
    omissible: bool
    generated: bool
    document: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """How the units of an update lie among those of its table.

    `mask` has a "1" for each of `units` that it speaks of; `names` are the columns of its own units, one after the
    other, and `readers` what reads each of them.
    """

    units: Units
    mask: str
    names: tuple[str, ...]
    readers: tuple[Reader, ...]


@dataclass(frozen=True, slots=True)
class Statements:
    """The texts made by `sql/sink_statements.sql`, where their parameters are described."""

    write: str
    swift: str
    update: str
    delete: str
    restore: str | None
    insert: str
    gone: str
    lock: str
    key_known: bool


@dataclass(frozen=True, slots=True)
class Twins:
    """The texts made by `sql/sink_twins.sql`, where their parameters are described."""

    twins: str
    resting: str | None


@dataclass(slots=True)
class SinkTable:
    """One entity's table. Statements are made on demand for each set of units and of columns to insert.

    `unit_places` finds a unit by its columns, in its own order or as a set; `starts` by the text with which a JSON
    object over them begins, up to the first colon. `removal`: the parts of statements by which rows are removed and
    brought back.
    """

    system: str
    spec: TableSpec
    oid: int
    columns: Mapping[str, SinkColumn]
    key: tuple[str, ...]
    constants: dict[str, msgspec.Raw]
    unit_places: Mapping[Names, int]
    mapped: frozenset[str]
    starts: Mapping[str, int]
    key_reader: Reader
    removal: Fragments
    _twins: Twins | None = None
    _made: dict[tuple[Units, tuple[str, ...], bool], Statements] = field(default_factory=dict)
    _narrow: set[Units] = field(default_factory=set)
    _layouts: dict[tuple[int, ...], Layout] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        system: str,
        spec: TableSpec,
        oid: int,
        columns: Mapping[str, SinkColumn],
        key: tuple[str, ...],
        removal: Fragments = PLAIN,
    ) -> "SinkTable":
        """The table, with what is derived from its entity's mapping."""
        constants = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in spec.constants.items()}
        places: dict[Names, int] = {unit: place for place, unit in enumerate(spec.units)}
        places |= {frozenset(unit): place for place, unit in enumerate(spec.units)}
        mapped = frozenset(name for unit in spec.units for name in unit)
        starts = {"{" + encode(name).decode(): place for place, unit in enumerate(spec.units) for name in unit}
        return cls(system, spec, oid, columns, key, constants, places, mapped, starts, key_reader(len(key)), removal)

    @property
    def restores(self) -> bool:
        """Whether rows that count as gone stay in the table, so that a create may bring one back."""
        return self.removal.restored is not None

    @property
    def documents(self) -> list[str]:
        """The columns whose values are read as documents."""
        return [column.name for column in self.columns.values() if column.document]

    def layout(self, shape: tuple[int, ...]) -> Layout:
        """The layout of updates that speak of these units, by their places. Raises ValueError for one named twice."""
        found = self._layouts.get(shape)
        if found is None:
            if len(self._layouts) >= LAYOUTS_KEPT:
                self._layouts.clear()
            found = self._layouts[shape] = self._laid_out(shape)
        return found

    def _laid_out(self, shape: tuple[int, ...]) -> Layout:
        if len(set(shape)) < len(shape):
            raise ValueError("a unit is named twice")
        units = [self.spec.units[place] for place in shape]
        mask = "".join("1" if place in shape else "0" for place in range(len(self.spec.units)))
        names = tuple(name for unit in units for name in unit)
        return Layout(self.spec.units, mask, names, tuple(unit_reader(unit) for unit in units))

    def narrow(self, units: Units) -> bool:
        """Whether to have statements for these units alone: not for every choice of them, each has to be made first."""
        if len(self._narrow) < NARROW_SETS:
            self._narrow.add(units)
        return units in self._narrow

    async def statements(
        self, connection: Any, units: Units, inserted: Sequence[str] = (), singly: bool = False
    ) -> Statements:
        """The statements for commands that move these units, and creates that set these columns."""
        wanted = (units, tuple(inserted) or self.key, singly)
        found = self._made.get(wanted)
        if found is None:
            if len(self._made) >= STATEMENT_SETS_KEPT:
                self._made.clear()
            found = self._made[wanted] = await self._make(connection, *wanted)
        return found

    async def twins(self, connection: Any) -> Twins:
        """The statements of `sql/sink_twins.sql`; for entities with a natural key."""
        if self._twins is None:
            row = await connection.fetchrow(
                statement("sink_twins"), self.spec.table, self.spec.match, self.key, self.removal.gone, self.documents
            )
            self._twins = Twins(row["twins"], row["resting"])
        return self._twins

    async def _make(self, connection: Any, units: Units, inserted: tuple[str, ...], singly: bool) -> Statements:
        text = msgspec.json.encode(units).decode()
        parts = (self.removal.gone, self.removal.retired, self.removal.restored, self.removal.archived)
        row = await connection.fetchrow(
            statement("sink_statements"), self.spec.table, self.key, text, inserted, singly, *parts, self.documents
        )
        return Statements(**{name: row[name] for name in Statements.__dataclass_fields__})


async def load(connection: Any, system: str, spec: TableSpec) -> SinkTable:
    """An entity's table from the catalog.

    Raises RefusedError if it, a mapped column, or a key is missing, or rows cannot be removed as its mapping says.
    """
    rows = await connection.fetch(statement("sink_table"), spec.table)
    if not rows:
        raise RefusedError(system, f"write to {spec.table}", "there is no such table", "Run `duplex check`.")
    columns = {row["name"]: _column(row) for row in rows}
    primary = sorted((row["key_place"], row["name"]) for row in rows if row["key_place"] is not None)
    key = spec.key or tuple(name for _, name in primary)
    _require(system, spec, columns, key)
    oid = rows[0]["table_oid"]
    removal = await removals.judged(connection, spec, oid, key)
    if removal.refusal is not None:
        raise RefusedError(system, f"delete from {spec.table}", removal.refusal, "Run `duplex check`.")
    return SinkTable.of(system, spec, oid, columns, key, removal.fragments)


def _column(row: asyncpg.Record) -> SinkColumn:
    return SinkColumn(row["name"], row["not_null"], row["omissible"], row["generated"], row["document"])


def _require(system: str, spec: TableSpec, columns: Mapping[str, SinkColumn], key: tuple[str, ...]) -> None:
    named = {*spec.columns, *(name for unit in spec.units for name in unit), *spec.constants, *key}
    missing = sorted(named - set(columns))
    if missing:
        raise RefusedError(
            system, f"write to {spec.table}", f"it has no column {', '.join(missing)}", "Run `duplex check`."
        )
    if not key:
        raise RefusedError(system, f"write to {spec.table}", "it has no primary key", "Add one, or name a `key`.")
