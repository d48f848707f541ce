"""One server of an application that is not ours: started, waited for, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from duplex.examples.errors import ApplicationError

STOP_LIMIT_S = 15.0
POLL_S = 0.05
TAIL_CHARACTERS = 3000


@dataclass(slots=True)
class Server:
    """A command that runs in a process group of its own; what it prints goes to `log`.

    Calls block. `start` and `stop` may be called twice. The command ends with this program, however that ends.
    """

    name: str
    command: Sequence[str | Path]
    folder: Path
    environment: Mapping[str, str]
    log: Path
    _keeper: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def running(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is None

    def start(self, ready: Callable[[], bool], limit_s: float) -> None:
        """Start the command and wait until it is ready.

        Raises ApplicationError with the end of the log when it ends, or is not ready within the limit.
        """
        if self.running:
            return
        self._spawn()
        deadline = time.monotonic() + limit_s
        while not ready():
            if not self.running or time.monotonic() > deadline:
                why = f"it was not ready within {limit_s:.0f} s" if self.running else "it ended by itself"
                self.kill()
                raise self._failed(why)
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Ask the command to end; kill it when it does not within STOP_LIMIT_S."""
        self._signal(signal.SIGTERM)
        self._wait(STOP_LIMIT_S)
        self.kill()

    def kill(self) -> None:
        """`kill -9`."""
        self._signal(signal.SIGKILL)
        self._wait(STOP_LIMIT_S)
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
        self._keeper = None

    def tail(self) -> str:
        """The end of what the command printed."""
        return self.log.read_text(errors="replace")[-TAIL_CHARACTERS:] if self.log.exists() else ""

    def _failed(self, why: str) -> ApplicationError:
        why = f"{why}, and the last it printed was:\n{self.tail().strip()}\n"
        remedy = "Try again; delete the application's installation if it is damaged."
        return ApplicationError(f"{self.name} does not start", str(self.log), why, remedy)

    def _spawn(self) -> None:
        with self.log.open("ab") as output:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", Path(__file__).with_name("keeper.py"), *map(str, self.command)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=dict(self.environment),
                start_new_session=True,
            )

    def _signal(self, number: signal.Signals) -> None:
        if self._keeper is not None and self._keeper.poll() is None:
            os.killpg(self._keeper.pid, number)

    def _wait(self, limit_s: float) -> None:
        if self._keeper is None:
            return
        try:
            self._keeper.wait(limit_s)
        except subprocess.TimeoutExpired:
            return
