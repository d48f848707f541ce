"""What a delete leads to, as the project file says it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, Tag

from schemas.project.base import Part, Scalar, word_or
from schemas.project.durations import Duration

ExistencePolicy = Literal["update_wins", "delete_wins", "manual"]


class Archive(Part):
    """Where deleted rows are moved: a table named with its schema, or, left out, one that duplex makes."""

    table: str | None = Field(None, min_length=1)


class Inactive(Part):
    """A deleted row stays with `value` in `column`, and counts as gone while it holds that; `restore` is what the
    column is set to when the record is created, or lives again.
    """

    column: str = Field(min_length=1)
    value: Scalar
    restore: Scalar | None


class ArchiveMode(Part):
    """Rows are moved away."""

    archive: Archive


class InactiveMode(Part):
    """Rows are marked."""

    inactive: Inactive


DeleteMode = Annotated[
    Annotated[Literal["remove", "ignore", "archive"], Tag("<word>")]
    | Annotated[ArchiveMode, Tag("<archive>")]
    | Annotated[InactiveMode, Tag("<inactive>")],
    word_or("archive", "inactive"),
]


class Brake(Part):
    """Deletes of one system are held for approval once more than `count` of them, and more than a `share` of the
    records it holds, come within the window.
    """

    count: int = Field(100, ge=1)
    share: float = Field(0.05, gt=0, le=1)
    window: Duration = 3_600_000_000

    @property
    def window_us(self) -> int:
        """The window in microseconds."""
        return self.window


@dataclass(frozen=True, slots=True)
class Mode:
    """What a delete does in one system. `column`, `value` and `restore` belong to inactive; `table` to archive (None:
    a table that duplex makes).
    """

    kind: Literal["remove", "ignore", "inactive", "archive"] = "remove"
    column: str | None = None
    value: Scalar | None = None
    restore: Scalar | None = None
    table: str | None = None


class OnDelete(Part):
    """What a delete leads to: `policy` decides it against edits that the deleter had not seen; each system, by name,
    says what becomes of its row. `brake` holds mass deletes; `tombstones` is how long a deleted record is remembered
    (left out: for ever).
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, DeleteMode] = Field(init=False)
    policy: ExistencePolicy = "update_wins"
    brake: Brake | None = None
    tombstones: Duration | None = None

    @property
    def modes(self) -> dict[str, Mode]:
        """The choices made by name; a system that is absent removes its row."""
        return {system: mode(choice) for system, choice in (self.__pydantic_extra__ or {}).items()}

    @property
    def tombstones_us(self) -> int | None:
        """How long a tombstone is kept at least, in microseconds; None: for ever."""
        return self.tombstones


def mode(choice: "Literal['remove', 'ignore', 'archive'] | ArchiveMode | InactiveMode") -> Mode:
    """A system's choice in one form, however it was written."""
    if isinstance(choice, ArchiveMode):
        return Mode("archive", table=choice.archive.table)
    if isinstance(choice, InactiveMode):
        given = choice.inactive
        return Mode("inactive", given.column, given.value, given.restore)
    return Mode(choice)
