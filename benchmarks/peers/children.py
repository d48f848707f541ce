"""Programs that a peer consists of: started beside the benchmark, ended with it, even when it is killed."""

import asyncio
import functools
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.peers.patience import PeerError
from duplex.supervisor import lifeline

STOP_LIMIT_S = 30.0
Process = asyncio.subprocess.Process


async def spawned(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Process:
    """Start a program; what it says goes to `log`."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            preexec_fn=functools.partial(lifeline.die_with_parent, os.getpid()),
        )


async def ended(process: Process | None) -> None:
    """End a program, by force if it takes too long. One that has ended, or never was, is left alone."""
    if process is None or process.returncode is not None:
        return
    send([process.pid], signal.SIGCONT)
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def send(roots: Sequence[int], number: signal.Signals) -> None:
    """A signal to these processes and all below them."""
    for process in tree(roots):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def tree(roots: Sequence[int]) -> Iterator[psutil.Process]:
    """These processes and all below them, as far as they still run."""
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            yield from [process, *process.children(recursive=True)]


def resident_mb(roots: Sequence[int]) -> float:
    """Resident memory of these processes and all below them, in megabytes; what they share counts for each."""
    total = 0
    for process in tree(roots):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 2**20


def must_run(peer: str, process: Process | None, log: Path) -> None:
    """Raises PeerError when the program has ended."""
    if process is None or process.returncode is not None:
        raise PeerError(peer, "its program ended", log)
