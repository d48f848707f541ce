"""One child process of `duplex run`, doing one of `duplex.parts`. Started by the supervisor, not by people."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import generate_latest

from duplex import logs
from duplex.supervisor import lifeline

log = structlog.get_logger(__name__)


def main() -> None:
    """Run one part until SIGTERM; exit code 0 when told to stop, 1 after a failure."""
    arguments = _arguments()
    name = f"{arguments.kind} {arguments.system}".strip()
    logs.configure(arguments.log_format, arguments.log_level, process=name)
    lifeline.attach(dict(os.environ), generate_latest)
    sys.exit(asyncio.run(_until_stopped(_part(arguments))))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m duplex.child", description=__doc__)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--log-format", choices=("console", "json"), default="console")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("kind", choices=("source", "processors", "sink", "system", "bridge"))
    parser.add_argument("system", nargs="?", default="")
    return parser.parse_args()


async def _part(arguments: argparse.Namespace) -> None:
    from duplex import parts

    await parts.run(arguments.project, arguments.kind, arguments.system)


async def _until_stopped(work: Coroutine[Any, Any, None]) -> int:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return 0
    except Exception as error:  # noqa: BLE001  the last line of a process that ends because of it
        return _failed(error)
    log.error("ended although nobody asked it to")
    return 1


def _failed(error: Exception) -> int:
    from duplex.cli import failures

    if failures.expected(error):
        log.error(failures.described(error)[0])
    else:
        log.error("stopped by something unexpected", exc_info=error)
    return 1


if __name__ == "__main__":
    main()
