"""The options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[
    Path,
    typer.Option("--project", "-p", envvar="DUPLEX_PROJECT", metavar="FILE", help="The project file.", dir_okay=False),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
DEFAULT_PROJECT = Path("duplex.yaml")
