"""`duplex undo`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import options, output
from duplex.cli.replay import progress

if TYPE_CHECKING:
    from duplex.composition import Composition
    from duplex.undoing.selecting import Selection, Undoing
    from duplex.undoing.sending import Answer
    from schemas.project.loading import Loaded


def undo(
    record: Annotated[
        str | None, typer.Argument(metavar="RECORD", help="A record: its last change. An id, a row, or its key.")
    ] = None,
    project: options.Project = options.DEFAULT_PROJECT,
    field: Annotated[list[str] | None, typer.Option(help="The last change of this field; may be repeated.")] = None,
    event: Annotated[
        str | None, typer.Option(metavar="OFFSET[..OFFSET]", help="These events of a partition of the record log.")
    ] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="The partition that --event speaks of.")] = None,
    entity: Annotated[str | None, typer.Option(help="This entity alone.")] = None,
    command: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="What a command carried: RECORD/SYSTEM/NUMBER; repeat it for a batch."),
    ] = None,
    transaction: Annotated[
        str | None, typer.Option(metavar="SYSTEM:NUMBER", help="What one transaction of a system did, everywhere.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --system: everything it did since then, or since 2h ago.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="The system that --since speaks of.")] = None,
    reason: Annotated[str, typer.Option(help="Why: it goes on record.")] = "",
    rate: Annotated[float, typer.Option(min=0.1, help="Amendments sent in a second, at most.")] = 200.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Give fields the values that they had before: through the same merge, and never over a later edit.

    What was changed since is left alone, and put on record as a conflict.
    """
    from duplex.cli import project as projects
    from duplex.undoing import asking, lines

    loaded = projects.load(project)
    asked = asking.Asked(
        record=record,
        fields=tuple(field or ()),
        event=event,
        partition=partition,
        entity=entity,
        commands=tuple(command or ()),
        transaction=transaction,
        since=since,
        system=system,
    )
    asking.check(asked)
    composed, undoings = output.run(_selected(loaded, asked))
    if not as_json or not (dry_run or yes):
        for line in lines.planned(undoings):
            (output.data if dry_run and not as_json else output.say)(line)
    if dry_run:
        return output.document(lines.data(undoings, None)) if as_json else None
    count = sum(len(undoing.steps) for undoing in undoings)
    _confirm(f"Undo this in {count} record{'' if count == 1 else 's'}?", yes)
    answers = output.run(_sent(composed, loaded, undoings, rate, reason))
    return _told(undoings, answers, as_json)


async def _selected(loaded: "Loaded", asked: object) -> "tuple[Composition, list[Undoing]]":
    from duplex import composition
    from duplex.undoing import asking, selecting
    from duplex.undoing.errors import NothingError

    assert isinstance(asked, asking.Asked)
    composed = await composition.composed(loaded)
    found: list[Undoing] = []
    with progress() as advance:

        def folded(entity: str, partition: int, done: int, of: int) -> None:
            advance(f"{entity}/{partition}", done, of)

        wanted: list[tuple[str, Selection]] = await asking.selections(composed, loaded.path, asked)
        for entity, selection in wanted:
            undoing = await selecting.select(composed, entity, selection, folded)
            if undoing.steps:
                found.append(undoing)
    if not found:
        raise NothingError(asking.words(asked), "no such event is in the log, or what it did is undone already")
    return composed, found


async def _sent(
    composed: "Composition", loaded: "Loaded", undoings: "list[Undoing]", rate: float, reason: str
) -> "list[Answer] | None":
    import getpass
    import time

    from duplex.undoing import sending

    answers: list[Answer] = []
    with progress() as advance:

        def counted(count: int, of: int) -> None:
            advance("amendments", count, of)

        for undoing in undoings:
            wanted = sending.amendments(undoing, getpass.getuser(), reason, time.time_ns() // 1000)
            told = await sending.send(composed, loaded.path, undoing, wanted, rate, output.say, counted)
            if told is None:
                return None
            answers += told
    return answers


def _told(undoings: "list[Undoing]", answers: "list[Answer] | None", as_json: bool) -> None:
    from duplex.undoing import lines

    if answers is None:
        output.warning(
            "sent, but the merge has not read it yet: is `duplex run` running? What was sent is in the record log, and "
            "will be carried out when it is."
        )
    if as_json:
        by_step = {(answer.step.record_id, answer.step.field): answer for answer in answers or ()}
        return output.document(lines.data(undoings, by_step if answers is not None else None))
    for line in lines.done(answers or ()):
        output.data(line)
    return None


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        output.error("there is no terminal to ask on; --yes says that you mean it, --dry-run shows what it would be.")
        output.leave(output.Exit.USAGE)
    typer.confirm(question, abort=True, err=True)
