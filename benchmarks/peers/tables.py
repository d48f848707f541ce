"""The tables of a comparison: medians over the rounds, each peer beside Debezium of the same round."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from benchmarks.peers import captures, drains, outcomes
from benchmarks.report import Line, Sample, lines

BASELINE = "debezium"
GROUPS = ("pipeline", "kafka", "source", "target", "control database")
PERCENTILES = ("p50 ms", "p90 ms", "p99 ms", "max ms")


def tables(samples: Sequence[Sample]) -> list[Table]:
    """A table for each kind of figure that there is."""
    kept = [sample for sample in samples if sample.round >= 0]
    cases: Mapping[str, list[Line]] = _by_case(lines(kept, BASELINE))
    made = [_drains(case, found) for case, found in cases.items() if case in (drains.CASE, captures.CASE)]
    made += [_latencies(case, found) for case, found in cases.items() if case.startswith("latency")]
    return made + [_outcomes(found) for case, found in cases.items() if case == outcomes.CASE]


def _by_case(found: Sequence[Line]) -> dict[str, list[Line]]:
    cases: dict[str, list[Line]] = {}
    for line in found:
        cases.setdefault(line.case, []).append(line)
    return cases


def _drains(case: str, found: Sequence[Line]) -> Table:
    groups = [name for name in GROUPS if any(name in line.cpu_us for line in found)]
    names = ("peak MB", "band/s", "confirmed s", "load: source CPU s")
    figures = [name for name in names if any(name in line.more for line in found)]
    headings = ("changes/s", "± %", f"to {BASELINE}", "CPU-s per 1 M: " + " + ".join(groups), *figures)
    made = _table(f"{case}, {found[0].rounds} rounds", headings)
    for line in found:
        cpu = " + ".join(f"{line.cpu_us.get(name, 0.0):.1f}" for name in groups)
        more = [_number(line.more.get(name)) for name in figures]
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        made.add_row(line.variant, f"{line.rate:,.0f}", f"{line.spread * 50:.0f}", ratio, cpu, *more)
    return made


def _latencies(case: str, found: Sequence[Line]) -> Table:
    groups = [name for name in GROUPS if any(name in line.cpu_us for line in found)]
    made = _table(
        f"{case}, commit → visible, {found[0].rounds} rounds",
        (*PERCENTILES, "made/s", "CPU ms per change: " + " + ".join(groups)),
    )
    for line in found:
        cpu = " + ".join(f"{line.cpu_us.get(name, 0.0) / 1000:.2f}" for name in groups)
        made.add_row(line.variant, *(_number(line.more[name]) for name in PERCENTILES), f"{line.rate:,.0f}", cpu)
    return made


def _outcomes(found: Sequence[Line]) -> Table:
    made = _table(f"{outcomes.CASE}: {outcomes.ROWS} rows of each kind", ("what became of them",))
    for line in found:
        made.add_row(line.variant, ", ".join(f"{name} {count:.0f}" for name, count in sorted(line.more.items())))
    return made


def _table(title: str, headings: Sequence[str]) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", header_style="")
    made.add_column("peer")
    for heading in headings:
        made.add_column(heading, justify="right")
    return made


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
