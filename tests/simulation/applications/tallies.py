"""What histories met: the floors see to it that they met every fault."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.applications.rows import ThingRow

if TYPE_CHECKING:
    from tests.simulation.applications.worlds import ThingsWorld

FLOOR_HISTORIES = 100
FAULTS = (
    "webhook lost",
    "webhook late",
    "webhook repeated",
    "webhooks reordered",
    "webhooks coalesced",
    "429 with Retry-After",
    "429 without Retry-After",
    "429 by the limit",
    "others used the budget",
    "error without effect",
    "error after effect",
    "cut without effect",
    "cut after effect",
    "died after effect",
    "value altered silently",
    "page empty",
    "page partial",
    "rows shifted between pages",
    "clock an hour off",
    "clock set back",
    "asked while away",
    "edited in haste",
    "moved",
    "killed before the note of an intent",
    "killed after the note of an intent",
    "killed after a write",
    "killed before the note of a result",
    "killed after the note of a result",
    "killed after the answers were sent",
    "killed at any time",
    "kafka away",
    "row deleted by us",
    "row made anew",
    "command set aside",
)


@dataclass
class Tally:
    """Counts, and the violations by seed. `met` has the faults by name, `windows` the documented windows."""

    histories: int = 0
    edits: int = 0
    conflicts: int = 0
    guesses: int = 0
    met: dict[str, int] = field(default_factory=dict)
    windows: dict[str, int] = field(default_factory=dict)
    violations: dict[int, list[str]] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """Mishaps of all kinds."""
        return sum(self.met.values())

    def missing(self) -> list[str]:
        """Faults that were not met, though there were histories enough."""
        return [name for name in FAULTS if name not in self.met] if self.histories >= FLOOR_HISTORIES else []

    def add(self, other: "Tally") -> None:
        """What another campaign met counts here, too."""
        self.violations.update(other.violations)
        self.histories += other.histories
        self.edits += other.edits
        self.conflicts += other.conflicts
        self.guesses += other.guesses
        for mine, others in ((self.met, other.met), (self.windows, other.windows)):
            for name, count in others.items():
                mine[name] = mine.get(name, 0) + count

    def count(self, world: "ThingsWorld", wrong: list[str]) -> None:
        """One history more."""
        self.histories += 1
        for record in world.records:
            self.edits += sum(len(act.wrote) + (act.kind == "delete") for act in record.acts)
            self.conflicts += sum(v.kind != "refused" for step in record.hub.steps for v in step.verdicts)
        self.guesses += world.pipeline.guesses
        for name, count in world.counts.met.items():
            self.met[name] = self.met.get(name, 0) + count
        self._count_windows(world)
        if wrong:
            self.violations[world.seed] = wrong

    def _count_windows(self, world: "ThingsWorld") -> None:
        rows = [row for record in world.records for row in record.all_tables if isinstance(row, ThingRow)]
        counted = {
            "covered": sum(len({act for act, name in row.windows if name is not None}) for row in rows),
            "deleted at once": sum(len([act for act, name in row.windows if name is None]) for row in rows),
            "form": sum(one.startswith("P11") for record in world.records for one in record.excused),
            "mistaken": sum(one.startswith("P4") for record in world.records for one in record.excused),
            "orphans": sum(row.is_orphaned for row in rows),
            "twins": sum(row.is_twinned for row in rows),
        }
        for name, count in counted.items():
            self.windows[name] = self.windows.get(name, 0) + count

    def details(self) -> str:
        """How often each fault was met, and each documented window."""
        met = ", ".join(f"{name} {count}" for name, count in sorted(self.met.items()))
        windows = ", ".join(f"{name} {count}" for name, count in sorted(self.windows.items()))
        return f"faults: {met}\nwindows that the connector's page states: {windows}"

    def __str__(self) -> str:
        return (
            f"{self.histories} histories, {self.edits} edits, {self.conflicts} conflicts, {self.faults} faults: "
            f"{len(self.violations)} violations"
        )
