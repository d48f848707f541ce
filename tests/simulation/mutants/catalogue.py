"""All mistakes, and the search for a history that shows each."""

from dataclasses import dataclass

import pytest

from tests.simulation.histories import run
from tests.simulation.mutants import existence, fields, rows
from tests.simulation.mutants.planting import Mutant
from tests.simulation.tables import Mistakes

MUTANTS: tuple[Mutant, ...] = (
    *fields.VERSIONS,
    *fields.CONFLICTS,
    *fields.POLICIES,
    *rows.ECHOES,
    *rows.POSITIONS,
    *rows.LOOKS,
    *rows.LOST,
    *existence.EXISTENCE,
    *existence.DECISIONS,
    *existence.WORLD,
)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


@dataclass(frozen=True, slots=True)
class Finding:
    """How a mistake was noticed: at which seed, after how many histories, and by which obligation; or not at all."""

    name: str
    histories: int
    seed: int | None = None
    sentence: str = ""

    @property
    def obligation(self) -> str:
        """The obligation that was violated."""
        return self.sentence.partition(":")[0]


def search(mutant: Mutant, limit: int) -> Finding:
    """Play histories with a mistake planted until one violates an obligation, `limit` at most."""
    mistakes = Mistakes(**{mutant.fault: True}) if mutant.fault else Mistakes()
    with pytest.MonkeyPatch.context() as patch:
        if mutant.plant is not None:
            mutant.plant(patch)
        for place in range(limit):
            wrong = run(mutant.first + place, mistakes, theme=mutant.theme)
            if wrong:
                return Finding(mutant.name, place + 1, mutant.first + place, wrong[0])
    return Finding(mutant.name, limit)


def search_by_name(limit: int, name: str) -> Finding:
    """As `search`, for other processes: a name can be sent to them."""
    return search(BY_NAME[name], limit)
