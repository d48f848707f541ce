"""The tables of the benchmarks: medians, and ratios of one round each."""

import io

from rich.console import Console

from benchmarks.report import Sample, lines, table


def sample(variant: str, number: int, rate: float) -> Sample:
    return Sample(case="c", variant=variant, round=number, events=1000, wall_s=1000 / rate, cpu_us={"process": rate})


SAMPLES = [
    sample("ours", 0, 50.0),
    sample("base", 0, 100.0),
    sample("base", 1, 1000.0),
    sample("ours", 1, 900.0),
    sample("ours", 2, 40.0),
    sample("base", 2, 100.0),
]


def test_a_ratio_is_that_of_its_own_round() -> None:
    base, ours = lines(SAMPLES, "base")
    assert (base.variant, base.ratio, round(base.rate)) == ("base", None, 100)
    assert ours.ratio is not None
    assert (round(ours.ratio, 2), round(ours.rate), ours.cpu_us["process"]) == (0.5, 50, 50.0)


def test_a_case_without_baseline_has_no_ratio() -> None:
    (line,) = lines([sample("ours", 0, 50.0)], "base")
    assert line.ratio is None


def test_the_table_names_everything() -> None:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(table("relay", "base", lines(SAMPLES, "base")))
    text = console.export_text()
    assert all(word in text for word in ("relay", "to base", "ours", "0.50", "process 50.0"))
