"""What duplex is to reach beside its peers and beside plain loops, as data, and the lines that say whether it does.

A bar is a ratio of two figures of the same run: the median over the rounds that both were measured in, each of ours
divided by its neighbour of the same round; of the medians where they have no rounds in common. The issue that sets
the bars gives a second, harder limit for most: the stretch.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from benchmarks.report import Sample

ONE_WAY, TWO_WAYS = "duplex, one way", "duplex, two ways"
RATES = (500, 2_000)
LARGE_STATES = (
    ("50,000", "in memory"), ("50,000", "on disk"), ("10,000,000", "on disk"), ("1,000,000", "in memory")
)  # fmt: skip
SINK_ROWS = ((100, 0.6), (1_000, 0.6), (5_000, 0.6))


class Point(NamedTuple):
    """Where a figure is: the benchmark, its case and variant, and which figure of the sample."""

    benchmark: str
    case: str
    variant: str
    figure: str = "rate"


Figures = Mapping[Point, Mapping[int, float]]
Better = Literal["more", "less"]


@dataclass(frozen=True, slots=True)
class Bar:
    """`ours` beside the best of `beside`, or alone if there is nothing beside it. No `ours`: nothing measures it."""

    name: str
    ours: Point | None
    beside: tuple[Point, ...]
    limit: float
    better: Better = "more"
    stretch: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A bar and what was found; None: not measured."""

    bar: Bar
    ratio: float | None

    @property
    def verdict(self) -> str:
        """pass, or miss, or that it was not measured."""
        if self.ratio is None:
            return "not measured"
        return "pass" if _holds(self.ratio, self.bar.limit, self.bar.better) else "miss"

    @property
    def is_stretched(self) -> bool:
        """Whether the harder limit holds too."""
        limit = self.bar.stretch
        return self.ratio is not None and limit is not None and _holds(self.ratio, limit, self.bar.better)

    def line(self) -> str:
        """`name ratio bar verdict`, in columns."""
        sign = ">=" if self.bar.better == "more" else "<="
        wanted = f"{sign} {self.bar.limit:,g}"
        if self.bar.stretch is not None:
            wanted += f" (stretch {self.bar.stretch:g}{', reached' if self.is_stretched else ''})"
        ratio = "-" if self.ratio is None else f"{self.ratio:,.2f}"
        return f"{self.bar.name:<64} {ratio:>9}  {wanted:<28} {self.verdict}"


def _holds(ratio: float, limit: float, better: Better) -> bool:
    return ratio >= limit if better == "more" else ratio <= limit


def _stages() -> Iterator[Bar]:
    """Parts of the pipeline beside plain loops."""
    small, ours = "parse, state, merge, changelog, send", "our batch service"
    plain = Point("processor", small, "plain aiokafka")
    batches = Point("processor", small, ours)
    yield Bar("processor / stock Faust", batches, (Point("processor", small, "stock Faust"),), 20)
    yield Bar("processor / plain aiokafka loop", batches, (plain,), 0.7, stretch=0.9)
    yield Bar(
        "merge stage / plain aiokafka loop", Point("merge", "2 systems", "our merge"), (plain,), 0.16, stretch=0.4
    )
    for case, limit, stretch in (
        ("one row, synced", 0.9, 0.95),
        ("one row, unsynced", 0.6, 0.75),
        ("1,000 rows, unsynced", 0.5, 0.6),
    ):
        captured, free = Point("capture", case, "captured"), Point("capture", case, "no trigger")
        yield Bar(f"writer's rate, {case}: captured / no trigger", captured, (free,), limit, stretch=stretch)
    for rows, limit in SINK_ROWS:
        case = f"batches of {rows:,} rows"
        plain_ways = (Point("sink", case, "unnest upsert"), Point("sink", case, "COPY + upsert"))
        yield Bar(
            f"sink, {rows:,} rows / best plain upsert", Point("sink", case, "our sink"), plain_ways, limit, stretch=0.8
        )


