"""`duplex run`: the supervisor and its children."""

from typing import Annotated, Literal

import typer

from duplex.cli import options

DEFAULT_PORT = 8472


def run(
    project: options.Project = options.DEFAULT_PROJECT,
    only: Annotated[
        str,
        typer.Option(
            metavar="PARTS",
            help="Only these, with commas: sources, processors, sinks, systems, bridges, source:NAME, system:NAME …",
        ),
    ] = "",
    http_host: Annotated[str, typer.Option(help="Address of /metrics and /health.")] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(help="Port of /metrics and /health; 0: any free one.")] = DEFAULT_PORT,
    log_format: Annotated[
        Literal["console", "json"], typer.Option(help="Log lines for people or machines.")
    ] = "console",
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="The least level that is logged.")
    ] = "info",
) -> None:
    """Run the pipeline: a process for each source and sink, for the processors, for webhooks; Ctrl-C stops it."""
    import asyncio

    from duplex import logs, running
    from duplex.cli import project as projects

    loaded = projects.load(project)
    logs.configure(log_format, log_level, process="supervisor")
    settings = running.Settings(project, http_host, http_port, log_format, log_level)
    parts = running.chosen(loaded.project, only)
    asyncio.run(running.serve(loaded, settings, parts))
