"""Where a showing takes place: a folder with a project file, the servers it uses, and the program at work on it."""

import asyncio
import contextlib
import fcntl
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from duplex.demo.scenario import Landing
from duplex.embedded.runtime import KAFKA_VARIABLE
from duplex.errors import DuplexError

STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One showing's place; `settings` are the environment variables that its project file names, Kafka's included."""

    folder: Path
    pipeline: str
    psql: str
    settings: Mapping[str, str]

    @property
    def bootstrap(self) -> str:
        return self.settings[KAFKA_VARIABLE]

    @property
    def kafka(self) -> Mapping[str, str]:
        """How to reach the broker."""
        return {"bootstrap_servers": self.bootstrap}

    @property
    def project(self) -> Path:
        return self.folder / "duplex.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """What the program's commands need to find the servers."""
        return {**os.environ, **self.settings}

    def command(self, *words: str) -> list[str]:
        """A duplex command line for this showing's project."""
        return [sys.executable, "-m", "duplex", "--project", str(self.project), *words]


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One demo at a time: each makes the same databases anew. Raises DuplexError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DuplexError(
                "the demo is running already", str(folder), "another process plays it", "Stop that one with Ctrl-C."
            ) from error
        yield


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    """`duplex run` beside us; its log goes to a file in the demo's folder."""
    with (stage.folder / "run.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *stage.command("run", "--http-port", "0"), env=stage.environment, stdout=log, stderr=log
        )
    try:
        yield
        if process.returncode is not None:
            raise _stopped(stage)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()


def _stopped(stage: Stage) -> DuplexError:
    return DuplexError(
        what="`duplex run` stopped by itself during the demo",
        where=str(stage.folder / "run.log"),
        why="its log, named here, ends with the reason",
        remedy=f"tail -n 50 {shlex.quote(str(stage.folder / 'run.log'))}",
    )


async def call(
    stage: Stage, console: Console, *words: str, accepted: tuple[int, ...] = (0,), leave_out: tuple[str, ...] = ()
) -> None:
    """Run one of the program's commands and show what it says, less the lines that begin with `leave_out`.

    Raises DuplexError when it fails.
    """
    process = await asyncio.create_subprocess_exec(
        *stage.command(*words), env=stage.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    console.out("\n".join(line for line in output.decode().splitlines() if not line.startswith(leave_out)))
    if process.returncode not in accepted:
        raise DuplexError(
            what=f"`duplex {words[0]}` failed in the demo",
            where=str(stage.project),
            why=errors.decode().strip()[-2000:],
            remedy="duplex doctor says what is wrong with the machine, if it is the machine",
        )


def line(landing: Landing) -> str:
    """A step as it ended, for people."""
    mark = "[green]✓[/]" if landing.held else "[red]✗ not within the time limit:[/]"
    text = f"  {mark} {escape(landing.title)}: {escape(landing.shown)}  [dim]{landing.delay_ms:,.0f} ms[/]"
    return "\n".join([text, *(f"      [yellow]{escape(remark)}[/]" for remark in landing.remarks)])


def exports(settings: Mapping[str, str]) -> str:
    """The shell's line that gives these settings to what is started after it."""
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())


async def interrupted(console: Console) -> None:
    """Wait for Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    console.print("\nstopping")
