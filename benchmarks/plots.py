"""Sweeps as pictures: CPU time per event over the size that was varied, a picture for each sweep."""

import re
import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import report
from benchmarks.report import Sample

WIDTH_IN, HEIGHT_IN, DPI = 5.0, 3.2, 110
WIDE_RANGE = 50


def write(folder: Path, name: str, samples: Sequence[Sample]) -> list[Path]:
    """Write `<name>.json` with the machine and the medians, and a PNG for each case; the paths of the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = report.lines(samples, "")
    found = {"machine": report.machine(), "lines": lines}
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    cases = dict.fromkeys(line.case for line in lines)
    return [_drawn(folder, name, case, [sample for sample in samples if sample.case == case]) for case in cases]


def points(samples: Sequence[Sample]) -> list[tuple[float, float, float, float]]:
    """For each size: the size, and least, median and greatest CPU microseconds per event over the rounds."""
    costs: dict[float, list[float]] = {}
    for sample in samples:
        costs.setdefault(float(sample.variant.replace(",", "")), []).append(sum(sample.cpu_us.values()))
    return [(size, min(found), statistics.median(found), max(found)) for size, found in sorted(costs.items())]


def _drawn(folder: Path, name: str, case: str, samples: Sequence[Sample]) -> Path:
    # Slow to import, and part of an optional group that only drawing needs.
    from matplotlib.figure import Figure

    found = points(samples)
    sizes, middle = [point[0] for point in found], [point[2] for point in found]
    reach = [[point[2] - point[1] for point in found], [point[3] - point[2] for point in found]]
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    axes = figure.add_subplot()
    axes.errorbar(sizes, middle, yerr=reach, marker="o", capsize=3, color="#1f5fa8")
    for size, cost in zip(sizes, middle, strict=True):
        axes.annotate(f"{cost:.0f}", (size, cost), textcoords="offset points", xytext=(4, 6), fontsize=8)
    if min(sizes) > 0 and max(sizes) / min(sizes) >= WIDE_RANGE:
        axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel=case, ylabel="CPU µs per event", ylim=(0, max(point[3] for point in found) * 1.2))
    axes.grid(visible=True, alpha=0.3)
    path = folder / f"{name}-{slug(case)}.png"
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def slug(text: str) -> str:
    """The words of a text as part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
