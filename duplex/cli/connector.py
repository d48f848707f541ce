"""`duplex connector`: which kinds of systems there are, one of one's own, and whether it is as it should be."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duplex.cli import asking, options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duplex.kit.trials import Trial, Verdict
    from schemas.project.model import Project

app = typer.Typer(help="Kinds of systems: list them, write one, try one.", no_args_is_help=True)

Pairs = Annotated[list[str], typer.Option(metavar="COLUMN=VALUE", help="`{n}` is a number that differs by row.")]


@app.command("list")
def list_kinds(as_json: options.Json = False) -> None:
    """Name every kind of system that is installed, and say what it can do."""
    from connectors import registry
    from connectors.errors import RefusedError

    rows: list[dict[str, Any]] = []
    for name in registry.kinds():
        try:
            kind = registry.kind_of(name, name)
            rows.append({"connector": name, "log": kind.log, "writes": kind.writes})
        except RefusedError as error:
            rows.append({"connector": name, "error": str(error)})
    if as_json:
        return output.document(rows)
    for row in rows:
        output.data(f"{row['connector']:<12} {_described(row)}")
    return None


def _described(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"cannot be used: {row['error']}"
    reading = "its own log is read" if row["log"] else "no log: read by webhook, poll and sweep"
    return f"{reading}; {'written to' if row['writes'] else 'never written to'}"


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What `connector:` will say.")],
    folder: Annotated[Path | None, typer.Option(help="Where to write the package. [duplex-NAME]")] = None,
) -> None:
    """Write a package with a connector that works as it is, for you to fill."""
    from duplex.kit import scaffolds

    target = folder or Path(f"duplex-{name}")
    for path in scaffolds.written(name, target):
        output.data(str(path))
    output.say(f"Next: `cd {target}`, `pip install -e '.[test]'`, `pytest`; then read README.md there.")


@app.command()
def check(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="A system of the project file, best a test account.")],
    sample: Pairs,
    edit: Pairs,
    project: options.Project = options.DEFAULT_PROJECT,
    resource: Annotated[str | None, typer.Option(help="Which of its resources. [the only one]")] = None,
    match: Annotated[str, typer.Option(metavar="COLUMNS", help="The natural key, with commas.")] = "",
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Try a live application against the cases of the kit: rows are made in it, edited and removed again."""
    from duplex.cli import project as projects
    from duplex.kit.trials import Trial

    columns = tuple(word.strip() for word in match.split(",") if word.strip())
    trial = Trial(system, resource, _pairs(sample), _pairs(edit), columns)
    loaded = projects.load(project).project
    asking.confirm(f"Make, edit and remove rows in {system}?", yes)
    verdicts = output.run(_tried(loaded, trial, as_json))
    failed = [verdict for verdict in verdicts if verdict.outcome == "failed"]
    if as_json:
        output.document({"ok": not failed, "cases": verdicts})
    else:
        passed = sum(verdict.outcome == "passed" for verdict in verdicts)
        output.data(f"{passed} of {len(verdicts)} cases passed, {len(failed)} failed")
    if failed:
        output.leave(output.Exit.FAILURE)


async def _tried(project: "Project", trial: "Trial", quiet: bool) -> "Sequence[Verdict]":
    from duplex import systems
    from duplex.kit import trials
    from duplex.usage import UsageError

    if trial.system not in project.systems:
        known = f"The project has {', '.join(project.systems)}."
        raise UsageError("no such system", trial.system, "the project file does not name it", known)
    connector = systems.made(project, trial.system)
    try:
        return await trials.run(trials.bench(trial, connector), _silent if quiet else _said)
    finally:
        await connector.close()


def _said(verdict: "Verdict") -> None:
    output.data(f"{verdict.outcome:<12} {verdict.title}{verdict.why and ': ' + verdict.why}")


def _silent(verdict: "Verdict") -> None:
    """All is said at the end."""


def _pairs(given: list[str]) -> dict[str, str]:
    from duplex.usage import UsageError

    pairs = [pair.partition("=") for pair in given]
    wrong = next((name for name, separator, _ in pairs if not separator), None)
    if wrong is not None:
        raise UsageError(
            "no value", wrong, "--sample and --edit take COLUMN=VALUE", "Write `--sample name='Case {n}'`."
        )
    return {name: value for name, _, value in pairs}
