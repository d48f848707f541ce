"""`python -m benchmarks [NAMES] [--rounds N] [--json FILE] [--quick]`: measure, and print what was found.

Closes with a line for each bar that these benchmarks can judge.
"""

import argparse
import asyncio
import importlib
import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from benchmarks import bars, report
from benchmarks.stage import Scale, Stage
from duplex import logs

NAMES = ("capture", "relay", "processor", "merge", "conflicts", "sink", "bridge", "end_to_end")
LONG = ("explain", "sweeps", "state", "overload")


def main() -> int:
    """Run the benchmarks named, or all; 0 unless one could not be carried out."""
    arguments = _arguments()
    logs.configure("console", "error", process="benchmark")
    console = Console(width=max(150, Console().width) if not sys.stdout.isatty() else None, highlight=False)
    found: dict[str, Any] = {"machine": report.machine()}
    report.show(console, found["machine"])
    figures: dict[bars.Point, dict[int, float]] = {}
    stage = Stage.start()
    try:
        asyncio.run(stage.tune())
        for name in arguments.names or NAMES:
            samples = asyncio.run(measured(name, stage, Scale(arguments.rounds, arguments.quick), console))
            found[name] = report.lines(samples, _module(name).BASELINE)
            figures |= bars.figures(name, samples)
    finally:
        stage.stop()
    for line in bars.closing(figures, only_measured=True):
        console.print(line, soft_wrap=True)
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    return 0


async def measured(name: str, stage: Stage, scale: Scale, console: Console) -> list[report.Sample]:
    """Run one benchmark and print its table."""
    module, started = _module(name), time.perf_counter()
    samples: list[report.Sample] = await module.run(stage, scale)
    console.print(report.table(module.TITLE, module.BASELINE, report.lines(samples, module.BASELINE)))
    console.print(f"  {scale.rounds} rounds, {time.perf_counter() - started:.0f} s\n", style="dim")
    if hasattr(module, "finish"):
        module.finish(samples, scale)
    return samples


def _module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join((*NAMES, *LONG))}; the first {len(NAMES)} if none is given",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, measures nothing")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in (*NAMES, *LONG) or importlib.util.find_spec(f"benchmarks.{name}") is None:
            parser.error(f"no benchmark is called {name}; there are {', '.join((*NAMES, *LONG))}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
