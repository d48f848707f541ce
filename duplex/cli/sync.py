"""`duplex sync`: systems without a log are read when somebody says so."""

from typing import Annotated

import typer

from duplex.cli import options, output

app = typer.Typer(help="Read applications anew, beside their schedules.", no_args_is_help=True)


@app.command()
def now(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="The system that is to be read.")],
    project: options.Project = options.DEFAULT_PROJECT,
    entity: Annotated[str | None, typer.Option(help="Of this entity only.")] = None,
    as_json: options.Json = False,
) -> None:
    """Let the running pipeline read every row of a system without a log, and compare; returns at once."""
    from duplex import asking_to_sync
    from duplex.cli import project as projects

    asked = output.run(asking_to_sync.ask(projects.load(project).project, system, entity))
    if as_json:
        return output.document({"system": system, "entities": asked})
    output.data(f"{system} will be read anew: {', '.join(asked)}. `duplex status` shows what comes of it.")
    return None
