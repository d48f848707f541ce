"""The dead-letter topic, folded: every message that failed, how often, and what was done with it since.

The same record may be set aside twice (a batch that is repeated after a crash): that is one letter. One that was sent
again and failed again is the same *entry*, with one letter more:

    open ──retry──► retried ──its reader got past it──► closed
      ▲ └──drop──► dropped     │
      └─────── failed again ◄──┘
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from duplex.broker import Message
from schemas import deadletters
from schemas.deadletters import Failure, Headers, Mark

State = Literal["open", "retried", "dropped", "closed"]
STATES: tuple[State, ...] = ("open", "retried", "dropped", "closed")
Reached = Mapping[tuple[str, str, int], int]
"""The next offset that a component will read of a topic's partition, as far as it has said."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that could not be processed: its bytes, its own headers, when (ms, UTC) and why. `earlier` is the
    letter it was sent again from."""

    partition: int
    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    failure: Failure
    earlier: str | None

    @property
    def id(self) -> str:
        return f"{self.partition}:{self.offset}"

    @property
    def origin(self) -> Message:
        """The message as it stood where it came from."""
        failed = self.failure
        return Message(failed.topic, failed.partition, failed.offset, self.at_ms, self.key, self.value, self.headers)


@dataclass(frozen=True)
class Entry:
    """A message that failed once or more: its letters and the marks on them, each in order of time."""

    letters: tuple[Letter, ...]
    marks: tuple[Mark, ...] = ()
    reached: Reached = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.letters[0].id

    @property
    def last(self) -> Letter:
        return self.letters[-1]

    @property
    def failure(self) -> Failure:
        return self.last.failure

    @property
    def standing(self) -> Mark | None:
        """What was last done with it since it last failed."""
        return next((mark for mark in reversed(self.marks) if mark.letter == self.last.id), None)

    @cached_property
    def state(self) -> State:
        mark = self.standing
        if mark is None:
            return "open"
        through = mark.deed == "retried" and past(self.reached, self.failure.component, mark)
        return "closed" if through else mark.deed


def past(reached: Reached, component: str, mark: Mark) -> bool:
    """Whether a component has got past the place to which a message was sent again."""
    if mark.place is None:
        return False
    topic, partition, offset = mark.place
    return reached.get((component, topic, partition), 0) > offset


class Book:
    """Every entry on the topic. `unreadable` counts messages that are neither letters nor marks."""

    def __init__(self, messages: Iterable[Message], reached: Reached | None = None) -> None:
        self.unreadable = 0
        letters, marks = self._sorted(messages)
        self._entry_of: dict[str, str] = {}
        self._entries = self._folded(letters, marks, reached or {})

    def _sorted(self, messages: Iterable[Message]) -> tuple[list[Letter], list[Mark]]:
        letters, marks = [], []
        for message in messages:
            found = list(message.headers)
            if (mark := deadletters.mark(found)) is not None:
                marks.append(mark)
            elif (letter := _letter(message, found)) is not None:
                letters.append(letter)
            else:
                self.unreadable += 1
        letters.sort(key=lambda letter: (letter.at_ms, letter.partition, letter.offset))
        return letters, sorted(marks, key=lambda mark: mark.at_ms)

    def _folded(self, letters: list[Letter], marks: list[Mark], reached: Reached) -> dict[str, Entry]:
        threads, same = self._threads(letters)
        marks_of: dict[str, list[Mark]] = {}
        for mark in marks:
            if (entry := self._entry_of.get(mark.letter)) is not None:
                marks_of.setdefault(entry, []).append(_upon(mark, same[mark.letter]))
        return {
            entry: Entry(tuple(thread), tuple(marks_of.get(entry, ())), reached) for entry, thread in threads.items()
        }

    def _threads(self, letters: list[Letter]) -> tuple[dict[str, list[Letter]], dict[str, str]]:
        """The letters of each entry, and for each id on the topic the letter that stands for it."""
        threads: dict[str, list[Letter]] = {}
        known: dict[object, Letter] = {}
        same: dict[str, str] = {}
        for letter in letters:
            standing = known.setdefault(_identity(letter), letter)
            same[letter.id] = standing.id
            if standing is not letter:
                self._entry_of[letter.id] = self._entry_of[standing.id]
                continue
            entry = self._entry_of[letter.id] = self._thread(letter, threads)
            threads.setdefault(entry, []).append(letter)
        return threads, same

    def _thread(self, letter: Letter, threads: Mapping[str, list[Letter]]) -> str:
        """The entry of a letter: an earlier one if it was sent again and failed where it had failed before."""
        entry = self._entry_of.get(letter.earlier or "")
        if entry is None or _place(threads[entry][0]) != _place(letter):
            return letter.id
        return entry

    def get(self, name: str) -> Entry | None:
        """The entry that this letter belongs to."""
        return self._entries.get(self._entry_of.get(name.strip(), ""))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())


def _place(letter: Letter) -> tuple[str, str]:
    return letter.failure.component, letter.failure.topic


def _identity(letter: Letter) -> tuple[object, ...]:
    """What two letters share that are one: a batch that is repeated sets the same record aside again."""
    failed = letter.failure
    return failed.component, failed.topic, failed.partition, failed.offset, letter.key, letter.value


def _upon(mark: Mark, letter: str) -> Mark:
    return replace(mark, letter=letter)


def _letter(message: Message, found: Headers) -> Letter | None:
    failure = deadletters.failure(found)
    if not failure.topic or min(failure.partition, failure.offset) < 0:
        return None
    own, at_ms = deadletters.original(found), deadletters.time_ms(found)
    return Letter(
        partition=message.partition,
        offset=message.offset,
        at_ms=message.ts_ms if at_ms is None else at_ms,
        key=message.key,
        value=message.value,
        headers=tuple(own),
        failure=failure,
        earlier=deadletters.earlier(own),
    )
