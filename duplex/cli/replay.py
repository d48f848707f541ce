"""`duplex replay`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.replaying.amending import Sent
    from duplex.replaying.replay import Replay, Wanted
    from duplex.replaying.reports import Report
    from schemas.project.loading import Loaded


def replay(
    project: options.Project = options.DEFAULT_PROJECT,
    entity: Annotated[str | None, typer.Option(help="This entity alone.")] = None,
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other rules: a project file. Without it, the same ones.")
    ] = None,
    since: Annotated[
        str, typer.Option("--from", metavar="PLACE", help="Where other rules begin: start, an offset, a time, or 2h.")
    ] = "start",
    until: Annotated[
        str | None, typer.Option("--to", metavar="PLACE", help="Where the fold ends. [where the processors are]")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="ID", help="One record: its id, a row of it, or its key.")] = None,
    where: Annotated[
        str | None, typer.Option(metavar="CEL", help='Records that match: record.email.endsWith("@example.org").')
    ] = None,
    carry_out: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Send the difference as amendments, or only show it.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="Amendments sent in a second, at most.")] = 200.0,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write the merge's state anew from the log; `duplex run` must be stopped.")
    ] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Do not go on where an earlier fold stopped.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many records are listed; all are counted.")] = 20,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Fold the record log again, by the same rules or others, and show the exact difference from what is.

    Nothing is written unless --apply (or --rebuild) says so. Ctrl-C is safe: the same command goes on where it stopped.
    """
    from duplex.cli import project as projects

    loaded = projects.load(project)
    if rebuild:
        return _rebuild(loaded, entity, yes, as_json)
    wanted = output.run(_wanted(loaded, entity, rules, since, until, key, where, restart, carry_out))
    done, report = output.run(_replayed(loaded, wanted))
    sent = _apply(done, report, rate, yes) if carry_out else None
    _print(report, sent, limit, as_json)
    if report.spoilt:
        output.leave(output.Exit.FAILURE)
    return None


def _print(report: "Report", sent: "list[Sent] | None", limit: int, as_json: bool) -> None:
    from duplex.replaying import lines

    if as_json:
        found = lines.limited(report, None)
        return output.document(found if sent is None else {**found, "sent": len(sent)})
    for line in lines.lines(report, limit):
        output.data(line)
    if sent is not None:
        output.data(f"{len(sent):,} amendments sent; what has moved on since is left alone, and put on record")
    return None


async def _wanted(
    loaded: "Loaded",
    entity: str | None,
    rules: Path | None,
    since: str,
    until: str | None,
    key: str | None,
    where: str | None,
    restart: bool,
    carry_out: bool,
) -> "Wanted":
    import time

    from duplex.replaying import places
    from duplex.replaying.errors import CombinationError
    from duplex.replaying.filters import Condition
    from duplex.replaying.replay import Wanted

    if carry_out and until is not None:
        raise CombinationError(
            "--apply with --to", "an earlier place says nothing of what must change now", "Leave --to away."
        )
    now_us = time.time_ns() // 1000
    if key is not None:
        entity, key = await _record(loaded, key, entity)
    return Wanted(
        entity=entity,
        rules=rules,
        since=places.parse("--from", since, now_us),
        until=None if until is None else places.parse("--to", until, now_us),
        key=key,
        condition=None if where is None else Condition(where),
        restart=restart,
    )


async def _record(loaded: "Loaded", name: str, entity: str | None) -> tuple[str, str]:
    from duplex import composition
    from duplex.explaining.finding import find

    composed = await composition.composed(loaded)
    found = await find(composed, loaded.path, name, entity)
    return found[0].entity, found[0].record_id


async def _replayed(loaded: "Loaded", wanted: "Wanted") -> "tuple[Replay, Report]":
    from duplex.replaying.replay import Replay

    with progress() as advance:

        def folded(entity: str, partition: int, done: int, of: int) -> None:
            advance(f"{entity}/{partition}", done, of)

        work = Replay(loaded, wanted, output.say, folded)
        return work, await work.run()


def _apply(done: "Replay", report: "Report", rate: float, yes: bool) -> "list[Sent]":
    import getpass
    import time

    from duplex.replaying import amending

    reason = f"replay by {report.rules}" if report.rules else "replay by the same rules"
    wanted = list(amending.amendments(report.records, getpass.getuser(), reason, time.time_ns() // 1000))
    if not wanted:
        return []
    _confirm(f"Amend {len(wanted)} records, and so the rows of all their systems?", yes)

    async def send() -> "list[Sent]":
        with progress() as advance:

            def counted(count: int, of: int) -> None:
                advance("amendments", count, of)

            return await amending.send(done.composed, wanted, rate, output.say, counted)

    return output.run(send())


def _rebuild(loaded: "Loaded", entity: str | None, yes: bool, as_json: bool) -> None:
    from duplex import composition
    from duplex.replaying import rebuilding
    from duplex.replaying.errors import EntityMissingError

    _confirm(f"Write the merge's state of {entity or 'every entity'} anew from the record log?", yes)

    async def work() -> list[Any]:
        composed = await composition.composed(loaded)
        if entity is not None and entity not in composed.rules:
            raise EntityMissingError(entity, tuple(composed.rules))
        done: list[Any] = []
        with progress() as advance:

            def folded(name: str, partition: int, count: int, of: int) -> None:
                advance(f"{name}/{partition}", count, of)

            for name in [entity] if entity else list(composed.rules):
                done += await rebuilding.rebuild(composed, name, folded)
        return done

    rebuilt = output.run(work())
    if as_json:
        return output.document(rebuilt)
    for one in rebuilt:
        output.data(f"{one.entity}/{one.partition}: {one.states:,} records, up to offset {one.position}")
    output.say("ready: `duplex run` goes on from there.")
    return None


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        output.error("there is no terminal to ask on; --yes says that you mean it.")
        output.leave(output.Exit.USAGE)
    typer.confirm(question, abort=True, err=True)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal's standard error; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def advance(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=of)
            bars.update(tasks[name], completed=done, total=of)

        yield advance
