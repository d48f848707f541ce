"""What can be wrong with the way a dead letter is named, asked for, edited or sent again."""

from collections.abc import Iterable

from duplex.errors import DuplexError
from duplex.usage import UsageError


class LetterMissingError(UsageError):
    """No dead letter goes by this id."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "no such dead letter",
            name,
            "nothing on the topic goes by this id",
            "`duplex deadletters list --each --state all` names every one; they are kept for 90 days.",
        )


class NotRetriedError(DuplexError):
    """A letter that would come to nothing if it were sent again. `why` says so, and what to do instead."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__("not sent again", name, why, f"`duplex deadletters show {name}` has all about it.")


class NotDroppedError(UsageError):
    """A letter with which something was done already."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__("nothing to drop", name, why, f"`duplex deadletters show {name}` tells its history.")


class ConditionError(UsageError):
    """A `--where` that cannot be evaluated."""

    def __init__(self, source: str, why: str, names: Iterable[str]) -> None:
        super().__init__(
            "the condition cannot be used",
            f"--where {source!r}",
            why,
            f"It is an expression in CEL over {', '.join(names)}; for example: "
            'component == "merge.contact" && message.contains("phone").',
        )


class EditError(UsageError):
    """An edit that cannot be made of this message, or that makes no message."""

    def __init__(self, place: str, why: str, remedy: str) -> None:
        super().__init__("the message cannot be edited so", place, why, remedy)
