"""`duplex deadletters`: messages that could not be processed, and what to do with them."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duplex.cli import asking, options, output

if TYPE_CHECKING:
    from duplex.deadletters.book import Book, Entry
    from duplex.deadletters.conditions import Wanted
    from duplex.deadletters.retrying import Plan, Signed, Summary
    from duplex.reading import Reader
    from schemas.project.loading import Loaded

app = typer.Typer(help="See and put back what could not be processed.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it: 3:17.")]
Ids = Annotated[str | None, typer.Argument(metavar="[ID]", help="One letter; or --all, with filters.")]
All = Annotated[bool, typer.Option("--all", help="Every open letter that the filters mean.")]
Topic = Annotated[str | None, typer.Option(help="Where the message came from, with or without the pipeline's name.")]
Error = Annotated[str | None, typer.Option(metavar="TEXT", help="A part of the error's class or message.")]
Key = Annotated[str | None, typer.Option(metavar="TEXT", help="The message's key, or the beginning of it.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Set aside since then: 2h, or 2026-05-01T12:00Z.")]
Where = Annotated[str | None, typer.Option(metavar="CEL", help='A condition: component == "merge.contact".')]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who does it. [the user of the operating system]")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why: kept with the letter.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
Filters = tuple[str | None, str | None, str | None, str | None, str | None]


@app.command("list")
def list_letters(
    project: options.Project = options.DEFAULT_PROJECT,
    each: Annotated[bool, typer.Option("--each", help="Single ones, and not their groups.")] = False,
    state: Annotated[str, typer.Option(help="open, retried, dropped, closed, or all.")] = "open",
    topic: Topic = None,
    error: Error = None,
    key: Key = None,
    since: Since = None,
    where: Where = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many lines; all are counted.")] = 50,
    as_json: options.Json = False,
) -> None:
    """List the messages that could not be processed, grouped by the reason."""
    from duplex.deadletters import groups, views

    loaded = _load(project)
    wanted = _wanted(loaded, _state(state), (topic, error, key, since, where))
    book, found = _found(loaded, wanted)
    if book.unreadable:
        output.warning(f"{book.unreadable:,} messages on the topic are no dead letters, and are left out")
    gathered, now_ms = groups.grouped(found), _now_us() // 1000
    shown = [views.shown(entry) for entry in found[-limit:]] if each and limit else []
    if as_json:
        return output.document(
            {"count": len(found), "letters": shown} if each else {"count": len(found), "groups": gathered}
        )
    lines = [views.line(one, now_ms) for one in shown] if each else [views.group_line(one, now_ms) for one in gathered]
    return _tell_lines(lines if each else lines[:limit], len(found) if each else len(gathered))


def _tell_lines(lines: list[str], count: int) -> None:
    for line in lines:
        output.data(line)
    if count > len(lines):
        output.data(f"… and {count - len(lines):,} more (--limit shows more of them)")
    if not count:
        output.data("no dead letters")


@app.command()
def show(name: Id, project: options.Project = options.DEFAULT_PROJECT, as_json: options.Json = False) -> None:
    """Show one letter: where it came from, why it failed, what it says, what happened to it since, and what to do."""
    from duplex.deadletters import obstacles, reading, views

    loaded = _load(project).project

    async def details() -> Any:
        entry, reader = await reading.one(loaded, name), await reading.reader(loaded)
        return views.detail(entry, reader, (await obstacles.found(loaded, [entry])).get(entry.id))

    found = output.run(details())
    if as_json:
        return output.document(found)
    for line in views.page(found):
        output.data(line)
    return None


@app.command()
def retry(
    name: Ids = None,
    project: options.Project = options.DEFAULT_PROJECT,
    all_of_them: All = False,
    topic: Topic = None,
    error: Error = None,
    key: Key = None,
    since: Since = None,
    where: Where = None,
    edit: Annotated[bool, typer.Option("--edit", help="Open the message as JSON in $EDITOR first.")] = False,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=JSON", help="Change the message: after.phone='\"1\"'.")
    ] = None,
    reason: Reason = "",
    by: By = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for what comes of it.")
    ] = 10.0,
    dry_run: DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Send messages again to where they came from: the same bytes, key and headers, in their order."""
    from duplex.deadletters import retrying

    loaded, filters = _load(project), (topic, error, key, since, where)
    _one_or_many(name, all_of_them, any(one is not None for one in filters))
    if (edit or sets) and name is None:
        _refuse("--edit and --set are for one letter: give its ID.")
    book, chosen = _chosen(loaded, name, filters)
    edited = {chosen[0].id: _edited(chosen[0], edit, sets or [])} if edit or sets else {}
    planned = output.run(retrying.plan(loaded.project, chosen, book, edited))
    _say_plan(planned, name)
    if dry_run:
        return _foresee(planned, as_json)
    if planned.sent:
        asking.confirm(f"Send {_count(planned.sent)} again?", yes)
    done = _retry(loaded, planned, _signed(by, reason), wait)
    return _tell(done, as_json)


def _edited(entry: "Entry", edit: bool, sets: list[str]) -> bytes:
    from duplex.deadletters import editing, editors

    draft = editing.Draft(entry.id, entry.last.value)
    text = draft.text
    for assignment in sets:
        text = editing.assigned(text, assignment)
    return editors.edited(text, draft.encoded) if edit else draft.encoded(text)


def _say_plan(planned: "Plan", name: str | None) -> None:
    from duplex.deadletters.errors import NotRetriedError

    if name is not None and planned.held:
        raise NotRetriedError(name, next(iter(planned.held.values())))
    for remark in planned.remarks[:10]:
        output.warning(remark)


