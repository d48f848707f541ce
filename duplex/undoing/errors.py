"""What keeps something from being undone."""

from duplex.errors import DuplexError
from duplex.usage import UsageError


class WhatError(UsageError):
    """It was not said, or said twice, what to undo."""

    def __init__(self, given: str, why: str) -> None:
        super().__init__(
            "what is to be undone is not clear",
            given or "no option",
            why,
            "Name one of: a record (`duplex undo ada@example.org [--field phone]`), --event OFFSET[..OFFSET] with "
            "--entity and --partition, --command ID, --transaction SYSTEM:NUMBER, or --since TIME with --system.",
        )


class NothingError(UsageError):
    """There is nothing of that kind in the log, or it changed nothing."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(
            "there is nothing to undo", what, why, "`duplex record explain ID` tells which events made a value."
        )


class LogIncompleteError(DuplexError):
    """The log does not make the live state of what is to be undone, so the earlier values are not known."""

    def __init__(self, topic: str, partition: int, records: int, first: int) -> None:
        gone = f"the log begins at offset {first}: what stood before is gone" if first else "the states differ"
        super().__init__(
            "the values before cannot be told from the log",
            f"{topic} partition {partition}, {records} records",
            f"folded again, it does not make their live state; {gone}",
            "Set the values by hand in any of the systems. `duplex replay` shows the difference.",
        )
