"""A campaign that was stopped comes to the same as one that was not, and no other is gone on with."""

from pathlib import Path

import pytest

from tests.simulation import checkpoints
from tests.simulation.campaigns import CHUNK, Campaign, play
from tests.simulation.checkpoints import Checkpoint, OtherCampaignError
from tests.simulation.tallies import Tally

FIRST, COUNT = 40, CHUNK + 10


def test_the_rest_of_a_campaign_makes_up_the_whole(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "kept.json", Campaign(FIRST, COUNT))
    kept.save(play(Campaign(FIRST, CHUNK)))
    assert play(kept.campaign, begun=kept.load()) == play(kept.campaign)


def test_without_a_file_nothing_was_met(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "kept.json", Campaign(FIRST, COUNT)).load() == Tally()


def test_violations_are_kept(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "kept.json", Campaign(FIRST, COUNT))
    kept.save(Tally(histories=CHUNK, violations={41: ["P4: lost"]}))
    assert kept.load().violations == {41: ["P4: lost"]}


def test_another_campaign_is_not_gone_on_with(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "kept.json", Campaign(FIRST, COUNT)).save(Tally())
    with pytest.raises(OtherCampaignError, match="another campaign"):
        Checkpoint(tmp_path / "kept.json", Campaign(FIRST + 1, COUNT)).load()


def test_other_code_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoint(tmp_path / "kept.json", Campaign(FIRST, COUNT))
    kept.save(Tally())
    monkeypatch.setattr(checkpoints, "JUDGED", ("streams/merge",))
    with pytest.raises(OtherCampaignError, match="state of the code"):
        kept.load()
