"""`duplex brake`: deletes that are held because too many came at once."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import asking, conflicts, options, output

if TYPE_CHECKING:
    from duplex.conflicts.braking import Held
    from duplex.conflicts.deciding import Signed
    from schemas.project.loading import Loaded

app = typer.Typer(help="Let held deletes through, or turn them down.", no_args_is_help=True)

System = Annotated[str, typer.Argument(metavar="SYSTEM", help="The system whose deletes are meant.")]
Entity = Annotated[str | None, typer.Option(help="Of this entity only.")]


@app.command("list")
def list_held(
    project: options.Project = options.DEFAULT_PROJECT, entity: Entity = None, as_json: options.Json = False
) -> None:
    """Say how many deletes are held, of which system and entity, and since when."""
    from duplex.cli import project as projects
    from duplex.conflicts import braking

    found = braking.held(output.run(braking.holding(projects.load(project).project, entity)))
    if as_json:
        return output.document(found)
    for held in found:
        output.data(_line(held, time.time()))
    if not found:
        output.data("no deletes are held")
    return None


def _line(held: "Held", now_s: float) -> str:
    from duplex.status.sentences import ago, entries, stamp

    much = entries(held.count, "delete is", "deletes are")
    return (
        f"{held.entity}: {much} held that {held.system} made from {stamp(held.first_us)} "
        f"({ago(now_s - held.first_us / 1e6)} ago) to {stamp(held.last_us)}"
    )


@app.command()
def approve(
    system: System,
    up_to: Annotated[int, typer.Option("--up-to", min=1, metavar="N", help="At most so many, held and to come.")],
    project: options.Project = options.DEFAULT_PROJECT,
    valid: Annotated[str, typer.Option("--for", metavar="LENGTH", help="How long what is left holds.")] = "1h",
    entity: Entity = None,
    reason: conflicts.Reason = "",
    by: conflicts.By = None,
    wait: conflicts.Wait = 30.0,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Carry out held deletes, the oldest first, up to a number; what is left of it holds for deletes to come."""
    from duplex.cli import project as projects
    from duplex.conflicts.durations import length_us

    loaded, signed = projects.load(project), _signed(by, reason)
    until_us = signed.at_us + length_us(valid, "--for")
    output.leave(_approve(loaded, system, entity, up_to, until_us, signed, wait, yes, as_json))


def _approve(
    loaded: "Loaded", system: str, entity: str | None, up_to: int, until_us: int, signed: "Signed", wait: float,
    yes: bool, as_json: bool,
) -> output.Exit:  # fmt: skip
    from duplex.conflicts import braking
    from duplex.conflicts.braking import Ceiling

    name = _only(braking.entities_of(loaded.project, system, entity), system)
    held = output.run(braking.holding(loaded.project, name, system))[:up_to]
    bulk = output.run(braking.prepare(loaded, held, True, signed))
    asking.confirm(f"Delete {len(bulk.made):,} held {name} of {system}, and let up to {up_to:,} pass in all?", yes)
    with asking.counting("deleting", len(bulk.made)) as progress:
        done = output.run(braking.send(loaded, bulk, wait, progress))
    left = max(0, up_to - done.decided)
    if left:
        output.run(braking.allow(loaded, name, system, Ceiling(left, until_us), signed))
    if as_json:
        output.document({"done": done, "allowed": left, "until_us": until_us})
    else:
        conflicts.tell(done, as_json)
        output.data(f"{left:,} more may pass until {_stamp(until_us)}")
    return output.Exit.FAILURE if done.refused or done.left else output.Exit.OK


def _only(entities: list[str], system: str) -> str:
    if len(entities) > 1:
        output.error(f"{system} holds {', '.join(entities)}; --entity says which one the number is for.")
        output.leave(output.Exit.USAGE)
    return entities[0]


@app.command()
def reject(
    system: System,
    project: options.Project = options.DEFAULT_PROJECT,
    entity: Entity = None,
    reason: conflicts.Reason = "",
    by: conflicts.By = None,
    wait: conflicts.Wait = 30.0,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Turn held deletes down: the records live on, and their rows come back to the system that deleted them."""
    from duplex.cli import project as projects
    from duplex.conflicts import braking

    loaded = projects.load(project)
    names = braking.entities_of(loaded.project, system, entity)
    held = [entry for name in names for entry in output.run(braking.holding(loaded.project, name, system))]
    bulk = output.run(braking.prepare(loaded, held, False, _signed(by, reason)))
    if not held:
        output.say(f"no deletes of {system} are held")
    else:
        asking.confirm(f"Bring back {len(bulk.made):,} rows that {system} deleted?", yes)
    conflicts.finish(loaded, bulk, wait, as_json)


def _signed(by: str | None, reason: str) -> "Signed":
    return conflicts.sign(by, reason, time.time_ns() // 1000)


def _stamp(ts_us: int) -> str:
    from duplex.status.sentences import stamp

    return stamp(ts_us)
