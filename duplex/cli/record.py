"""`duplex record`: one record, as every system and the merge hold it, and why its values are what they are."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import conflicts, options, output

if TYPE_CHECKING:
    from duplex.explaining.facts import Explanation
    from duplex.explaining.showing import Shown
    from schemas.project.loading import Loaded

app = typer.Typer(help="Look at single records.", no_args_is_help=True)
Name = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A record id, a row as `system:7`, `system:[7]` or `[7]`, or a natural key's value."
    ),
]
Entity = Annotated[str | None, typer.Option(help="Look in this entity only.")]


@app.callback()
def record() -> None:
    """Look at single records."""


@app.command()
def show(
    name: Name,
    project: options.Project = options.DEFAULT_PROJECT,
    entity: Entity = None,
    as_json: options.Json = False,
) -> None:
    """Show each system's row, the merged record with versions and provenance, and what is under way."""
    from duplex.cli import project as projects
    from duplex.explaining.showing import lines

    shown = output.run(_shown(projects.load(project), name, entity))
    if as_json:
        return output.document(shown)
    return output.data("\n\n".join("\n".join(lines(one)) for one in shown))


async def _shown(loaded: "Loaded", name: str, entity: str | None) -> "list[Shown]":
    from duplex import composition
    from duplex.explaining import finding, showing

    composed = await composition.composed(loaded)
    return [await showing.show(composed, one) for one in await finding.find(composed, loaded.path, name, entity)]


@app.command()
def explain(
    name: Name,
    field: Annotated[str | None, typer.Argument(metavar="[FIELD]", help="Explain this field only.")] = None,
    project: options.Project = options.DEFAULT_PROJECT,
    entity: Entity = None,
    history: Annotated[bool, typer.Option("--history", help="Every value that each field ever had.")] = False,
    as_json: options.Json = False,
) -> None:
    """Say why every value is what it is: its event, its rule, what it beat, its commands and their echoes."""
    every = "all" if history else None
    if _asked(project, as_json, name=name, entity=entity, field=field, history=every):
        return None
    from duplex.cli import project as projects
    from duplex.explaining.sentences import page

    found = output.run(_explained(projects.load(project), name, field, entity, history))
    if as_json:
        return output.document(found)
    return output.data(page(found))


async def _explained(
    loaded: "Loaded", name: str, field: str | None, entity: str | None, history: bool
) -> "list[Explanation]":
    from duplex import composition
    from duplex.explaining import answering, finding, retelling

    composed = await composition.composed(loaded)
    found = await finding.find(composed, loaded.path, name, entity, retelling.beside)
    return [await answering.explained(composed, one, field, history) for one in found]


app.command()(conflicts.retry)


def _asked(project: Path, as_json: bool, **values: str | None) -> bool:
    """Let the running pipeline answer, which saves most of what this command would have to import; False: none does."""
    from duplex.explaining import asking

    body = asking.explanation(project, form="json" if as_json else "text", **values)
    if body is None:
        return False
    if as_json and sys.stdout.isatty():
        import msgspec

        body = msgspec.json.format(body, indent=2)
    output.data(body.decode())
    return True
