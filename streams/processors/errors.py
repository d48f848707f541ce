"""What stops a processor: each says what was found, and what mends it."""

from dataclasses import dataclass

from streams.errors import StreamsError


@dataclass(eq=False)
class TopicMissingError(StreamsError):
    """A topic that a processor needs is not there."""

    processor: str
    topic: str

    def __str__(self) -> str:
        return f"{self.processor} needs topic {self.topic}, which does not exist; `duplex apply` creates it"


@dataclass(eq=False)
class PartitionCountError(StreamsError):
    """Topics whose keys must stay together have different partition counts."""

    processor: str
    counts: dict[str, int]

    def __str__(self) -> str:
        listed = ", ".join(f"{topic}: {count}" for topic, count in sorted(self.counts.items()))
        return (
            f"{self.processor} needs the same partition count on all its topics, but found {listed}. Keys of one "
            "record would land apart; create the differing topic anew with the others' count"
        )


@dataclass(eq=False)
class StateLostError(StreamsError):
    """Input was read up to a place, yet the state made from it is gone."""

    processor: str
    topic: str
    partition: int

    def __str__(self) -> str:
        return (
            f"{self.processor}: partition {self.partition} of its state topic {self.topic} is empty although its "
            "input was read before. The state must be rebuilt: restore the topic, or delete the consumer group's "
            "offsets so that the input is read from its beginning"
        )


@dataclass(eq=False)
class InputLostError(StreamsError):
    """Input between the last place read and the first place that is still there."""

    processor: str
    topic: str
    partition: int
    wanted: int
    first: int
    end: int

    def __str__(self) -> str:
        place = f"{self.topic} partition {self.partition}"
        if self.wanted > self.end:
            why = f"the log ends at {self.end}: the topic was created anew or lost its tail"
        else:
            why = f"the log begins at {self.first}: its retention removed what was never read"
        return (
            f"{self.processor} must read {place} from offset {self.wanted}, but {why}. Load the sources again, then "
            "delete the consumer group's offsets and the state topic to start over"
        )


@dataclass(eq=False)
class RecoveryError(StreamsError):
    """The state changelog could not be read as a whole."""

    processor: str
    topic: str
    partition: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.processor}: the state in {self.topic} partition {self.partition} was not recovered: {self.reason}"
        )


@dataclass(eq=False)
class DeliveryError(StreamsError):
    """Outputs that the broker did not take."""

    processor: str
    topic: str
    partition: int
    reason: str

    def __str__(self) -> str:
        return f"{self.processor}: topic {self.topic} partition {self.partition} did not take a batch: {self.reason}"


@dataclass(eq=False)
class DeliveryTimeoutError(DeliveryError):
    """Outputs of which nothing was heard in time: they may still arrive, so the process must end first."""


@dataclass(eq=False)
class OvertakenError(StreamsError):
    """Another worker owns the partition by now."""

    processor: str
    partition: int
    epoch: int

    def __str__(self) -> str:
        return (
            f"{self.processor}: partition {self.partition} was taken over by another worker (epoch {self.epoch}); "
            "if this lasts, two workers run with the same instance name"
        )


@dataclass(eq=False)
class StuckError(StreamsError):
    """A partition that fails again and again."""

    processor: str
    partition: int
    attempts: int

    def __str__(self) -> str:
        return f"{self.processor}: partition {self.partition} failed {self.attempts} times in a row; see the cause"
