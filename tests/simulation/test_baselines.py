"""Other ways of merging lose edits in the same worlds, and the same oracle sees it."""

import pytest

from tests.simulation import baselines
from tests.simulation.campaigns import Campaign


@pytest.mark.parametrize("name", baselines.NAMES)
def test_a_baseline_loses_edits(name: str) -> None:
    found = sum((baselines.outcome(name, seed) for seed in range(1, 31)), baselines.Outcome())
    assert found["histories"] == 30
    assert found["lost"] > found["edits"] * 0.05


def test_a_report_tells_what_was_lost() -> None:
    line = baselines.report("newest", Campaign(1, 10), workers=1)
    assert line.startswith("newest: 10 histories, ")
    assert "lost silently" in line
