"""`duplex check`."""

from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.checking import Checked
    from schemas.project.findings import Finding
    from schemas.project.loading import Loaded


def check(
    project: options.Project = options.DEFAULT_PROJECT,
    offline: Annotated[bool, typer.Option("--offline", help="The file alone; connect to nothing.")] = False,
    as_json: options.Json = False,
) -> None:
    """Check the project file, its tables and its mappings; say all that is wrong, with line and column."""
    from duplex.checking import Checked
    from duplex.cli import project as projects
    from schemas.project.findings import ProjectFileError

    try:
        loaded = projects.load(project)
    except ProjectFileError as error:
        return _answer(Checked(error.findings, {}, {}), as_json)
    return _answer(output.run(_checked(loaded, offline)), as_json)


async def _checked(loaded: "Loaded", offline: bool) -> "Checked":
    from duplex import checking

    return await (checking.check_file(loaded) if offline else checking.check_all(loaded))


def _answer(checked: "Checked", as_json: bool) -> None:
    silent = {system: str(error) for system, error in checked.silent.items()}
    if as_json:
        findings = [_as_data(finding) for finding in checked.findings]
        ok = not checked.errors and not silent
        output.document({"ok": ok, "findings": findings, "unreachable": silent, "facts": checked.facts})
    else:
        for finding in checked.findings:
            output.data(str(finding))
        for fact in checked.facts:
            output.data(f"note: {fact}")
        for text in silent.values():
            output.error(text)
        if not checked.findings and not silent:
            output.data("ok: nothing wrong found")
    if checked.errors:
        output.leave(output.Exit.USAGE)
    if silent:
        output.leave(output.Exit.FAILURE)


def _as_data(finding: "Finding") -> dict[str, object]:
    names = ("file", "line", "column", "path", "message", "suggestion", "severity")
    return {name: getattr(finding, name) for name in names}
