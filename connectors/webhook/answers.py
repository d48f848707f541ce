"""What a sender is told: whether to come again, and nothing else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, a word for the counter, the body (of a challenge), and in how many seconds to come again.

    `reason` is for our own log.
    """

    status: int
    outcome: str
    text: str = ""
    retry_after_s: int | None = None
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the delivery is safe, and there is nothing to say of it."""
        return self.status == 200 and not self.text

    @property
    def closes(self) -> bool:
        """Whether the connection ends with it, for what is left of the request is not worth reading."""
        return self.status in (400, 408, 413)


ACCEPTED = Answer(200, "accepted")
DUPLICATE = Answer(200, "duplicate")
ELSEWHERE = Answer(404, "unknown")
