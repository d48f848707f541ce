"""`duplex demo`."""

from typing import Annotated

import typer

from duplex.cli import output


def demo(
    example: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Play an example instead: two-databases, crm-marketing (Ghost), crm-erp (Tryton)."
        ),
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Play it once, judge it, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Two systems kept in step before your eyes, on a Kafka and Postgres servers started for it.

    An example's application is installed when it is first played, outside the tree, from the package registries; how
    much that is, is said before.
    """
    if not output.debugging():
        from duplex import logs

        logs.quiet()
    raise typer.Exit(_played(example, once=once, as_json=as_json))


def _played(example: str, *, once: bool, as_json: bool) -> int:
    if example:
        from duplex.examples import playing

        return playing.run(example, once=once, json=as_json)
    from duplex.demo import app

    return app.run(once=once, json=as_json) or 0
