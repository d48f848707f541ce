"""One history from one seed: run, drain, judge, decide what is left, judge again, and repeat everything."""

from tests.simulation.oracle import judge
from tests.simulation.tables import Mistakes
from tests.simulation.tallies import Tally
from tests.simulation.themes import Theme
from tests.simulation.worlds import World


def run(
    seed: int, mistakes: Mistakes | None = None, tally: Tally | None = None, theme: Theme | None = None
) -> list[str]:
    """The violations of one history; an exception of the merge is one too."""
    world = World(seed, mistakes or Mistakes(), theme)
    try:
        wrong = _run(world)
    except Exception as error:  # noqa: BLE001 a crash of the merge is a finding, with its seed
        wrong = [f"exception: {error!r}"]
    if tally is not None:
        tally.count(world, wrong)
    world.end()
    return wrong


def _run(world: World) -> list[str]:
    world.run()
    if not world.drain():
        return ["P6: the world does not come to rest"]
    if world.profile.theme == "deadlines":
        world.let_deadlines_pass()
        world.drain()
    wrong = judge(world)
    world.users.automations = []
    world.operator.decide_everything()
    if not world.drain():
        return [*wrong, "P6: the world does not come to rest after the last decisions"]
    world.hub.complaints.clear()
    wrong += judge(world)
    return list(dict.fromkeys(wrong + _repeat(world)))


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
