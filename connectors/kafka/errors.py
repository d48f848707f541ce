"""What can be wrong with a message of somebody else's topic."""

from dataclasses import dataclass

from connectors.errors import ConnectorsError


@dataclass(eq=False)
class UnreadableError(ConnectorsError):
    """A message that cannot be understood; `reason` is a sentence without its end. It goes to the dead letters."""

    reason: str

    def __str__(self) -> str:
        return self.reason
