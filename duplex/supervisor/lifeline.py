"""What ties a child to its supervisor: the child must not outlive it, and must tell it how it is.

Two ties, because each has a gap. The kernel's parent-death signal is instant but exists on Linux alone. The
supervisor holds the other end of the child's standard input; when that end closes, the child stops by itself.
"""

import contextlib
import ctypes
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable

PARENT_VARIABLE = "DUPLEX_SUPERVISOR_PID"
REPORT_VARIABLE = "DUPLEX_REPORT_FD"
REPORT_EVERY_S = 1.0
LAST_GRACE_S = 5.0
LENGTH = struct.Struct(">I")
PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends; end at once if that has happened already."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def stop_when_closed(descriptor: int) -> None:
    """Stop this process when the other end of this pipe closes: in order if it can, by force if it cannot."""
    with contextlib.suppress(OSError):
        while os.read(descriptor, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_GRACE_S)
    os._exit(1)


def report(descriptor: int, metrics: Callable[[], bytes]) -> None:
    """Write the process's metrics to the supervisor every second, until nobody reads them any more."""
    with contextlib.suppress(OSError):
        while True:
            text = metrics()
            send(descriptor, text)
            time.sleep(REPORT_EVERY_S)


def send(descriptor: int, text: bytes) -> None:
    """Write one report: its length in four bytes, then the text. Raises OSError when nobody reads."""
    frame = LENGTH.pack(len(text)) + text
    while frame:
        frame = frame[os.write(descriptor, frame) :]


def attach(environment: dict[str, str], metrics: Callable[[], bytes]) -> None:
    """Tie this process to the supervisor that the environment names; nothing happens where it names none."""
    parent = environment.get(PARENT_VARIABLE)
    if parent is None:
        return
    die_with_parent(int(parent))
    _background(lambda: stop_when_closed(sys.stdin.fileno()))
    if (descriptor := environment.get(REPORT_VARIABLE)) is not None:
        _background(lambda: report(int(descriptor), metrics))


def _background(work: Callable[[], None]) -> None:
    # A thread, not a task: it must speak even when the child's event loop is stuck.
    threading.Thread(target=work, daemon=True).start()
