"""What an application without a log must be able to do to take part: list, get, and perhaps write, one row at a time.

An `Api` is all that a connector's author writes; `connectors.remote` makes a source and a sink of it: looks in order,
sweeps and polls, webhooks as hints, compare and write, lost answers, budgets. Rows are plain values by column name as
`columns` declares them; nothing here is mapped to fields.

Every method raises `UnreachableError` where the application does not answer or is busy (worth a retry as it is),
`RefusedError` where our settings are at fault (credentials, a path that does not exist), and `RowRefusedError` where
it is this row that the application does not take. No method retries by itself after a request was sent that may have
had an effect: that is `create`'s and the engine's to decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.base import ColumnInfo
from connectors.errors import ConnectorsError

Values = Mapping[str, Any]


@dataclass(eq=False)
class RowRefusedError(ConnectorsError):
    """The application takes a request for what it is, and does not do it: a value it does not accept, a duplicate.

    `reason` is one sentence, the application's own words where it has any.
    """

    system: str
    reason: str

    def __str__(self) -> str:
        return f"{self.system}: {self.reason}"


@dataclass(eq=False)
class MovedError(ConnectorsError):
    """A conditional write was refused: the row is not any more as it was when it was read. Nothing was written."""

    system: str
    local_id: str

    def __str__(self) -> str:
        return f"{self.system}: row {self.local_id} was changed by somebody else in between"


@dataclass(eq=False)
class AnswerLostError(ConnectorsError):
    """A request was sent whose answer did not come: it may have had its effect or not."""

    system: str
    reason: str

    def __str__(self) -> str:
        return f"{self.system}: the answer to a request was lost: {self.reason}"


@dataclass(frozen=True, slots=True)
class Found:
    """One look at a row that is there.

    `version` is the application's own increasing number of the row's states, where it has one that never goes back and
    moves with every change; else None. `changed_us` is when the application says it was last changed (us, UTC), and
    `tag` what a conditional write must name (an ETag, a version, a time).
    """

    local_id: str
    values: Values
    version: int | None = None
    changed_us: int | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing. `cursor` asks for the next part; None: this was the last one."""

    rows: Sequence[Found]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the application offers for a resource; the engine makes up for the rest.

    `since`: `page` can be asked for rows changed since a time. `removed`: it has a list of removed ids. `conditional`:
    `update` and `delete` take effect only while `tag` still holds. `idempotent`: a `create` repeated with the same key
    makes no second row. `marker`: a column that no user edits, and that a create can set to a text of ours. `writes`:
    c, u, d.
    """

    since: bool = False
    removed: bool = False
    conditional: bool = False
    idempotent: bool = False
    marker: str | None = None
    writes: frozenset[str] = frozenset("cud")


class Api(Protocol):
    """One kind of row of an application (a resource, a table, a model). See the module's text."""

    @property
    def name(self) -> str:
        """What the project file calls it: an entity's `table`."""
        ...

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the key, in order; `local_id` is `schemas.identifiers.local_id` of their values."""
        ...

    @property
    def columns(self) -> Sequence[ColumnInfo]:
        """Columns with types in Postgres' words (text, bigint, numeric, boolean, timestamptz, jsonb, text[])."""
        ...

    @property
    def abilities(self) -> Abilities: ...

    async def page(self, cursor: str | None, since_us: int | None = None) -> Page:
        """Rows, part by part, all of them or (`abilities.since`) those changed at or after a time.

        A listing that is cut short must raise, and not end: rows that a complete listing lacks are taken for gone.
        """
        ...

    async def removed(self, since_us: int) -> Sequence[str]:
        """The local ids of rows that were removed at or after a time (`abilities.removed`)."""
        ...

    async def get(self, local_id: str) -> Found | None:
        """The row as it is now; None where there is none (a clear "no such row", never an error of another kind)."""
        ...

    async def find(self, columns: Values) -> Sequence[Found]:
        """Rows with exactly these values: a natural key or a marker. Raises NotImplementedError where it cannot."""
        ...

    async def create(self, values: Values, idempotency_key: str) -> Found:
        """Make a row; as the application kept it. Raises RowRefusedError, AnswerLostError."""
        ...

    async def update(self, before: Found, values: Values) -> Found:
        """Set these columns of a row; as the application kept all of it. Raises RowRefusedError, MovedError,
        AnswerLostError."""
        ...

    async def delete(self, before: Found) -> None:
        """Remove a row. One that is gone already is no error. Raises RowRefusedError, MovedError, AnswerLostError."""
        ...

    async def close(self) -> None: ...
