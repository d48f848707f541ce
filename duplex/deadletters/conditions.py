"""Which dead letters are meant: by their plain attributes, and by a condition over them in CEL."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from duplex.conflicts.conditions import BOUND
from duplex.deadletters.book import Entry, State
from duplex.deadletters.errors import ConditionError
from duplex.reading import Reader

Fact = Callable[[Entry, Reader, int], Any]
FACTS: dict[str, Fact] = {
    "id": lambda entry, *_: entry.id,
    "state": lambda entry, *_: entry.state,
    "topic": lambda entry, *_: entry.failure.topic,
    "partition": lambda entry, *_: entry.failure.partition,
    "offset": lambda entry, *_: entry.failure.offset,
    "key": lambda entry, *_: key_text(entry),
    "component": lambda entry, *_: entry.failure.component,
    "stage": lambda entry, *_: entry.failure.stage,
    "error": lambda entry, *_: entry.failure.error_class,
    "message": lambda entry, *_: entry.failure.message,
    "failures": lambda entry, *_: len(entry.letters),
    "at": lambda entry, *_: datetime.fromtimestamp(entry.last.at_ms / 1e3, UTC),
    "age_s": lambda entry, _, now_us: now_us / 1e6 - entry.last.at_ms / 1e3,
    "headers": lambda entry, *_: {name: value.decode(errors="replace") for name, value in entry.last.headers},
    "kind": lambda entry, reader, _: reader.decoded(entry.last.origin)[0],
    "value": lambda entry, reader, _: reader.decoded(entry.last.origin)[1],
}
"""What a condition may speak of. `kind` and `value` are what the message says, where it can be read."""


def key_text(entry: Entry) -> str:
    """The key of the message as text; "" for none, and hex for bytes that are no text."""
    key = entry.last.key or b""
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key.hex()


class Condition:
    """A compiled `--where`. A letter that it cannot be asked of does not match: `failed` counts those, and `reason` has
    the first's. Raises ConditionError for an expression that is wrong for all.
    """

    def __init__(self, source: str) -> None:
        import cel

        self.source, self.failed, self.reason = source, 0, ""
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ConditionError(source, " ".join(str(error).splitlines()[:1]), FACTS) from error
        used = {*self._program.variables()}
        if unknown := sorted(used - {*FACTS, *BOUND.findall(source)}):
            raise ConditionError(source, f"there is no {', '.join(unknown)}", FACTS)
        self._facts = {name: fact for name, fact in FACTS.items() if name in used}

    def holds(self, entry: Entry, reader: Reader, now_us: int) -> bool:
        """Whether a letter matches. Raises ConditionError where the answer is no truth value."""
        facts = {name: fact(entry, reader, now_us) for name, fact in self._facts.items()}
        try:
            answer = self._program.execute(facts)
        except (TypeError, RuntimeError, KeyError, ValueError, IndexError) as error:
            self.failed += 1
            self.reason = self.reason or str(error)
            return False
        if not isinstance(answer, bool):
            raise ConditionError(self.source, f"it gives {answer!r}, and not true or false", FACTS)
        return answer


@dataclass(frozen=True, slots=True)
class Wanted:
    """The dead letters that a command is about; None asks nothing. `topics` is where the message came from, `error`
    a part of the error's class or message, `key` the beginning of the key, `since_us` bounds when it last failed."""

    state: State | None = "open"
    topics: tuple[str, ...] | None = None
    error: str | None = None
    key: str | None = None
    since_us: int | None = None
    condition: Condition | None = None

    def among(self, entries: Iterable[Entry], reader: Reader, now_us: int) -> list[Entry]:
        """Those of these that are meant, in the order in which they last failed. Raises ConditionError."""
        found = (entry for entry in entries if self._plain(entry))
        if (condition := self.condition) is not None:
            found = (entry for entry in found if condition.holds(entry, reader, now_us))
        return sorted(found, key=lambda entry: (entry.last.at_ms, entry.last.partition, entry.last.offset))

    def _plain(self, entry: Entry) -> bool:
        failure = entry.failure
        return (
            (self.state is None or entry.state == self.state)
            and (self.topics is None or failure.topic in self.topics)
            and (self.error is None or self.error in f"{failure.error_class}: {failure.message}")
            and (self.key is None or key_text(entry).startswith(self.key))
            and (self.since_us is None or entry.last.at_ms * 1000 >= self.since_us)
        )
