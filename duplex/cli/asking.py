"""Questions before something is done, and progress while it is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from duplex.cli import output


def confirm(question: str, yes: bool) -> None:
    """Go on if the user agrees, on the terminal or by --yes; else the command ends here."""
    if yes:
        return
    if not sys.stdin.isatty():
        output.error("there is no terminal to ask on; --yes says that you mean it.")
        output.leave(output.Exit.USAGE)
    typer.confirm(question, abort=True, err=True)


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that grows by what it is told, on a terminal's standard error; elsewhere nothing is shown."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.update(task, advance=count)
