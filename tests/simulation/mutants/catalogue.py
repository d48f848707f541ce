"""All mistakes, and the search for a history that shows each."""

from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO

import pytest

from tests.simulation.histories import run
from tests.simulation.mutants import existence, fields, rows, uncontended
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
    *uncontended.UNCONTENDED,
)
QUIETLY = ("-q", "-x", "-rf", "--no-header", "-p", "no:cacheprovider")
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
        """The obligation that was violated, or the test that failed."""
        return self.sentence if "::" in self.sentence else self.sentence.partition(":")[0]


def search(mutant: Mutant, limit: int) -> Finding:
    """Play histories with a mistake planted until one violates an obligation, `limit` at most."""
    mistakes = Mistakes(**{mutant.fault: True}) if mutant.fault else Mistakes()
    with pytest.MonkeyPatch.context() as patch:
        if mutant.plant is not None:
            mutant.plant(patch)
        if mutant.tests:
            return _tested(mutant)
        for place in range(limit):
            wrong = run(mutant.first + place, mistakes, theme=mutant.theme)
            if wrong:
                return Finding(mutant.name, place + 1, mutant.first + place, wrong[0])
    return Finding(mutant.name, limit)


def _tested(mutant: Mutant) -> Finding:
    """Whether the unit tests notice it."""
    told = StringIO()
    with redirect_stdout(told):
        code = pytest.main([*QUIETLY, f"tests/unit/merge/{mutant.tests}"])
    failed = next((line for line in told.getvalue().splitlines() if line.startswith("FAILED ")), "")
    if code != pytest.ExitCode.TESTS_FAILED or not failed:
        return Finding(mutant.name, 0)
    return Finding(mutant.name, 0, 0, failed.removeprefix("FAILED ").partition(" - ")[0])


def search_by_name(limit: int, name: str) -> Finding:
    """As `search`, for other processes: a name can be sent to them."""
    return search(BY_NAME[name], limit)
