"""`python -m tests.torture [capture|kills|three|all] [--clients N] [--seconds N] [--seed N]`: a line each.

`histories` and `applications` are simulated, and need no servers: `[--histories N] [--seed N] [--workers N]`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

from duplex.demo import databases
from tests import servers
from tests.conftest import run_on
from tests.servers import PrivateKafka, PrivatePostgres
from tests.simulation.applications import campaigns as applications
from tests.torture import capture, histories, kills, three
from tests.torture.capture import Load

CAMPAIGNS = ("capture", "kills", "three")
HELD_SHARE = 0.5


def main() -> int:
    """Run the campaigns on servers of their own."""
    arguments = _arguments()
    if arguments.campaign == "histories":
        return histories.campaign(arguments.seed, arguments.histories or 10_000, arguments.workers, arguments.keep)
    if arguments.campaign == "applications":
        return applications.campaign(arguments.seed, arguments.histories or 500, arguments.workers)
    servers.remove_stale_homes()
    chosen = CAMPAIGNS if arguments.campaign == "all" else (arguments.campaign,)
    held = [_held(name, arguments) for name in chosen]
    return 0 if all(held) else 1


def _held(name: str, arguments: argparse.Namespace) -> bool:
    broker, server = PrivateKafka(), PrivatePostgres()
    with ExitStack() as stack:
        for one in (broker, server):
            stack.callback(one.close)
            one.start()
        work = {"capture": _capture, "kills": _kills, "three": _three}[name]
        sound, line = asyncio.run(work(arguments, broker, _maker(server.dsn)))
    sys.stdout.write(f"{name} (seed {arguments.seed}): {line}\n")
    return sound


def _maker(server: str) -> Callable[[str], Awaitable[str]]:
    async def make(name: str) -> str:
        database = f"{name}_{uuid.uuid4().hex[:8]}"
        await run_on(server, "select format('create database %I', $1::text)", database)
        return f"{server.rpartition('/')[0]}/{database}"

    return make


async def _capture(
    arguments: argparse.Namespace, broker: PrivateKafka, new_database: kills.NewDatabase
) -> tuple[bool, str]:
    load = Load(arguments.clients, arguments.seconds, arguments.seconds * HELD_SHARE, arguments.seed)
    folder = Path(tempfile.mkdtemp(prefix="duplex-torture-"))
    dsns = databases.Pair(await new_database("crm"), await new_database("erp"))
    showing = await capture.prepared(folder, f"t{uuid.uuid4().hex[:8]}", broker, dsns)
    try:
        outcome = await capture.endure(showing, broker, load)
    finally:
        await showing.stop()
    return outcome.sound, f"{load.clients} clients, {load.time_s:.0f} s, {outcome}"


async def _kills(
    arguments: argparse.Namespace, broker: PrivateKafka, new_database: kills.NewDatabase
) -> tuple[bool, str]:
    try:
        return True, str(await kills.campaign(broker, new_database, arguments.seconds, arguments.seed))
    except AssertionError as error:
        return False, f"FAILED: {error}"


async def _three(
    arguments: argparse.Namespace, broker: PrivateKafka, new_database: kills.NewDatabase
) -> tuple[bool, str]:
    try:
        outcome = await three.campaign(broker, new_database, arguments.seed)
    except AssertionError as error:
        return False, f"FAILED: {error}"
    return not outcome.wrong, str(outcome)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("campaign", nargs="?", choices=(*CAMPAIGNS, "histories", "applications", "all"), default="all")
    parser.add_argument("--clients", type=int, default=300, help="of the capture campaign")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each campaign but three")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--histories", type=int, help="how many simulated histories: 10,000, of applications 500")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="of histories: may be stopped, and goes on from there"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes for simulated histories")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
