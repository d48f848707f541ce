"""One child process of the supervisor: started, listened to, stopped."""

import asyncio
import contextlib
import os
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from duplex.supervisor import lifeline

LONGEST_LINE_BYTES = 1 << 20
LONGEST_REPORT_BYTES = 16 << 20
LineSink = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Program:
    """What to run as a child: the name people know it by, and its command line."""

    name: str
    argv: tuple[str, ...]


class Child:
    """A running child. `metrics` is its last report (empty: none yet), `last_line` what it last said."""

    def __init__(self, program: Program, process: Process, lines: LineSink, report_descriptor: int) -> None:
        self.program = program
        self.started_at_s = time.time()
        self.metrics = b""
        self.last_line = ""
        self._process = process
        self._lines = lines
        self._readers = [
            asyncio.create_task(self._read_lines()),
            asyncio.create_task(self._read_reports(report_descriptor)),
        ]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ended(self) -> int:
        """Wait for the end of the process and of what it had to say; its exit code (negative: a signal)."""
        code = await self._process.wait()
        # Grandchildren may hold the pipes open after the child has gone: what is left to read has a limit.
        _, unfinished = await asyncio.wait(self._readers, timeout=2)
        for task in unfinished:
            task.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code

    async def stop(self, grace_s: float) -> int:
        """Ask it to stop, wait this long, then kill it; its exit code. May be called twice."""
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                self._process.terminate()
        try:
            return await asyncio.wait_for(asyncio.shield(self._process.wait()), grace_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            return await self._process.wait()

    async def _read_lines(self) -> None:
        assert self._process.stderr is not None
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:
                # A line above the limit: asyncio has dropped what it held of it; the next line is whole again.
                self._lines(self.program.name, "(a line of more than 1 MiB was left out)")
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            self.last_line = text or self.last_line
            self._lines(self.program.name, text)

    async def _read_reports(self, descriptor: int) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
        )
        try:
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    (length,) = lifeline.LENGTH.unpack(await reader.readexactly(lifeline.LENGTH.size))
                    if length > LONGEST_REPORT_BYTES:
                        return
                    self.metrics = await reader.readexactly(length)
        finally:
            transport.close()


async def start(program: Program, environment: Mapping[str, str], lines: LineSink) -> Child:
    """Start a child that lives no longer than this process. Raises OSError when it cannot be started.

    It gets a session of its own, so that Ctrl-C reaches the supervisor alone, which then stops all in order.
    """
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *program.argv,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            env={
                **environment,
                lifeline.PARENT_VARIABLE: str(os.getpid()),
                lifeline.REPORT_VARIABLE: str(writing),
            },
            pass_fds=(writing,),
            start_new_session=True,
            limit=LONGEST_LINE_BYTES,
        )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return Child(program, process, lines, reading)
