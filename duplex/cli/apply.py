"""`duplex apply` and `duplex uninstall`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.applying import Applied


def apply(
    project: options.Project = options.DEFAULT_PROJECT,
    reset_topic_settings: Annotated[
        bool, typer.Option("--reset-topic-settings", help="Give topics the project's settings where they differ.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Make topics and install capture in every system; may be repeated, and says only what it did."""
    from duplex import applying
    from duplex.cli import project as projects

    loaded = projects.load(project)
    done = output.run(applying.apply(loaded, reset_settings=reset_topic_settings, say=output.say))
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
    lines += [f"{system}: {sentence}" for system, sentences in done.systems.items() for sentence in sentences]
    lines += [f"catalog: recorded the columns of {name}" for name in done.catalog]
    if done.drift and not reset:
        lines.append("kafka: `duplex apply --reset-topic-settings` gives these topics the project's settings")
    return lines or ["nothing to do: everything is as it should be"]


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
