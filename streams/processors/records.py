"""What goes into a processor and what comes out of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.errors import SchemasError
from streams.errors import StreamsError

Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """A message as it stands in the log. `timestamp_ms` is the topic's: the append time where it is kept so."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers = ()


class Output(NamedTuple):
    """A message to send. Without `partition` the key decides (murmur2, as every Kafka client does).

    Outputs of a lower `stage` are acknowledged before any of a higher one is sent; within a stage, order is kept
    per partition. `cause` is the input it follows from: what goes to the dead letters if the broker cannot take it.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Headers = ()
    stage: int = 0
    cause: Record | None = None


class Rejected(NamedTuple):
    """A record that could not be processed: it goes to the dead letters with its own bytes and this reason."""

    record: Record
    error_class: str
    message: str
    stage: str = "process"


Decided = Output | Rejected


@dataclass(eq=False)
class UnprocessableError(StreamsError):
    """One record that cannot be processed, whatever is tried; the others can. `reason` is one sentence."""

    reason: str
    stage: str = "process"

    def __str__(self) -> str:
        return self.reason


class StoppingError(StreamsError):
    """An error that concerns every record that follows: it must stop the process, and never be one record's."""


def rejected(record: Record, error: Exception) -> Rejected:
    """The rejection of a record because of an error."""
    stage = "decode" if isinstance(error, SchemasError) else getattr(error, "stage", "process")
    return Rejected(record, f"{type(error).__module__}.{type(error).__name__}", str(error), stage)


def each(records: Iterable[Record], decide: Callable[[Record], Iterable[Decided]]) -> list[Decided]:
    """Decide record by record; one that is undecodable or unprocessable is rejected and delays no other.

    `decide` must not have changed its state when it raises SchemasError or StreamsError. Raises StoppingError.
    """
    decided: list[Decided] = []
    for record in records:
        try:
            decided.extend(decide(record))
        except StoppingError:
            raise
        except (SchemasError, StreamsError) as error:
            decided.append(rejected(record, error))
    return decided
