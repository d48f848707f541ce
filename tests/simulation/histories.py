"""One history from one seed: run, drain, judge, repeat everything, decide what is left, and judge again."""

from dataclasses import dataclass, field

from streams.merge.events import Changed
from tests.simulation.oracle import Oracle
from tests.simulation.tables import Mistakes
from tests.simulation.worlds import World


@dataclass
class Tally:
    """What a campaign met: the floors see to it that it met the hard cases."""

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
    violations: dict[int, list[str]] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """Mishaps: crashes, repeats, rejected and failed writes."""
        return self.crashes + self.repeats + self.rejected + self.failed + self.fenced


def run(seed: int, mistakes: Mistakes | None = None, tally: Tally | None = None) -> list[str]:
    """The violations of one history; an exception of the merge is one too."""
    world = World(seed, mistakes or Mistakes())
    try:
        wrong = _run(world)
    except Exception as error:  # noqa: BLE001 a crash of the merge is a finding, with its seed
        wrong = [f"exception: {error!r}"]
    if tally is not None:
        _count(tally, world, wrong)
    return wrong


def _run(world: World) -> list[str]:
    world.run()
    if not world.drain():
        return ["P6: the world does not come to rest"]
    wrong = Oracle(world).judge()
    world.decide_everything()
    if not world.drain():
        return [*wrong, "P6: the world does not come to rest after the last decisions"]
    world.hub.complaints.clear()
    wrong += Oracle(world).judge()
    return wrong + _repeat(world)


def _repeat(world: World) -> list[str]:
    """P1, P3, P6: at rest, all that ever was comes again, and nothing happens."""
    commands = sum(len(step.commands) for step in world.hub.steps)
    rows = {name: (table.row, len(table.log)) for name, table in world.tables.items()}
    world.repeat_everything()
    settled = world.drain()
    world.hub.replay()
    wrong = list(world.hub.complaints)
    if not settled or commands != sum(len(step.commands) for step in world.hub.steps):
        wrong.append("P1: repeats led to commands")
    if rows != {name: (table.row, len(table.log)) for name, table in world.tables.items()}:
        wrong.append("P1: repeats changed a row")
    return wrong


def _count(tally: Tally, world: World, wrong: list[str]) -> None:
    verdicts = [verdict for step in world.hub.steps for verdict in step.verdicts]
    effects = [table.effects for table in world.tables.values()]
    tally.histories += 1
    tally.edits += sum(len(act.wrote) + (act.kind == "delete") for act in world.acts)
    tally.conflicts += sum(verdict.kind != "refused" for verdict in verdicts)
    tally.parked += len({verdict.number for verdict in verdicts if verdict.winner == "parked"})
    tally.races += sum(verdict.kind == "value" for verdict in verdicts)
    tally.deletes_against_updates += sum(verdict.kind == "existence" for verdict in verdicts)
    tally.rejected += sum(effect.rejected for effect in effects)
    tally.normalised += sum(effect.normalised for effect in effects)
    tally.failed += sum(effect.failed for effect in effects)
    tally.fenced += sum(effect.fenced for effect in effects)
    tally.reverts += sum(len(act.reverts) for act in world.acts)
    tally.crashes += world.hub.crashes_between
    tally.repeats += sum(isinstance(i.event, Changed) for i in world.hub.log) - len(world.hub.merged)
    tally.decisions += sum(verdict.rule == "decision" for verdict in verdicts)
    tally.triggers += sum(act.kind == "trigger" for act in world.acts)
    if wrong:
        tally.violations[world.seed] = wrong
