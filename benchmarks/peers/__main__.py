"""`python -m benchmarks.peers [PEER …]`: duplex beside other pipelines, on the same servers, in one interleaved run.

Prints tables and one line for each bar. Exits with 0 whether bars are passed or missed, with 1 when a pipeline failed
or left the two tables different.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import asyncpg
from rich.console import Console

from benchmarks import bars, report
from benchmarks.__main__ import measured
from benchmarks.peers import bucardo, results, servers, tables
from benchmarks.peers.archives import CONNECT, SYMMETRIC
from benchmarks.peers.debezium import Debezium
from benchmarks.peers.native import Native
from benchmarks.peers.ours import Ours
from benchmarks.peers.pairs import Size
from benchmarks.peers.symmetric import SymmetricDS
from benchmarks.peers.turns import Made, Plan, Turns
from benchmarks.stage import Scale, Stage
from duplex import logs
from duplex.embedded.home import default_home

PEERS = ("debezium", "symmetricds", "bucardo", "native")
OWN = ("processor", "merge", "capture", "sink")


def main() -> int:
    """Measure, or read what was measured; see above for what it returns."""
    arguments = _arguments()
    console = Console(width=max(150, Console().width) if not sys.stdout.isatty() else None, highlight=False)
    if arguments.read:
        return _told(arguments.read, console)
    logs.configure("console", "error", process="benchmark")
    asyncio.run(_measured(arguments, console))
    return _told(arguments.results, console)


async def _measured(arguments: argparse.Namespace, console: Console) -> None:
    started, keep = time.perf_counter(), partial(results.append, arguments.results)
    stage = await servers.start(console.print)
    try:
        keep(results.Start(await _machine(stage), _words(arguments)))
        turns = Turns(stage, _plan(arguments), lambda made: keep(results.Made("peers", made)), console.print)
        await turns.run(dict(_made(stage, arguments.peers, turns)))
        for failure in turns.failures:
            keep(results.Failed(failure))
        for name in arguments.own:
            scale = Scale(arguments.own_rounds, quick=arguments.quick)
            for sample in await measured(name, stage, scale, console):
                keep(results.Made(name, sample))
    finally:
        stage.stop()
    console.print(f"{time.perf_counter() - started:.0f} s; the figures are in {arguments.results}", style="dim")


def _made(stage: Stage, wanted: Sequence[str], turns: Turns) -> Iterator[tuple[str, Made]]:
    """How each peer is made; ours in both forms."""
    if "duplex" in wanted:
        yield "duplex, one way", lambda pair: Ours(pair, stage.bootstrap, two_way=False)
        yield "duplex, two ways", lambda pair: Ours(pair, stage.bootstrap, two_way=True)
    if "debezium" in wanted:
        yield "debezium", lambda pair: Debezium.made(pair, stage)
    if "symmetricds" in wanted:
        yield "symmetricds", SymmetricDS.made
    if "bucardo" in wanted:
        if reason := bucardo.why_not(turns.say):
            turns.say(reason)
        else:
            yield "bucardo", bucardo.Bucardo
    if "native" in wanted:
        yield "native", Native


def _plan(arguments: argparse.Namespace) -> Plan:
    size = Size(arguments.rows, arguments.single, arguments.bulk)
    return Plan(
        size, arguments.rounds, arguments.warm, arguments.rates, arguments.secs, not arguments.no_capture,
        not arguments.no_outcomes,
    )  # fmt: skip


async def _machine(stage: Stage) -> dict[str, str]:
    connection = await asyncpg.connect(stage.dsns["source"])
    postgres = await connection.fetchval("show server_version")
    await connection.close()
    peers = {"debezium": CONNECT.version, "symmetricds": SYMMETRIC.version}
    return {**report.machine(), "postgres": postgres, **peers}


def _words(arguments: argparse.Namespace) -> dict[str, str]:
    names = ("peers", "rows", "single", "bulk", "rounds", "warm", "rates", "secs")
    return {name: str(getattr(arguments, name)) for name in names}


def _told(path: Path, console: Console) -> int:
    """Print what a file of figures says."""
    entries = list(results.read(path))
    for entry in entries:
        if isinstance(entry, results.Start):
            report.show(console, {**entry.machine, **entry.plan})
    found: Mapping[str, list[report.Sample]] = results.samples(iter(entries))
    for table in tables.tables(found.get("peers", [])):
        console.print(table)
    figures = {point: each for name, made in found.items() for point, each in bars.figures(name, made).items()}
    console.print("\n".join(bars.closing(figures, only_measured=False)), soft_wrap=True)
    failures = [entry.what for entry in entries if isinstance(entry, results.Failed)]
    for failure in failures:
        console.print(f"FAILED: {failure}", soft_wrap=True)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(PEERS)}; all if none is given")
    parser.add_argument("--no-duplex", action="store_true", help="the peers alone")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", type=int, default=2, help="drains of each before those that count")
    parser.add_argument("--rows", type=int, default=50_000, help="of the table, on each side")
    parser.add_argument("--single", type=int, default=40_000, help="changes of a load in one-row transactions")
    parser.add_argument("--bulk", type=int, default=40, help="statements of 1,000 rows of a load")
    parser.add_argument("--rates", type=_rates, default=(500, 2000), help="changes a second for latencies: 500,2000")
    parser.add_argument("--secs", type=int, default=12, help="how long each rate lasts")
    parser.add_argument("--no-capture", action="store_true", help="without capture alone")
    parser.add_argument("--no-outcomes", action="store_true", help="without edits on both sides")
    parser.add_argument("--own", type=_names, default=OWN, help="our own benchmarks that bars need; '' for none")
    parser.add_argument("--own-rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny sizes for our own benchmarks")
    default = default_home().root.parent / "benchmarks" / f"peers-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    parser.add_argument("--results", type=Path, default=default, help="the file that gets a line per figure")
    parser.add_argument("--read", type=Path, metavar="FILE", help="measure nothing: print what a file says")
    arguments = parser.parse_args()
    arguments.peers = arguments.peers or list(PEERS)
    for name in arguments.peers:
        if name not in PEERS:
            parser.error(f"no peer is called {name}; there are {', '.join(PEERS)}")
    if not arguments.no_duplex:
        arguments.peers.append("duplex")
    if arguments.rates and max(arguments.rates) * arguments.secs > arguments.rows:
        parser.error("every row is edited once at most: --rows must be at least the greatest rate × --secs")
    return arguments


def _rates(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(",") if word)


def _names(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


if __name__ == "__main__":
    sys.exit(main())