def _drains() -> Iterator[Bar]:
    """The whole program beside other pipelines."""
    names = ("debezium", "native", "symmetricds", ONE_WAY, TWO_WAYS)
    # Between the first and the last tenth: what a resume takes would count more, the smaller the load is.
    debezium, native, symmetric, one_way, two_ways = (Point("peers", "drain", name, "band/s") for name in names)
    yield Bar("one-way drain / Debezium + JDBC sink", one_way, (debezium,), 1.2, stretch=1.5)
    yield Bar("one-way drain / native replication (a stretch)", one_way, (native,), 0.5)
    yield Bar("two-way drain / SymmetricDS", two_ways, (symmetric,), 1.2)
    yield Bar("two-way drain / Debezium, one way (a stretch)", two_ways, (debezium,), 1.0)
    capture = [Point("peers", "capture alone", name) for name in (ONE_WAY, "debezium")]
    yield Bar("capture to Kafka alone / Debezium's", capture[0], (capture[1],), 1.0, stretch=1.5)
    load = "load: source CPU s"
    ours = two_ways._replace(figure=load)
    yield Bar("price of capture, server CPU / SymmetricDS", ours, (symmetric._replace(figure=load),), 0.6, "less")
    yield Bar("price of capture, server CPU / none (a stretch)", ours, (native._replace(figure=load),), 1.5, "less")
    for name, figure, limit, stretch in (
        ("CPU per change", "cpu pipeline", 1.0, 0.7),
        ("peak memory", "peak MB", 0.4, 0.3),
    ):
        beside = debezium._replace(figure=figure)
        title = f"{name} of the pipeline's processes, one way / Debezium's"
        yield Bar(title, one_way._replace(figure=figure), (beside,), limit, "less", stretch)


def _latencies() -> Iterator[Bar]:
    for rate in RATES:
        for figure, limit, stretch in (("p50 ms", 0.6, 0.3), ("p99 ms", 1.0, 0.5)):
            ours, beside = (Point("peers", f"latency at {rate}/s", name, figure) for name in (TWO_WAYS, "debezium"))
            title = f"{figure.removesuffix(' ms')} at {rate:,}/s, two ways / Debezium's one way"
            yield Bar(title, ours, (beside,), limit, "less", stretch)


def _states() -> Iterator[Bar]:
    merges = [Point("state", f"merge with {size}", way) for size, way in LARGE_STATES]
    yield Bar("merge with 10 M records of state / with 50 k", merges[2], (merges[0], merges[1]), 0.7)
    for size, way in LARGE_STATES[2:]:
        yield Bar(f"recovery of {size} records, per second", Point("state", f"recovery of {size}", way), (), 100_000)
    yield Bar("catching up with changes still arriving / drain", None, (), 0.8)
    yield Bar("two worker processes / one", None, (), 1.6)


BARS = (*_stages(), *_drains(), *_latencies(), *_states())


def figures(benchmark: str, samples: Iterable[Sample]) -> dict[Point, dict[int, float]]:
    """Every figure of these samples by its place and round; warm rounds, which are below 0, are left out."""
    found: dict[Point, dict[int, float]] = {}
    for sample in samples:
        if sample.round < 0:
            continue
        cpu = {f"cpu {name}": share for name, share in sample.cpu_us.items()}
        for figure, value in {"rate": sample.rate, **cpu, **sample.more}.items():
            found.setdefault(Point(benchmark, sample.case, sample.variant, figure), {})[sample.round] = value
    return found


def judged(found: Figures, bars: Sequence[Bar] = BARS) -> list[Judged]:
    """Each bar with its ratio, as far as the figures are there."""
    return [Judged(bar, _ratio(bar, found)) for bar in bars]


def _ratio(bar: Bar, found: Figures) -> float | None:
    ours = found.get(bar.ours) if bar.ours else None
    if not ours:
        return None
    if not bar.beside:
        return statistics.median(ours.values())
    beside = _best([found[point] for point in bar.beside if found.get(point)], bar.better)
    shared = [ours[number] / beside[number] for number in ours.keys() & beside.keys() if beside[number]]
    if shared:
        return statistics.median(shared)
    base = statistics.median(beside.values()) if beside else 0.0
    return statistics.median(ours.values()) / base if base else None


def _best(rivals: Sequence[Mapping[int, float]], better: Better) -> Mapping[int, float]:
    """Round by round the best of several."""
    best = max if better == "more" else min
    rounds = set[int]().union(*(rival.keys() for rival in rivals))
    return {number: best(rival[number] for rival in rivals if number in rival) for number in rounds}


def closing(found: Figures, *, only_measured: bool) -> list[str]:
    """The lines that close a run: one for each bar, or for those that this run could judge."""
    lines = [one for one in judged(found) if one.ratio is not None or not only_measured]
    return [one.line() for one in lines]
