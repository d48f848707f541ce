"""One server of an application that is not ours: started, waited for, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.apps.errors import AppsError

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

        Raises AppsError with the end of the log when it ends, or is not ready within the limit.
        """
        if self.running:
            return
        self._spawn()
        deadline = time.monotonic() + limit_s
        while not ready():
            if not self.running or time.monotonic() > deadline:
                why = "did not get ready in time" if self.running else "ended by itself"
                self.kill()
                raise AppsError(
                    f"{self.name} {why} ({limit_s:.0f} s were allowed). The end of {self.log}:\n{self.tail()}"
                )
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
