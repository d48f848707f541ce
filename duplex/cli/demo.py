"""`duplex demo`."""

from typing import Annotated

import typer

from duplex.cli import output


def demo(
    once: Annotated[bool, typer.Option("--once", help="Play it once, judge it, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Two databases kept in step before your eyes, on a Kafka and two Postgres servers started for it."""
    from duplex.demo import app

    if not output.debugging():
        from duplex import logs

        logs.quiet()
    raise typer.Exit(app.run(once=once, json=as_json) or 0)
