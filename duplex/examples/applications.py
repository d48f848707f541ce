"""An application as its users find it: an address that outlives restarts, and the switches that start and end it."""

import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from duplex.examples.processes import Server


@dataclass(frozen=True, slots=True)
class Application:
    """`url` is where its users go; `ready` says whether it answers there. Calls block; all may be repeated."""

    url: str
    server: Server
    ready: Callable[[], bool]
    start_limit_s: float

    @property
    def log(self) -> str:
        """The end of what it printed."""
        return self.server.tail()

    def start(self) -> None:
        """Start it, or start it again. Raises ApplicationError when it does not answer in time."""
        self.server.start(self.ready, self.start_limit_s)

    def stop(self) -> None:
        self.server.stop()

    def kill(self) -> None:
        """`kill -9`."""
        self.server.kill()


def answers(request: urllib.request.Request, limit_s: float) -> bool:
    """Whether a request is answered with success."""
    try:
        with urllib.request.urlopen(request, timeout=limit_s):
            return True
    except OSError:
        return False
