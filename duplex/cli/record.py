"""`duplex record`: one record, as every system and the merge hold it."""

from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.records import Shown

app = typer.Typer(help="Look at single records.", no_args_is_help=True)


@app.callback()
def record() -> None:
    """Look at single records."""


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A record id, a row as `system:[7]`, `[7]`, or a natural key's value.")
    ],
    project: options.Project = options.DEFAULT_PROJECT,
    entity: Annotated[str | None, typer.Option(help="Look in this entity only.")] = None,
    as_json: options.Json = False,
) -> None:
    """Show each system's row, the merged record with versions and provenance, and what is under way."""
    from duplex import records
    from duplex.cli import project as projects

    loaded = projects.load(project)
    shown = output.run(records.find(loaded, name, entity))
    if as_json:
        return output.document(shown)
    for number, one in enumerate(shown):
        if number:
            output.data("")
        _print(one)
    return None


def _print(one: "Shown") -> None:
    from duplex.records import lines

    for line in lines(one):
        output.data(line)
