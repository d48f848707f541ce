"""The errors of the hands: a system that cannot be reached, or does not allow what was asked."""

from dataclasses import dataclass


class ConnectorsError(Exception):
    """Base of every error that `connectors` raises."""


@dataclass(eq=False)
class UnreachableError(ConnectorsError):
    """A system that does not answer. Worth a retry; `setting` is the project-file key to look at."""

    system: str
    address: str
    setting: str
    reason: str

    def __str__(self) -> str:
        return f"{self.system} at {self.address} cannot be reached: {self.reason}. Look at {self.setting}."


@dataclass(eq=False)
class RefusedError(ConnectorsError):
    """Something a system or its connector will not do, however often it is asked."""

    system: str
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.system}: {self.what}: {self.why}. {self.remedy}"
