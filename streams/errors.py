"""The errors of the judgement: a mapping that cannot be, or a message that no mapping can read."""

from dataclasses import dataclass


class StreamsError(Exception):
    """Base of every error that `streams` raises."""


@dataclass(eq=False)
class MappingError(StreamsError):
    """A mapping that does not fit the table it is for. `subject` is a column or a field."""

    entity: str
    system: str
    subject: str
    reason: str

    def __str__(self) -> str:
        return f"entity {self.entity} in {self.system}: {self.subject}: {self.reason}"


@dataclass(eq=False)
class RowImageError(StreamsError):
    """A row image that is not JSON, lacks a mapped column, or holds what the column's type cannot."""

    entity: str
    system: str
    column: str | None
    reason: str

    def __str__(self) -> str:
        place = "row image" if self.column is None else f"row image, column {self.column}"
        return f"entity {self.entity} in {self.system}: {place}: {self.reason}"


@dataclass(eq=False)
class InvalidValueError(StreamsError):
    """A value that a canonical field, or a column, cannot have. `reason` completes "<subject> …"."""

    subject: str
    reason: str

    def __str__(self) -> str:
        return f"{self.subject} {self.reason}"