def _foresee(planned: "Plan", as_json: bool) -> None:
    from duplex.deadletters import views

    if as_json:
        shown = [views.shown(entry) for entry in planned.sent]
        return output.document({"would_send": len(shown), "letters": shown, "held": planned.held})
    for entry in planned.sent:
        output.data(views.line(views.shown(entry), _now_us() // 1000))
    for letter, why in planned.held.items():
        output.data(f"{letter}  would not be sent: {why}")
    output.data(f"{_count(planned.sent)} would be sent again; nothing was sent")
    return None


def _retry(loaded: "Loaded", planned: "Plan", signed: "Signed", wait: float) -> "Summary":
    from duplex.deadletters import retrying

    if not planned.sent:
        return retrying.summary(planned, [])
    with asking.counting("sending", len(planned.sent)) as progress:
        marks = output.run(retrying.retry(loaded.project, planned, signed, progress))
    return output.run(retrying.settled(loaded.project, planned, marks, signed, wait))


def _tell(done: "Summary", as_json: bool) -> None:
    """The sum, with the first reasons; exit code 1 where a message failed again, or was not sent."""
    if as_json:
        output.document(done)
    else:
        for letter, why in [*done.held.items(), *done.failures.items()][:10]:
            output.say(f"{letter}: {why}")
        output.data(
            f"{done.sent:,} sent again: {done.closed:,} got through, {done.failed:,} failed again, "
            f"{done.waiting:,} not reached yet; {len(done.held):,} not sent"
        )
    if done.failed or done.held:
        output.leave(output.Exit.FAILURE)


@app.command()
def drop(
    name: Ids = None,
    project: options.Project = options.DEFAULT_PROJECT,
    all_of_them: All = False,
    topic: Topic = None,
    error: Error = None,
    key: Key = None,
    since: Since = None,
    where: Where = None,
    reason: Reason = "",
    by: By = None,
    dry_run: DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Put letters away: they count as done. They stay on the topic, and `retry ID` takes one back."""
    from duplex.deadletters import retrying
    from duplex.deadletters.errors import NotDroppedError

    loaded, filters = _load(project), (topic, error, key, since, where)
    _one_or_many(name, all_of_them, any(one is not None for one in filters))
    _, chosen = _chosen(loaded, name, filters)
    if name is not None and chosen[0].state != "open":
        raise NotDroppedError(name, f"it is {chosen[0].state}")
    if chosen and not dry_run:
        asking.confirm(f"Drop {_count(chosen)}?", yes)
        output.run(retrying.drop(loaded.project, chosen, _signed(by, reason)))
    if as_json:
        return output.document({"would_drop" if dry_run else "dropped": len(chosen), "ids": [one.id for one in chosen]})
    return output.data(f"{_count(chosen)} {'would be dropped; nothing was done' if dry_run else 'dropped'}")


def _one_or_many(name: str | None, all_of_them: bool, filtered: bool) -> None:
    if name is None and not all_of_them:
        _refuse("name a letter, or say --all, with filters, for many of them.")
    if name is not None and (all_of_them or filtered):
        _refuse("an ID and --all or filters exclude each other.")


def _refuse(text: str) -> None:
    output.error(text)
    output.leave(output.Exit.USAGE)


def _chosen(loaded: "Loaded", name: str | None, filters: Filters) -> "tuple[Book, list[Entry]]":
    from duplex.deadletters import reading
    from duplex.deadletters.errors import LetterMissingError

    if name is None:
        return _found(loaded, _wanted(loaded, "open", filters))
    book = output.run(reading.book(loaded.project))
    if (entry := book.get(name)) is None:
        raise LetterMissingError(name)
    return book, [entry]


def _found(loaded: "Loaded", wanted: "Wanted") -> "tuple[Book, list[Entry]]":
    from duplex.deadletters import reading

    async def read() -> "tuple[Book, Reader]":
        return await reading.book(loaded.project), await reading.reader(loaded.project)

    book, reader = output.run(read())
    found = wanted.among(book, reader, _now_us())
    if (condition := wanted.condition) is not None and condition.failed:
        output.warning(f"--where could not be asked of {condition.failed:,} letters: {condition.reason}")
    return book, found


def _wanted(loaded: "Loaded", state: Any, filters: Filters) -> "Wanted":
    from duplex.conflicts.durations import moment_us
    from duplex.deadletters.conditions import Condition, Wanted

    topic, error, key, since, where = filters
    return Wanted(
        state=state,
        topics=None if topic is None else (topic, f"{loaded.project.pipeline}.{topic}"),
        error=error,
        key=key,
        since_us=None if since is None else moment_us(since, "--since", _now_us()),
        condition=None if where is None else Condition(where),
    )


def _state(name: str) -> Any:
    from duplex.deadletters.book import STATES

    if name not in (*STATES, "all"):
        _refuse(f"--state {name}: there are {', '.join(STATES)} and all.")
    return None if name == "all" else name


def _signed(by: str | None, reason: str) -> "Signed":
    import getpass

    from duplex.deadletters.retrying import Signed

    return Signed(by or getpass.getuser(), reason, _now_us() // 1000)


def _count(entries: Any) -> str:
    return f"{len(entries):,} {'message' if len(entries) == 1 else 'messages'}"


def _load(path: Any) -> "Loaded":
    from duplex.cli import project as projects

    return projects.load(path)


def _now_us() -> int:
    return time.time_ns() // 1000
