"""Which of the decisions that were sent has been answered, and how: pure, fed with what the merge publishes.

A decision that was carried out comes back as the conflict's last message, with the decision's own place in the record
log; one that was refused as a dead letter that names that place. A conflict that ended by anything else in between is
an answer too: there is nothing left to decide.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from duplex.conflicts.book import PARKED
from schemas import deadletters
from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Conflict, Decision

Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Sent:
    """A decision, and its place in the record log: topic, partition, offset."""

    decision: Decision
    place: Place


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a decision. `conflict` is the conflict's last message where it ended (by this decision, or,
    `overtaken`, by something else before it); `reason` is the merge's where it refused. `unsent`: it was not even
    sent, because those before it were not answered in time."""

    decision: Decision
    outcome: Literal["decided", "overtaken", "refused", "unanswered", "unsent"]
    conflict: Conflict | None = None
    reason: str = ""


class Replies:
    """Takes the messages of the conflicts and dead letters topics until every decision has its answer."""

    def __init__(self, sent: Sequence[Sent], codec: Codec) -> None:
        self._codec = codec
        self._by_item = {each.decision.item: each for each in sent}
        self._by_place = {each.place: each for each in sent}
        self._answers: dict[Place, Answer] = {}
        self._sent = tuple(sent)

    @property
    def missing(self) -> int:
        """How many decisions have no answer yet."""
        return len(self._sent) - len(self._answers)

    def conflict(self, value: bytes) -> None:
        """A message of the conflicts topic; what is none of ours is passed over."""
        try:
            found = self._codec.decode_as(value, Conflict)
        except UndecodableError:
            return
        sent = self._by_item.get(found.id)
        if sent is None or found.winner == PARKED:
            return
        ours = (found.partition, found.offset) == sent.place[1:]
        self._settle(sent, Answer(sent.decision, "decided" if ours else "overtaken", found))

    def deadletter(self, headers: Iterable[tuple[str, bytes]]) -> None:
        """The headers of a dead letter."""
        failure = deadletters.failure(list(headers))
        sent = self._by_place.get((failure.topic, failure.partition, failure.offset))
        if sent is not None:
            self._settle(sent, Answer(sent.decision, "refused", reason=failure.message))

    def _settle(self, sent: Sent, answer: Answer) -> None:
        self._answers.setdefault(sent.place, answer)

    def answers(self) -> list[Answer]:
        """An answer for every decision, in the order in which they were sent."""
        return [self._answers.get(each.place, Answer(each.decision, "unanswered")) for each in self._sent]
