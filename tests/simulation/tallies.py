"""What histories met: the floors see to it that they met the hard cases."""

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from streams.merge.events import Amended, Changed, Verdict
from tests.simulation.draws import HOUR_US

if TYPE_CHECKING:
    from tests.simulation.worlds import World


@dataclass
class Tally:
    """Counts, and the violations by seed."""

    histories: int = 0
    edits: int = 0
    conflicts: int = 0
    parked: int = 0
    races: int = 0
    rejected: int = 0
    normalised: int = 0
    failed: int = 0
    fenced: int = 0
    reverts: int = 0
    deletes_against_updates: int = 0
    crashes: int = 0
    repeats: int = 0
    decisions: int = 0
    triggers: int = 0
    merged: int = 0
    deadlines: int = 0
    resolved: int = 0
    braked: int = 0
    oscillations: int = 0
    amended: int = 0
    stale_amendments: int = 0
    looks_coalesced: int = 0
    late_results: int = 0
    lost_commands: int = 0
    retries: int = 0
    zombies: int = 0
    clocks_an_hour_off: int = 0
    forgotten: int = 0
    violations: dict[int, list[str]] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """Mishaps: crashes, repeats, zombies, lost commands, rejected and failed writes."""
        mishaps = (self.crashes, self.repeats, self.rejected, self.failed, self.fenced, self.zombies)
        return sum(mishaps) + self.lost_commands

    def add(self, other: "Tally") -> None:
        """What another campaign met counts here, too."""
        self.violations.update(other.violations)
        for one in fields(self):
            if one.name != "violations":
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def __str__(self) -> str:
        return (
            f"{self.histories} histories, {self.edits} edits, {self.conflicts} conflicts, {self.faults} faults: "
            f"{len(self.violations)} violations"
        )

    def count(self, world: "World", wrong: list[str]) -> None:
        """One history more."""
        self.histories += 1
        self._count_acts(world)
        self._count_verdicts([verdict for step in world.hub.steps for verdict in step.verdicts])
        self._count_mishaps(world)
        self._count_amendments(world)
        if wrong:
            self.violations[world.seed] = wrong

    def _count_acts(self, world: "World") -> None:
        self.edits += sum(len(act.wrote) + (act.kind == "delete") for act in world.acts)
        self.reverts += sum(len(act.reverts) for act in world.acts)
        self.triggers += sum(act.kind == "trigger" for act in world.acts)

    def _count_verdicts(self, verdicts: list[Verdict]) -> None:
        self.conflicts += sum(verdict.kind != "refused" for verdict in verdicts)
        self.parked += len({verdict.number for verdict in verdicts if verdict.winner == "parked"})
        self.races += sum(verdict.kind == "value" for verdict in verdicts)
        self.deletes_against_updates += sum(verdict.kind == "existence" for verdict in verdicts)
        self.decisions += sum(verdict.rule == "decision" for verdict in verdicts)
        self.merged += sum(verdict.winner == "merged" for verdict in verdicts)
        self.deadlines += sum(verdict.rule.startswith("deadline:") for verdict in verdicts)
        self.resolved += sum(verdict.rule.startswith("rules:") for verdict in verdicts)
        self.braked += sum(verdict.rule == "brake" for verdict in verdicts)
        self.oscillations += sum(verdict.rule == "oscillation" for verdict in verdicts)

    def _count_mishaps(self, world: "World") -> None:
        for effects in (table.effects for table in world.tables.values()):
            self.rejected += effects.rejected
            self.normalised += effects.normalised
            self.failed += effects.failed
            self.fenced += effects.fenced
        self.crashes += world.hub.crashes_between
        self.repeats += max(0, sum(isinstance(i.event, Changed) for i in world.hub.log) - len(world.hub.merged))
        self.lost_commands += len(world.lost)
        self.retries += world.operator.retried
        self.zombies += world.hub.zombies
        self.clocks_an_hour_off += sum(abs(skew_us) == HOUR_US for skew_us in world.skew.values())
        for remote in world.remotes.values():
            self.looks_coalesced += remote.coalesced
            self.late_results += remote.late_results

    def _count_amendments(self, world: "World") -> None:
        for step in world.hub.steps:
            self.forgotten += step.forget
            if isinstance(step.event, Amended):
                stale = any(verdict.rule == step.event.kind for verdict in step.verdicts)
                self.stale_amendments += stale
                self.amended += not stale
