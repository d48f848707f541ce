"""What can be wrong with the way a conflict is named, asked for, or decided: each with its place and remedy."""

from collections.abc import Iterable

from duplex.errors import DuplexError
from duplex.usage import UsageError

LOOK = "`duplex conflicts list` names those that are open, `--all` every one on record."


class ConflictMissingError(UsageError):
    """No conflict goes by this id."""

    def __init__(self, name: str) -> None:
        super().__init__("no such conflict", name, "nothing on record goes by this id", LOOK)


class AmbiguousConflictError(UsageError):
    """An id that several conflicts begin with."""

    def __init__(self, name: str, found: Iterable[str]) -> None:
        shown = list(found)
        names = ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
        super().__init__("more than one conflict is meant", name, f"it may be {names}", "Give more of the id.")


class NotOpenError(UsageError):
    """A decision of what is no longer, or never was, left to a person. `how` says what became of it."""

    def __init__(self, name: str, how: str) -> None:
        super().__init__("nothing to decide", name, how, f"`duplex conflicts show {name}` tells its history.")


class NotDecidableError(UsageError):
    """A conflict that is settled in the systems themselves, not by a choice between two values."""

    def __init__(self, name: str, kind: str, detail: str) -> None:
        super().__init__(
            "this is not decided by choosing a value",
            name,
            f"it is of kind {kind}: {detail}",
            "Change or delete one of the rows in its system: the other takes its place by itself.",
        )


class ChoiceError(UsageError):
    """A choice that this conflict does not offer."""

    def __init__(self, name: str, why: str, remedy: str) -> None:
        super().__init__("this cannot be chosen", name, why, remedy)


class BadValueError(UsageError):
    """A value that is no JSON, or that the field cannot hold."""

    def __init__(self, place: str, why: str, remedy: str) -> None:
        super().__init__("the value cannot be taken", place, why, remedy)


class ConditionError(UsageError):
    """A `--where` that cannot be evaluated."""

    def __init__(self, source: str, why: str, names: Iterable[str]) -> None:
        super().__init__(
            "the condition cannot be used",
            f"--where {source!r}",
            why,
            f"It is an expression in CEL over {', '.join(names)}; for example: "
            'field == "phone" && incoming.system == "crm".',
        )


class DurationError(UsageError):
    """Text that is neither a length of time nor a moment."""

    def __init__(self, option: str, text: str, why: str) -> None:
        super().__init__("this is no time", f"{option} {text!r}", why, "For example 90s, 15m, 2h or 3d.")


class StaleError(DuplexError):
    """A decision of what is no longer as it was shown."""

    def __init__(self, name: str, moved: str) -> None:
        super().__init__(
            "the decision was not carried out", name, moved, f"`duplex conflicts show {name}` shows it as it is now."
        )


class UnansweredError(DuplexError):
    """A decision that the merge has not answered yet. It is in the log, and will be."""

    def __init__(self, name: str, within_s: float) -> None:
        super().__init__(
            "the decision is sent, and not answered yet",
            name,
            f"the merge said nothing within {within_s:g} s",
            "It is in the record log and will be carried out, or refused, once the merge reads it: is `duplex run` "
            "running? `duplex status` tells.",
        )


class BrakeError(UsageError):
    """A brake that is nobody's."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__("no deletes are meant by this", place, why, "`duplex brake list` names what is held.")


class RetryError(UsageError):
    """A system that has no part in the record."""

    def __init__(self, system: str, entity: str, having: Iterable[str]) -> None:
        names = ", ".join(having)
        super().__init__(
            "nothing can be sent to this system",
            f"--system {system}",
            f"{entity} is kept in {names}",
            "Name one of those, or leave --system out for all of them.",
        )


class EntityGoneError(UsageError):
    """A conflict of an entity that the project no longer has."""

    def __init__(self, name: str, entity: str) -> None:
        super().__init__(
            "this conflict cannot be looked into",
            name,
            f"entity {entity} is not in the project that was applied",
            "It is on record only: `duplex topic tail conflicts --from-beginning` shows it.",
        )
