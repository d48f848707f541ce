"""A campaign that may be stopped and gone on with: what it met so far, kept in a file.

The file belongs to one campaign of one state of the code: what was shown of another merge counts for nothing.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from tests.simulation.campaigns import Campaign
from tests.simulation.tallies import Tally

ROOT = Path(__file__).parents[2]
JUDGED = ("streams/merge", "tests/simulation")


class OtherCampaignError(Exception):
    """The file has another campaign, or one of other code."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is of another {what}: name another file, or remove it to begin anew")


class Saved(msgspec.Struct):
    """What the file says."""

    campaign: Campaign
    code: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a campaign's tally is kept."""

    path: Path
    campaign: Campaign

    def load(self) -> Tally:
        """What was met before; nothing where the file does not exist.

        Raises:
            OtherCampaignError: the file cannot be gone on with.
        """
        if not self.path.exists():
            return Tally()
        saved = msgspec.json.decode(self.path.read_bytes(), type=Saved)
        if saved.campaign != self.campaign:
            raise OtherCampaignError(self.path, "campaign")
        if saved.code != code():
            raise OtherCampaignError(self.path, "state of the code")
        return saved.tally

    def save(self, tally: Tally) -> None:
        """Whole or not at all."""
        beside = self.path.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode({"campaign": self.campaign, "code": code(), "tally": asdict(tally)}))
        beside.replace(self.path)


def code() -> str:
    """A digest of the sources that decide how a history goes and how it is judged."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for folder in JUDGED:
        yield from sorted(path for path in (ROOT / folder).glob("*.py") if not path.name.startswith("test_"))
