"""Runs a command for as long as the program that started this one is there, and not a moment longer.

Standard input is a pipe whose other end only that program holds: the kernel closes it even after `kill -9`. A file
that is run, and imports nothing of the project.
"""

import os
import signal
import subprocess
import sys
import threading

END_LIMIT_S = 10.0


def main() -> int:
    """Run the command that the arguments are; end as it ends."""
    # Signals go to the whole group: the command decides when it ends, and this program ends with it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_parent, args=(command,), daemon=True).start()
    return command.wait()


def _end_with_parent(command: "subprocess.Popen[bytes]") -> None:
    # Not sys.stdin: its lock would be held by this thread at the interpreter's end.
    while os.read(0, 1):
        pass
    command.terminate()
    try:
        command.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        command.kill()


if __name__ == "__main__":
    sys.exit(main())
