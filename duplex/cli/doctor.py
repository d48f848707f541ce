"""`duplex doctor`."""

from typing import TYPE_CHECKING

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from duplex.doctor import Finding

COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "error": typer.colors.RED}


def doctor(project: options.Project = options.DEFAULT_PROJECT, as_json: options.Json = False) -> None:
    """Look at everything the pipeline stands on; each finding comes with what mends it."""
    findings = output.run(_findings(project, as_json))
    wrong = any(finding.level == "error" for finding in findings)
    if as_json:
        output.document({"ok": not wrong, "findings": findings})
    elif not wrong:
        output.data("nothing wrong found")
    if wrong:
        output.leave(output.Exit.FAILURE)


async def _findings(project: "Path", quietly: bool) -> "list[Finding]":
    from duplex import doctor as examination
    from duplex.cli import project as projects
    from duplex.errors import DuplexError
    from schemas.errors import SchemasError

    found: list[Finding] = []

    def take(finding: "Finding") -> None:
        found.append(finding)
        if not quietly:
            _print(finding)

    try:
        loaded = projects.load(project)
    except (DuplexError, SchemasError) as error:
        for each in examination.environment():
            take(each)
        take(examination.Finding("error", "project file", str(error), "duplex check, or duplex init for a new one"))
        return found
    async for each in examination.examine(loaded):
        take(each)
    return found


def _print(finding: "Finding") -> None:
    typer.secho(f"{finding.level:<8}", fg=COLOURS[finding.level], nl=False)
    typer.echo(f"{finding.subject}: {finding.text}")
    if finding.remedy:
        typer.echo(f"{'':<8}  mend it: {finding.remedy}")
