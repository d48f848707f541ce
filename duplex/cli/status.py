"""`duplex status`."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.status.facts import Status

EVERY_S = 2.0


def status(
    project: options.Project = options.DEFAULT_PROJECT,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until Ctrl-C.")] = False,
    as_json: options.Json = False,
) -> None:
    """Say how the pipeline is: is it running, what lags, what failed, and what to do. Exit code 1: not well."""
    from duplex.cli import project as projects
    from duplex.status import gathering

    loaded = projects.load(project)
    while True:
        found = output.run(gathering.gather(loaded))
        _show(found, as_json, again=watch)
        if not watch:
            break
        time.sleep(EVERY_S)
    if not found.ok:
        output.leave(output.Exit.FAILURE)


def _show(found: "Status", as_json: bool, again: bool) -> None:
    from duplex.status.sentences import sentences

    if as_json:
        return output.document(found)
    if again:
        typer.echo("\033[2J\033[H", nl=False)
    for line in sentences(found, time.time()):
        output.data(line)
    return None
