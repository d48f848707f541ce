"""`duplex apply` and `duplex uninstall`."""

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.applying import Applied
    from duplex.epochs import Begun


def apply(
    project: options.Project = options.DEFAULT_PROJECT,
    reset_topic_settings: Annotated[
        bool, typer.Option("--reset-topic-settings", help="Give topics the project's settings where they differ.")
    ] = False,
    resolve: Annotated[
        bool, typer.Option(help="Decide open conflicts by new rules that no longer leave them to a person.")
    ] = True,
    as_json: options.Json = False,
) -> None:
    """Make topics, begin new rules and install capture in every system; may be repeated, and says only what it did."""
    from duplex import applying
    from duplex.cli import project as projects

    loaded = projects.load(project)
    work = applying.apply(
        loaded, reset_settings=reset_topic_settings, say=output.say, applied_by=_user(), resolve=resolve
    )
    done = output.run(work)
    for warning in done.warnings:
        output.warning(warning)
    if as_json:
        return output.document(done)
    for line in _lines(done, reset_topic_settings):
        output.data(line)
    output.say("ready: `duplex run` starts the pipeline.")
    return None


def _lines(done: "Applied", reset: bool) -> list[str]:
    lines = [f"kafka: created topic {name}" for name in done.topics]
    lines += [f"kafka: {sentence}" + ("; set back" if reset else "") for sentence in done.drift]
    lines += [_epoch(begun) for begun in done.epochs]
    lines += [f"{system}: {sentence}" for system, sentences in done.systems.items() for sentence in sentences]
    lines += [f"catalog: recorded the columns of {name}" for name in done.catalog]
    if done.drift and not reset:
        lines.append("kafka: `duplex apply --reset-topic-settings` gives these topics the project's settings")
    return lines or ["nothing to do: everything is as it should be"]


def _epoch(begun: "Begun") -> str:
    what = ", ".join(begun.changes) or "written to its new log"
    return f"rules: epoch {begun.number} of {begun.entity}: {what}"


def _user() -> str:
    """Who applies, as far as the machine knows: a process in a container may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def uninstall(
    project: options.Project = options.DEFAULT_PROJECT,
    yes: options.Yes = False,
    topics: Annotated[
        bool, typer.Option("--topics", help="Delete the pipeline's topics too, and all they hold.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Take capture out of every system: triggers, log, rights that `apply` gave, and nothing else."""
    from duplex import applying
    from duplex.cli import project as projects

    loaded = projects.load(project)
    names = ", ".join(loaded.project.systems)
    what = f"capture in {names}" + (f" and all topics of {loaded.project.pipeline}" if topics else "")
    _confirm(f"Remove {what}, with every change that was not published yet?", yes)
    done = output.run(applying.uninstall(loaded, with_topics=topics))
    if as_json:
        return output.document(done)
    for system, sentences in done.items():
        for sentence in sentences or ["nothing to do"]:
            output.data(f"{system}: {sentence}")
    return None


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        output.error("there is no terminal to ask on; --yes says that you mean it.")
        output.leave(output.Exit.USAGE)
    typer.confirm(question, abort=True, err=True)
