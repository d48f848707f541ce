"""The recorded events of the sweeps: what is varied is what it is said to be; and the pictures of what was found."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks import plots, sweeps
from benchmarks.report import Sample
from benchmarks.stage import Scale
from benchmarks.sweeps import Shape
from schemas.codec import Codec
from schemas.messages import Change, Command
from streams.processors.records import Output

SMALL = Shape(columns=4, records=5, edits=20)


def sample(size: str, number: int, cost: float) -> Sample:
    return Sample(case="Rows, width", variant=size, round=number, events=10, wall_s=1, cpu_us={"process": cost})


def commands(outputs: Any) -> list[Command]:
    found = [one for one in outputs if isinstance(one, Output) and ".commands." in one.topic]
    return [Codec().decode_as(one.value or b"", Command) for one in found]


def changes(records: Any) -> list[Change]:
    return [Codec().decode_as(record.value or b"", Change) for record in records]


@pytest.mark.parametrize("systems", [2, 3])
def test_every_edit_leads_to_a_command_and_an_echo_elsewhere(systems: int) -> None:
    loads, edits = sweeps.recorded(Shape(systems=systems, columns=4, records=5, edits=20))
    assert [change.op for change in changes(loads)] == ["r"] * 5 * systems + ["l"] * systems
    assert len([change for change in changes(edits) if change.origin]) == 20 * (systems - 1)


def test_rows_are_as_wide_as_said() -> None:
    loads, _ = sweeps.recorded(Shape(columns=7, records=1, edits=0))
    assert len(msgspec.json.decode(changes(loads)[0].after or "")) == 1 + 7


def test_in_a_conflict_both_systems_edit_before_either_hears_of_it() -> None:
    _, edits = sweeps.recorded(Shape(columns=4, records=5, edits=10, conflicts=100))
    own = [place for place, change in enumerate(changes(edits)) if change.origin is None]
    assert len(own) == 20
    assert all(second == first + 1 for first, second in zip(own[::2], own[1::2], strict=True))


def test_copied_state_is_state_of_the_copy() -> None:
    store, made = sweeps.filled(SMALL, 30), sweeps.processor(SMALL)
    edits = sweeps.cold_edits(SMALL, 30, 0)
    found = commands(made.apply(edits, store))
    assert len(found) == len(edits) == 20
    assert len({one.record_id for one in found}) == 20
    assert all(one.local_id == f"[{one.record_id.removeprefix('record-')}]" for one in found)


def test_a_second_round_of_cold_edits_is_as_fresh_as_the_first() -> None:
    store, made = sweeps.filled(SMALL, 100), sweeps.processor(SMALL)
    for number in range(2):
        assert len(commands(made.apply(sweeps.cold_edits(SMALL, 100, number), store))) == 20


async def test_every_size_is_measured_in_every_round() -> None:
    found = await sweeps.run(None, Scale(rounds=2, quick=True))  # type: ignore[arg-type]
    sizes = {case: {one.variant for one in found if one.case == case} for case in {one.case for one in found}}
    assert sizes["columns of a row"] == {"5", "20", "100"}
    assert sizes["records of state"] == {"50,000", "200,000", "1,000,000"}
    assert all(
        len([one for one in found if (one.case, one.variant) == (case, size)]) == 2
        for case in sizes
        for size in sizes[case]
    )


def test_a_point_is_least_median_and_greatest_of_its_rounds() -> None:
    made = [sample("1,000", 0, 5), sample("50", 0, 3), sample("1,000", 1, 9), sample("1,000", 2, 6)]
    assert plots.points(made) == [(50, 3, 3, 3), (1000, 5, 6, 9)]


def test_pictures_are_written_beside_the_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="an optional group")
    (path,) = plots.write(tmp_path / "plots", "s", [sample("50", 0, 3), sample("5,000", 0, 4)])
    assert path.name == "s-rows-width.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    found = msgspec.json.decode((tmp_path / "plots" / "s.json").read_bytes())
    assert [line["variant"] for line in found["lines"]] == ["50", "5,000"]


def test_nothing_is_written_of_tiny_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "FOLDER", tmp_path)
    sweeps.finish([sample("50", 0, 3)], Scale(quick=True))
    assert list(tmp_path.iterdir()) == []
