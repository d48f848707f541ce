"""How commands speak: data on standard output, everything else on standard error."""

import enum
import os
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer

T = TypeVar("T")


class Exit(enum.IntEnum):
    """What the exit code of every command means."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CHANGES = 3
    INTERRUPTED = 130


def data(text: str) -> None:
    """A line of the answer."""
    typer.echo(text)


def document(value: Any) -> None:
    """The answer as one JSON document: indented for a person's terminal, one line for a program."""
    import msgspec

    encoded = msgspec.json.encode(value)
    if sys.stdout.isatty():
        encoded = msgspec.json.format(encoded, indent=2)
    typer.echo(encoded)


def say(text: str) -> None:
    """Progress, or a remark: not part of the answer."""
    typer.echo(text, err=True)


def error(text: str) -> None:
    """What went wrong, where, why, and what mends it."""
    typer.secho("error: ", err=True, nl=False, fg=typer.colors.RED, bold=True)
    typer.echo(text, err=True)


def warning(text: str) -> None:
    """Something to look at that did not stop the command."""
    typer.secho("warning: ", err=True, nl=False, fg=typer.colors.YELLOW, bold=True)
    typer.echo(text, err=True)


def leave(code: Exit) -> NoReturn:
    """End the command with this exit code."""
    raise typer.Exit(int(code))


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return os.environ.get("DUPLEX_DEBUG", "") not in ("", "0", "false")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work to its end, in the one event loop of the command."""
    import asyncio

    from duplex import logs

    if not debugging():
        logs.quiet()
    return asyncio.run(work)
