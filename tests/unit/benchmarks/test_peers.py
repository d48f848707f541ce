"""The comparison with other pipelines: what is computed from what was seen."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.peers import archives, drains, latencies, outcomes, results, tables
from benchmarks.peers.pairs import Size
from benchmarks.report import Sample
from duplex.embedded import jars

SAMPLE = Sample(case="drain", variant="debezium", round=0, events=10, wall_s=2, cpu_us={"pipeline": 1.0})


def test_the_band_leaves_out_start_and_tail() -> None:
    seen = [(0.0, 100), (5.0, 100), (6.0, 110), (7.0, 190), (20.0, 200)]
    assert drains.band(seen, 100, 200) == pytest.approx(80 / 1)


def test_a_band_of_a_moment_says_nothing() -> None:
    assert drains.band([(0.0, 0), (0.1, 100)], 0, 100) == 0.0


def test_eight_sessions_write_a_load_of_whole_shares() -> None:
    assert Size(rows=5000, single=1003, bulk=2).changes == 3000


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert [latencies.part([1.0, 2.0, 3.0, 4.0], share) for share in (0.5, 0.99)] == [3.0, 4.0]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (("SOURCE", "TARGET"), ("SOURCE", "TARGET"), "both kept"),
        (("SOURCE", "b"), ("SOURCE", "b"), "the target's edit lost"),
        (("a", "TARGET"), ("a", "TARGET"), "the source's edit lost"),
        (("SOURCE", "b"), ("a", "TARGET"), "sides differ"),
        (("a", "b"), ("a", "b"), "both lost"),
    ],
)
def test_what_became_of_edits_of_two_columns(source: tuple[str, str], target: tuple[str, str], expected: str) -> None:
    assert outcomes.split(source, target) == expected


def test_a_file_that_was_cut_short_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for entry in (results.Start({"cores": "2"}, {}), results.Made("peers", SAMPLE), results.Failed("native: gone")):
        results.append(path, entry)
    path.write_bytes(path.read_bytes() + b'{"type": "sam')
    entries = list(results.read(path))
    assert results.samples(iter(entries)) == {"peers": [SAMPLE]}
    assert entries[-1] == results.Failed("native: gone")


def test_the_tables_name_every_peer() -> None:
    delays = dict.fromkeys(tables.PERCENTILES, 2.0)
    latency = Sample(case="latency at 500/s", variant="native", round=0, events=10, wall_s=2, more=delays)
    lost = Sample(case=outcomes.CASE, variant="bucardo", round=0, events=100, wall_s=1, more={"split: both lost": 50})
    console = Console(width=200, record=True, file=io.StringIO())
    for table in tables.tables([SAMPLE, latency, lost]):
        console.print(table)
    text = console.export_text()
    assert all(word in text for word in ("debezium", "latency at 500/s", "native", "split: both lost 50"))


@pytest.mark.parametrize("one", archives.ALL, ids=lambda one: one.name)
def test_archives_are_locked_with_their_plugins(one: archives.Archives) -> None:
    locked = jars.locked_jars(one.lock)
    assert all(len(jar.sha256) == 64 and jar.size_bytes > 0 for jar in locked)
    assert {jar.coordinate for jar in locked} >= {*one.roots, *one.plugins}


def test_a_plugin_keeps_the_name_of_its_kind() -> None:
    jar = jars.Jar("io.debezium:debezium-connector-jdbc:3.6.0.Final:plugin:tar.gz", 1, "")
    assert jar.file_name == "debezium-connector-jdbc-3.6.0.Final-plugin.tar.gz"
    assert jars.Jar("org.slf4j:slf4j-api:1.7.36", 1, "").file_name == "slf4j-api-1.7.36.jar"
