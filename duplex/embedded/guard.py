"""A small process that holds the servers for the program that started it, and lets go when that program is gone.

It waits for the end of its standard input, a pipe whose other end only that program has open: the kernel closes it
even after `kill -9`. A program that stops in good order has let go already, and then nothing is left to do here.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from duplex.embedded import processes
from duplex.embedded.home import Home
from duplex.embedded.processes import ProcessRecord

END_LIMIT_S = 30.0


@dataclass(slots=True)
class Guard:
    """The guard of this program: its process, and the end of the pipe that must stay open."""

    record: ProcessRecord
    pipe: int

    def dismiss(self) -> None:
        """Tell the guard that the program has let go, and wait for its end."""
        os.close(self.pipe)
        processes.wait_until(lambda: not processes.alive(self.record), END_LIMIT_S)


def post(home: Home, *, wipe: bool) -> Guard:
    """Start a guard for this process; with `wipe` it deletes the home's data once the servers are stopped."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "duplex.embedded.guard", str(home.root), str(home.downloads)]
    try:
        record = processes.spawn([*command, *(["--wipe"] if wipe else [])], home.root / "guard.log", stdin=reading)
    finally:
        os.close(reading)
    return Guard(record, writing)


def main() -> None:
    """Wait for the end of the pipe, then let go."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("downloads", type=Path)
    parser.add_argument("--wipe", action="store_true")
    arguments = parser.parse_args()
    while sys.stdin.buffer.read(1):
        pass
    # Imported late: the guard is up at once, and most guards never get here with work to do.
    from duplex.embedded.runtime import Runtime

    runtime = Runtime(Home(arguments.root, arguments.downloads))
    runtime.release(processes.this_process(), wipe=arguments.wipe)


if __name__ == "__main__":
    main()
