"""A measured job in a process of its own: made ready first, started on a word, its CPU time counted alone.

`python -m benchmarks.child MODULE:FUNCTION '{"argument": …}'`. The function is an async context manager that prepares
and yields a coroutine function; that one does the work and returns a `Run`. Parent and child speak in lines:
"ready", "go", the run as JSON.
"""

import asyncio
import importlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from duplex import logs

ROOT = Path(__file__).parents[1]


class Run(msgspec.Struct):
    """What a child measured of itself: how many events, in how many seconds, at how many CPU seconds."""

    events: int
    wall_s: float
    cpu_s: float


@dataclass(slots=True)
class Watch:
    """Started at the first event, so that neither joining a group nor opening connections counts."""

    events: int = 0
    _wall: float = 0.0
    _cpu: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        """The first event is here; harmless when repeated."""
        if not self._wall:
            self._wall, self._cpu = time.perf_counter(), time.process_time()

    def run(self) -> Run:
        """What was used since the start."""
        return Run(self.events, time.perf_counter() - self._wall, time.process_time() - self._cpu)


@dataclass(slots=True)
class Child:
    """A started child that waits for its word."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    async def go(self) -> Run:
        """Let it work, and wait for its figures."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        return msgspec.json.decode(await self.line(), type=Run)

    async def line(self) -> bytes:
        """The next line it says."""
        assert self.process.stdout is not None
        found = await asyncio.wait_for(self.process.stdout.readline(), 240)
        if not found:
            raise RuntimeError(f"a measured process ended with {await self.process.wait()}")
        return found


@asynccontextmanager
async def child(job: str, **arguments: Any) -> AsyncIterator[Child]:
    """A child that is ready; it is ended with the block."""
    with tempfile.TemporaryDirectory(prefix="duplex-benchmark-") as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "ignore", "-m", "benchmarks.child", job, msgspec.json.encode(arguments).decode()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            # Faust makes folders where it is started.
            cwd=folder,
        )
        try:
            found = Child(process)
            await found.line()
            yield found
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def main() -> None:
    logs.configure("console", "error", process="measured")
    module, _, function = sys.argv[1].partition(":")
    job = getattr(importlib.import_module(module), function)
    async with job(**msgspec.json.decode(sys.argv[2])) as work:
        _say(b"ready")
        await asyncio.to_thread(sys.stdin.readline)
        _say(msgspec.json.encode(await work()))


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(main())
