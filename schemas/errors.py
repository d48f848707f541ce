"""The errors of the contract: what crossed a topic, or stands in a project file, and is not what it should be."""

from dataclasses import dataclass


class SchemasError(Exception):
    """Base of every error that `schemas` raises."""


@dataclass(eq=False)
class UndecodableError(SchemasError):
    """Bytes that are not a message of ours."""

    reason: str
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.size_bytes} bytes are not a duplex message: {self.reason}"


@dataclass(eq=False)
class IncompatibleSchemaError(SchemasError):
    """A message schema changed in a way that old readers or old logs cannot follow."""

    subject: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"schema {self.subject} is not compatible with its locked version: {'; '.join(self.reasons)}"
