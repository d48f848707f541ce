"""The command `duplex`.

Exit codes: 0 done, 1 failure, 2 usage or bad input, 3 `plan` found changes. Modules that do a command's work are
imported by the command itself, so that `duplex version` does not pay for Kafka's client.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from duplex.cli import (
    apply,
    brake,
    check,
    conflicts,
    connector,
    deadletters,
    demo,
    dev,
    doctor,
    init,
    output,
    plan,
    record,
    replay,
    run,
    status,
    sync,
    topic,
    undo,
)

app = typer.Typer(
    name="duplex",
    help="Keep records in step between systems that all accept edits: field-level merge over Kafka.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def duplex(
    project: Annotated[
        Path | None,
        typer.Option("--project", "-p", metavar="FILE", help="The project file; also DUPLEX_PROJECT. [duplex.yaml]"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; also DUPLEX_DEBUG=1.")] = False,
) -> None:
    """Keep records in step between systems that all accept edits: field-level merge over Kafka."""
    # Every command reads the same variables, so that an option may stand before the command or behind it.
    if project is not None:
        os.environ["DUPLEX_PROJECT"] = str(project)
    if debug:
        os.environ["DUPLEX_DEBUG"] = "1"


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Say which version this is."""
    from importlib.metadata import version as installed

    number = installed("duplex-sync")
    python = sys.version.split()[0]
    if as_json:
        output.document({"duplex": number, "python": python})
    else:
        output.data(f"duplex {number} (Python {python})")


app.command("init")(init.init)
app.command("check")(check.check)
app.command("plan")(plan.plan)
app.command("apply")(apply.apply)
app.command("uninstall")(apply.uninstall)
app.command("run")(run.run)
app.command("replay")(replay.replay)
app.command("undo")(undo.undo)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.add_typer(conflicts.app, name="conflicts")
app.add_typer(brake.app, name="brake")
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(record.app, name="record")
app.add_typer(connector.app, name="connector")
app.add_typer(sync.app, name="sync")
app.add_typer(topic.app, name="topic")
app.add_typer(dev.app, name="dev")


def main() -> None:
    """Run the command line; errors become sentences and exit codes here and nowhere else."""
    try:
        app()
    except Exception as error:
        if output.debugging():
            raise
        sys.exit(_said(error))


def _said(error: Exception) -> int:
    from duplex.cli import failures

    text, code = failures.described(error)
    output.error(text)
    return int(code)


if __name__ == "__main__":
    main()
