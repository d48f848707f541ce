"""The contract between the program and a system.

A connector is a *source* (reads a system's own log), a *sink* (writes rows), or both, and may be *installable*.
Everything travels in batches. Nothing here knows Kafka: `runner` moves batches between a connector and topics.

**Source.** `read(after)` yields batches in the order of the system's log: for any one row, the order in which its
changes were committed. The rows that were there before capture began come first or among them, as op r, and after
the last of them, once per entity, the marker l. It never ends by itself; it waits where there is nothing to read. A
batch may repeat entries after a restart; it never omits one. `ack(position)` is called, in order, once every change
up to and including that batch is safe in Kafka; only then may the system's log let go of it. `read` may be
cancelled at any await and loses nothing by that. A system that goes away raises `UnreachableError` out of `read`;
the runner waits, and calls `read` again after the last acknowledged position.

**Sink.** `apply(commands)` carries out a batch that came from one partition of the command topic, in order. It is
called by one task at a time per partition, and may run beside calls for other partitions. A command it has already
carried out, told by `(partition, offset)` of the command per entity, must have no second effect. Every command
leaves exactly one echo in the system's log, or, in systems without a log, one `Result`. One command's failure is
that command's outcome and not an exception; an exception means that nothing of the batch took effect, and that
the whole batch will come again. Cancelling leaves either the whole batch in effect or none of it. A sink that can
carry out single commands before their turn may say so (`connectors.sink_lane.Overtaking`).

**Installable.** `install` and `uninstall` may be repeated without harm, take effect as a whole or not at all, and
touch nothing that the connector did not make.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from schemas.messages import Change, Command, Outcome, Result


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column as the system's catalog describes it. `type` is the system's own full name of it: `numeric(10,2)`."""

    name: str
    type: str
    nullable: bool = True
    has_default: bool = False
    generated: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table as found: key columns in order; `key_refusal` says why it cannot take part, if it cannot."""

    name: str
    columns: tuple[ColumnInfo, ...]
    key: tuple[str, ...]
    fingerprint: str
    key_refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """What deleting a row means in a table. `remove`: it goes. `inactive`: `column` is set to `value`, and the row
    counts as gone while it holds that; `restore` is what a create sets it back to. `archive`: the row is moved to the
    table `archive`, or, where that is None, to one of the connector's own.
    """

    mode: Literal["remove", "inactive", "archive"] = "remove"
    column: str | None = None
    value: Any = None
    restore: Any = None
    archive: str | None = None


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What a connector must know of one entity: its table, the columns that are mapped, the units they move in.

    `units` partitions `columns`: each inner tuple is compared and set as a whole. `constants` are columns a create
    also sets. `key` overrides the table's primary key (a unique, not-null set of columns). `match` are the columns of
    the natural key: a create is refused while a row with the same values is there, for it stands for the same record.
    `removal` says how a delete is carried out.
    """

    entity: str
    table: str
    columns: tuple[str, ...]
    units: tuple[tuple[str, ...], ...]
    key: tuple[str, ...] | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    match: tuple[str, ...] = ()
    removal: Removal = Removal()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message of the system's log that cannot be understood: its bytes as they came, where it stood, and why."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    error_class: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes in log order, and the position to acknowledge when all of them are safe.

    `rejected` go to the dead letters before that, and delay nothing else.
    """

    changes: Sequence[Change]
    position: Any
    rejected: Sequence[Rejected] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of one command, for counting and logging; the merge learns it from the echo or the result."""

    command: str
    outcome: Outcome | None
    error: str | None = None
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something `check` found: a sentence for a person, and whether capture or writing is impaired by it.

    `setting` is the key of the project file that is at fault, such as `systems.shop.flows.people.1`.
    """

    system: str
    entity: str | None
    what: str
    remedy: str
    fatal: bool = True
    setting: str | None = None


class Source(Protocol):
    """Reads a system's own log. See the module's text."""

    def read(self, after: Any | None) -> AsyncIterator[Batch]: ...

    async def ack(self, position: Any) -> None: ...

    async def close(self) -> None: ...


class Sink(Protocol):
    """Writes commands to a system. See the module's text."""

    async def apply(self, commands: Sequence[Command]) -> Sequence[Effect]: ...

    async def close(self) -> None: ...


class Connector(Protocol):
    """One kind of system. `open_*` connect lazily; each raises UnreachableError when the system does not answer."""

    async def discover(self, specs: Sequence[TableSpec]) -> Mapping[str, TableInfo]:
        """The tables of these entities, by entity. A table that does not exist is absent from the answer."""
        ...

    async def install(self, specs: Sequence[TableSpec]) -> Sequence[str]:
        """Make the system ready for capture and writing; returns what was done, a sentence each."""
        ...

    async def restart(self, entities: Sequence[str]) -> None:
        """The topics of these entities are new: load every row again, and forget which commands were carried out."""
        ...

    async def uninstall(self) -> Sequence[str]:
        """Take away everything `install` made, and nothing else."""
        ...

    async def check(self, specs: Sequence[TableSpec]) -> Sequence[Problem]:
        """What is wrong with the installation now: dropped tables, disabled triggers, missing rights."""
        ...

    def rows(self, spec: TableSpec) -> AsyncIterator[Sequence[str]]:
        """Every row of a table as JSON object text, in chunks, for `plan`; writes nothing, changes nothing."""
        ...

    def open_source(self, specs: Sequence[TableSpec]) -> Source: ...

    def open_sink(self, specs: Sequence[TableSpec]) -> Sink: ...

    async def close(self) -> None: ...


class Factory(Protocol):
    """What an entry point of `duplex.connectors` names: makes a connector from a system's settings.

    `options` is the system's part of the project file with references resolved. Raises RefusedError for settings
    that are unknown, missing or of the wrong kind.
    """

    def __call__(self, system: str, pipeline: str, options: Mapping[str, Any]) -> Connector: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What an entry point may name in place of a bare `Factory`, to say what systems of this kind cannot do.

    `log`: the system keeps a log of its own; without one, its source and sink share one process and one connector
    object, which is `connectors.remote.surroundings.Attachable`. `writes`: it has a sink.
    """

    make: Factory
    log: bool = True
    writes: bool = True

    def __call__(self, system: str, pipeline: str, options: Mapping[str, Any]) -> Connector:
        return self.make(system, pipeline, options)
