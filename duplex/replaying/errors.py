"""What keeps a replay from being made, or from being carried out."""

from duplex.errors import DuplexError
from duplex.usage import UsageError


class PlaceError(UsageError):
    """A `--from` or `--to` that names no place in the log."""

    def __init__(self, option: str, text: str, why: str) -> None:
        super().__init__(
            "no place in the log",
            f"{option} {text}",
            why,
            "Give `start`, an offset, a time like 2026-05-01T12:00:00Z, or so long ago: 90s, 15m, 2h, 3d.",
        )


class CombinationError(UsageError):
    """Options that make no sense together."""

    def __init__(self, options: str, why: str, remedy: str) -> None:
        super().__init__("these options do not go together", options, why, remedy)


class EntityMissingError(UsageError):
    """An entity that the project does not have."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__("no such entity", name, "the project does not have it", f"It has {', '.join(known)}.")


class ConditionError(UsageError):
    """A `--where` that cannot be evaluated."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(
            "the condition cannot be used",
            f"--where {source!r}",
            why,
            "It is an expression in CEL over `record` (the merged record's fields), `deleted` and `id`; for example: "
            'record.email.endsWith("@example.org").',
        )


class LogReadError(DuplexError):
    """A record log that stopped answering in the middle."""

    def __init__(self, topic: str, partition: int, offset: int, end: int) -> None:
        super().__init__(
            "the record log was not read to its end",
            f"{topic} partition {partition}",
            f"nothing came at offset {offset} of {end}",
            "Start the command again: it goes on where it stopped.",
        )


class StateUnreadError(DuplexError):
    """There is no live state to compare with, or to build upon."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(
            "the live state is not there",
            f"{topic} partition {partition}",
            "it holds no state, although the record log holds events",
            "`duplex replay --rebuild` makes it anew from the log.",
        )


class RunningError(DuplexError):
    """Processors that run while their state is to be written."""

    def __init__(self, group: str, members: int) -> None:
        super().__init__(
            "the state is in use",
            f"consumer group {group}",
            f"it has {members} running members",
            "Stop `duplex run` first, everywhere.",
        )


class LogCutError(DuplexError):
    """A record log that no longer begins with its first message."""

    def __init__(self, topic: str, partition: int, first: int) -> None:
        super().__init__(
            "the state cannot be made anew",
            f"{topic} partition {partition}",
            f"the log begins at offset {first}: its retention removed what stood before",
            "What was removed cannot be had from the log. Restore the state topic from a backup, or start over: "
            "`duplex uninstall --topics`, then `duplex apply`, which loads every system again. "
            "`kafka.records_retention_days: -1` keeps the log for ever.",
        )


class NotReadError(DuplexError):
    """A record log that was never read, so that there is no state to make."""

    def __init__(self, group: str, entity: str) -> None:
        super().__init__(
            "there is nothing to make anew",
            f"consumer group {group}",
            f"the processors have never read the record log of {entity}",
            "`duplex run` reads it from its beginning.",
        )


class BehindError(DuplexError):
    """Live traffic that did not let the replay's amendments through."""

    def __init__(self, lag: int, within_s: float, sent: int, total: int) -> None:
        super().__init__(
            "the amendments were not all sent",
            f"{sent} of {total} sent",
            f"the processors stayed {lag} events behind for {within_s:g} s, and live traffic comes first",
            "Is `duplex run` running? Start the command again: it sends what is still different, and no more.",
        )
