"""Judging: which figures a bar compares, and what it says of them."""

import pytest

from benchmarks import bars, capture, processor
from benchmarks.bars import BARS, Bar, Point, closing, figures, judged
from benchmarks.report import Sample

OURS, THEIRS, OTHERS = (Point("b", "c", name) for name in ("ours", "theirs", "others"))


def sample(variant: str, number: int, rate: float, **more: float) -> Sample:
    return Sample(
        case="c", variant=variant, round=number, events=100, wall_s=100 / rate, cpu_us={"pipeline": 3.0}, more=more
    )


def verdict(bar: Bar, *samples: Sample) -> tuple[float | None, str]:
    (found,) = judged(figures("b", samples), [bar])
    return found.ratio, found.verdict


def test_a_ratio_is_the_median_of_the_rounds_that_both_were_in() -> None:
    bar = Bar("x", OURS, (THEIRS,), 1.0)
    pairs = [(0, 10, 10), (1, 30, 10), (2, 4, 2)]
    made = [sample(name, n, rate) for n, *rates in pairs for name, rate in zip(("ours", "theirs"), rates, strict=True)]
    assert verdict(bar, *made, sample("theirs", 3, 1000)) == (2.0, "pass")


def test_without_a_common_round_the_medians_are_compared() -> None:
    bar = Bar("x", OURS, (THEIRS,), 1.0)
    assert verdict(bar, sample("ours", 0, 10), sample("ours", 1, 30), sample("theirs", 2, 40)) == (0.5, "miss")


def test_the_best_rival_counts_in_every_round() -> None:
    bar = Bar("x", OURS, (THEIRS, OTHERS), 1.0)
    rivals = [sample("theirs", 0, 20), sample("others", 0, 10), sample("theirs", 1, 10), sample("others", 1, 40)]
    assert verdict(bar, sample("ours", 0, 20), sample("ours", 1, 20), *rivals)[0] == 0.75


@pytest.mark.parametrize(("better", "expected"), [("more", "pass"), ("less", "miss")])
def test_more_may_be_better_or_less(better: bars.Better, expected: str) -> None:
    bar = Bar("x", OURS, (THEIRS,), 1.0, better)
    assert verdict(bar, sample("ours", 0, 20), sample("theirs", 0, 10)) == (2.0, expected)


def test_the_limit_itself_passes() -> None:
    for better in ("more", "less"):
        bar = Bar("x", OURS, (THEIRS,), 0.5, better)  # type: ignore[arg-type]
        assert verdict(bar, sample("ours", 0, 10), sample("theirs", 0, 20)) == (0.5, "pass")


def test_any_figure_can_be_compared() -> None:
    made = [sample("ours", 0, 10, peak=50), sample("theirs", 0, 10, peak=100)]
    bar = Bar("x", OURS._replace(figure="peak"), (THEIRS._replace(figure="peak"),), 0.4, "less")
    assert verdict(bar, *made) == (0.5, "miss")
    assert figures("b", made)[OURS._replace(figure="cpu pipeline")] == {0: 3.0}


def test_with_nothing_beside_it_the_figure_itself_is_judged() -> None:
    assert verdict(Bar("x", OURS, (), 100), sample("ours", 0, 150)) == (150.0, "pass")


@pytest.mark.parametrize("made", [[], [sample("ours", 0, 1)], [sample("theirs", 0, 1)]])
def test_half_a_pair_is_not_measured(made: list[Sample]) -> None:
    assert verdict(Bar("x", OURS, (THEIRS,), 1.0), *made) == (None, "not measured")


def test_warm_rounds_do_not_count() -> None:
    assert figures("b", [sample("ours", -1, 10)]) == {}


def test_a_line_is_name_ratio_bar_verdict() -> None:
    bar = Bar("drain / theirs", OURS, (THEIRS,), 1.2, stretch=1.5)
    (found,) = judged(figures("b", [sample("ours", 0, 14), sample("theirs", 0, 10)]), [bar])
    assert found.line().split() == ["drain", "/", "theirs", "1.40", ">=", "1.2", "(stretch", "1.5)", "pass"]
    (found,) = judged(figures("b", [sample("ours", 0, 16), sample("theirs", 0, 10)]), [bar])
    assert found.is_stretched and "reached" in found.line()


def test_a_run_closes_with_every_bar_or_those_that_it_can_judge() -> None:
    assert closing({}, only_measured=True) == []
    assert len(closing({}, only_measured=False)) == len(BARS)
    assert all(line.endswith("not measured") for line in closing({}, only_measured=False))


def test_every_bar_has_a_name_of_its_own() -> None:
    assert len({bar.name for bar in BARS}) == len(BARS)


def test_the_bars_name_variants_that_the_benchmarks_have() -> None:
    points = [point for bar in BARS for point in (bar.ours, *bar.beside) if point]
    assert {point.variant for point in points if point.benchmark == "processor"} == set(processor.JOBS)
    assert capture.BASELINE in {point.variant for point in points if point.benchmark == "capture"}
