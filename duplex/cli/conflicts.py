"""`duplex conflicts`: what waits for a person, and what was decided."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duplex.cli import asking, options, output

if TYPE_CHECKING:
    from duplex.conflicts.book import Entry
    from duplex.conflicts.conditions import Wanted
    from duplex.conflicts.deciding import Choice, Signed
    from duplex.conflicts.listing import Listing
    from duplex.conflicts.resolving import Bulk, Summary
    from duplex.conflicts.watching import Seen
    from schemas.project.loading import Loaded

app = typer.Typer(help="See and decide what waits for a person.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it: 3fa85f64/2; the whole id serves too.")]
Entity = Annotated[str | None, typer.Option(help="Of this entity only.")]
Field = Annotated[str | None, typer.Option(help="Of this field only; $ is the record's existence.")]
System = Annotated[str | None, typer.Option(help="Where one of the two values is this system's.")]
Rule = Annotated[str | None, typer.Option(help="Parked or decided by this rule: manual, newest, brake, decision …")]
Kind = Annotated[str | None, typer.Option(help="value, existence, duplicate, key or refused.")]
Record = Annotated[
    str | None, typer.Option(metavar="RECORD", help="Of this record: an id or its beginning, a row, a natural key.")
]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Newer than this: 2h, or 2026-05-01T12:00Z.")]
OlderThan = Annotated[str | None, typer.Option(metavar="LENGTH", help="There for longer than this: 2d.")]
Where = Annotated[
    str | None, typer.Option(metavar="CEL", help='A condition: field == "phone" && incoming.system == "crm".')
]
Wait = Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How long to wait for the merge's answer.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides. [the user of the operating system]")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why: kept with the decision.")]
Limit = Annotated[int, typer.Option(min=0, help="At most so many are listed; all are counted.")]


@app.command("list")
def list_conflicts(
    project: options.Project = options.DEFAULT_PROJECT,
    all_of_them: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
    decided: Annotated[bool, typer.Option("--decided", help="Only those that are decided.")] = False,
    entity: Entity = None,
    field: Field = None,
    system: System = None,
    rule: Rule = None,
    kind: Kind = None,
    record: Record = None,
    since: Since = None,
    older_than: OlderThan = None,
    where: Where = None,
    limit: Limit = 50,
    count: Annotated[bool, typer.Option("--count", help="Count them by entity and field; list none.")] = False,
    as_json: options.Json = False,
) -> None:
    """List open conflicts, the oldest first, each with both values, whose they are, and how old."""
    from duplex.cli import project as projects
    from duplex.conflicts import listing

    loaded, now_us = projects.load(project), _now_us()
    wanted = _wanted(loaded, now_us, entity, field, system, rule, kind, record, since, older_than, where)
    wanted = _standing(wanted, "all" if all_of_them else "decided" if decided else "open")
    found = output.run(listing.listed(loaded, wanted, 0 if count else limit, now_us))
    _say_failed(wanted)
    if record is not None and not found.count and (found.apart is None or not found.apart.count):
        output.warning(listing.nothing_of(record, wanted))
    if not found.complete:
        output.warning(
            "the conflicts topic has forgotten its oldest messages: what of those conflicts is still open only the "
            "running pipeline knows. Start `duplex run`, and list again"
        )
    if found.unreadable:
        output.warning(f"{found.unreadable:,} messages of the conflicts topic could not be read, and are left out")
    if as_json:
        return output.document(_data(found))
    for line in _lines(found, count, now_us):
        output.data(line)
    return None


def _data(found: "Listing") -> dict[str, Any]:
    data: dict[str, Any] = {"count": found.count, "counts": found.counts, "conflicts": found.shown}
    return data if found.apart is None else {**data, "apart": _data(found.apart)}


def _lines(found: "Listing", count: bool, now_us: int) -> list[str]:
    from duplex.conflicts import views

    lines = _part(found, count, now_us)
    apart = found.apart
    if apart is None or not apart.count:
        return lines
    kept = lines if found.count else []
    return [*kept, *([""] if kept else []), *views.APART, *_part(apart, count, now_us)]


def _part(found: "Listing", count: bool, now_us: int) -> list[str]:
    from duplex.conflicts import views

    if count:
        return [f"{found.count:,} conflicts", *views.totals(found.counts)]
    lines = [views.line(one, now_us) for one in found.shown]
    hidden = found.count - len(lines)
    if hidden:
        lines.append(f"… and {hidden:,} more (--limit shows more of them, --count counts them)")
    return lines or ["no conflicts"]


@app.command()
def show(name: Id, project: options.Project = options.DEFAULT_PROJECT, as_json: options.Json = False) -> None:
    """Show one conflict: both values now, every system's row, its history, what each choice does, and how to choose."""
    from duplex.cli import project as projects
    from duplex.conflicts import listing, pages

    found = output.run(listing.detailed(projects.load(project), name))
    if as_json:
        return output.document(found)
    for line in pages.lines(found, _now_us()):
        output.data(line)
    return None


@app.command()
def resolve(
    name: Annotated[str | None, typer.Argument(metavar="[ID]", help="One conflict; or --all with filters.")] = None,
    project: options.Project = options.DEFAULT_PROJECT,
    take: Annotated[
        str | None, typer.Option(metavar="SIDE", help="current, incoming, or the system whose value it is.")
    ] = None,
    value: Annotated[str | None, typer.Option(metavar="JSON", help="Another value, for every system.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="The record lives.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="The record is to be gone.")] = False,
    shown: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="What was shown, as `show` names it: refused if that moved.")
    ] = None,
    reason: Reason = "",
    by: By = None,
    wait: Wait = 30.0,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every open conflict that the filters mean.")] = False,
    entity: Entity = None,
    field: Field = None,
    system: System = None,
    rule: Rule = None,
    kind: Kind = None,
    record: Record = None,
    since: Since = None,
    older_than: OlderThan = None,
    where: Where = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Decide at most so many, the oldest first.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --all: list what would be decided.")] = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Decide one conflict, or many; the decision is an event in the record's own log, and refused if things moved."""
    from duplex.cli import project as projects
    from duplex.conflicts.deciding import Choice

    loaded, now_us = projects.load(project), _now_us()
    filters = (entity, field, system, rule, kind, record, since, older_than, where)
    _one_or_many(name, all_of_them, any(each is not None for each in (*filters, limit)) or dry_run, shown)
    choice, signed = Choice(take, value, keep, delete), sign(by, reason, now_us)
    if name is not None:
        return _resolve_one(loaded, name, choice, shown, signed, wait, as_json)
    wanted = _wanted(loaded, now_us, *filters)
    return _resolve_many(loaded, wanted, choice, signed, limit, wait, dry_run, yes, as_json)


def _one_or_many(name: str | None, all_of_them: bool, filtered: bool, shown: str | None) -> None:
    if name is None and not all_of_them:
        _refuse("name a conflict, or say --all with filters for many of them.")
    if name is not None and (all_of_them or filtered):
        _refuse("an ID and --all, filters, --limit or --dry-run exclude each other.")
    if shown is not None and name is None:
        _refuse("--shown belongs to one conflict: give its ID.")


def _refuse(text: str) -> None:
    output.error(text)
    output.leave(output.Exit.USAGE)


def _resolve_one(
    loaded: "Loaded", name: str, choice: "Choice", shown: str | None, signed: "Signed", wait: float, as_json: bool
) -> None:
    from duplex.conflicts import resolving

    done = output.run(resolving.resolve(loaded, name, choice, shown, signed, wait))
    if as_json:
        return output.document(done)
    value = "deleted" if done.value is None else "lives" if done.field == "$" else done.value
    output.data(f"decided {done.id}: {done.entity} {done.field} is {value}, by {done.decided_by}")
    return None


def _resolve_many(
    loaded: "Loaded", wanted: "Wanted", choice: "Choice", signed: "Signed", limit: int | None, wait: float,
    dry_run: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    from duplex.conflicts import resolving

    found = output.run(resolving.chosen(loaded, wanted, signed.at_us))[:limit]
    _say_failed(wanted)
    if not found:
        return output.document(_nothing()) if as_json else output.data("no open conflict is meant: nothing to decide")
    bulk = output.run(resolving.prepare(loaded, found, choice, signed))
    if dry_run:
        return _foresee(loaded, found, bulk, as_json)
    asking.confirm(_question(found, bulk, choice), yes)
    return finish(loaded, bulk, wait, as_json)


def finish(loaded: "Loaded", bulk: "Bulk", wait: float, as_json: bool) -> None:
    """Send decisions, wait for the answers, and tell the sum; exit code 1 unless all were carried out."""
    from duplex.conflicts import resolving

    with asking.counting("deciding", len(bulk.made)) as progress:
        done = output.run(resolving.send(loaded, bulk, wait, progress))
    tell(done, as_json)
    if done.refused or done.left:
        output.leave(output.Exit.FAILURE)


def tell(done: "Summary", as_json: bool) -> None:
    """The sum of many decisions, with the first reasons."""
    if as_json:
        return output.document(done)
    for conflict_id, why in [*done.refusals.items(), *done.reasons.items()][:10]:
        output.say(f"{conflict_id}: {why}")
    output.data(f"{done.decided:,} decided, {done.refused:,} refused (stale), {done.left:,} left")
    return None


def _nothing() -> dict[str, Any]:
    return {"decided": 0, "refused": 0, "left": 0, "refusals": {}, "reasons": {}}


def _question(found: "list[Entry]", bulk: "Bulk", choice: "Choice") -> str:
    from duplex.conflicts import conditions

    counts = ", ".join(f"{count:,} of {name}" for name, count in conditions.counted(found).items())
    others = len(bulk.stale) + len(bulk.impossible)
    without = f" ({others:,} others of those found cannot be)" if others else ""
    return f"Decide {len(bulk.made):,} conflicts with {choice.words()}{without}? Found: {counts}."


def _foresee(loaded: "Loaded", found: "list[Entry]", bulk: "Bulk", as_json: bool) -> None:
    from duplex.conflicts import views

    rows = [
        {"id": entry.id, "field": entry.last.field, "value": made.value, "why": None}
        if (made := bulk.made.get(entry.id)) is not None
        else {"id": entry.id, "field": entry.last.field, "value": None, "why": _why(bulk, entry.id)}
        for entry in found
    ]
    if as_json:
        return output.document({"would_decide": len(bulk.made), "conflicts": rows})
    for row in rows:
        outcome = f"cannot: {row['why']}" if row["why"] else f"would be {views.cut(row['value'] or 'deleted')}"
        output.data(f"{row['id']}  {row['field']}  {outcome}")
    output.data(f"{len(bulk.made):,} would be decided; nothing was sent")
    return None


def _why(bulk: "Bulk", conflict_id: str) -> str:
    return bulk.stale.get(conflict_id) or bulk.impossible[conflict_id]


@app.command()
def watch(
    project: options.Project = options.DEFAULT_PROJECT,
    all_of_them: Annotated[bool, typer.Option("--all", help="Those too that a policy decides at once.")] = False,
    decided: Annotated[bool, typer.Option("--decided", help="Only ends and decisions.")] = False,
    entity: Entity = None,
    field: Field = None,
    system: System = None,
    rule: Rule = None,
    kind: Kind = None,
    record: Record = None,
    where: Where = None,
    most: Annotated[int | None, typer.Option("--max", min=1, help="End after so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Follow conflicts as they open, change and end; Ctrl-C ends it."""
    from duplex.cli import project as projects
    from duplex.conflicts import watching

    loaded, now_us = projects.load(project), _now_us()
    wanted = _wanted(loaded, now_us, entity, field, system, rule, kind, record, None, None, where)
    wanted = _standing(wanted, "all" if all_of_them else "decided" if decided else "open")
    happenings = watching.watch(loaded.project, wanted, now_us, lambda: output.say("watching; Ctrl-C ends it"))
    output.run(_follow(happenings, most, lambda seen: _tell_seen(seen, as_json)))


async def _follow(happenings: Any, most: int | None, tell_one: "Callable[[Seen], None]") -> None:
    from contextlib import aclosing

    count = 0
    async with aclosing(happenings) as source:
        async for seen in source:
            tell_one(seen)
            count += 1
            if count == most:
                return


def _tell_seen(seen: "Seen", as_json: bool) -> None:
    import msgspec

    from duplex.conflicts import views
    from duplex.conflicts.book import shortener
    from duplex.status.sentences import stamp

    one = views.shown(seen.entry, shortener([seen.entry.last.record_id])(seen.entry.id), None)
    if as_json:
        return output.data(msgspec.json.encode({"happening": seen.happening, "conflict": one}).decode())
    output.data(f"{stamp(one.at_us)}  {seen.happening:<7}  {views.line(one, max(_now_us(), one.at_us))}")
    return None


@app.command()
def retry(
    name: Annotated[str, typer.Argument(metavar="RECORD", help="A record id, a row as `system:[7]`, a natural key.")],
    project: options.Project = options.DEFAULT_PROJECT,
    system: Annotated[str | None, typer.Option(help="Send to this system only.")] = None,
    entity: Entity = None,
    as_json: options.Json = False,
) -> None:
    """Send anew what a record's systems refused, or never answered."""
    from duplex.cli import project as projects
    from duplex.conflicts import nudging

    done = output.run(nudging.retry(projects.load(project), name, system, entity))
    if as_json:
        return output.document(done)
    for each in done:
        output.data(f"{each.entity} {each.record_id}: asked to be sent anew to {each.system or 'every system'}")
    return None


def _now_us() -> int:
    return time.time_ns() // 1000


def sign(by: str | None, reason: str, now_us: int) -> "Signed":
    import getpass

    from duplex.conflicts.deciding import Signed

    return Signed(by or getpass.getuser(), reason, now_us)


def _wanted(
    loaded: "Loaded", now_us: int, entity: str | None, field: str | None, system: str | None, rule: str | None,
    kind: str | None, record: str | None, since: str | None, older_than: str | None, where: str | None,
) -> "Wanted":  # fmt: skip
    from duplex.conflicts import listing
    from duplex.conflicts.conditions import Condition, Wanted
    from duplex.conflicts.durations import length_us, moment_us

    _say_unknown("entity", entity, loaded.project.entities)
    _say_unknown("system", system, loaded.project.systems)
    wanted = Wanted(
        entity=entity,
        field=field,
        system=system,
        rule=rule,
        kind=kind,
        record=record,
        since_us=None if since is None else moment_us(since, "--since", now_us),
        before_us=None if older_than is None else now_us - length_us(older_than, "--older-than"),
        condition=None if where is None else Condition(where),
    )
    return wanted if record is None else output.run(listing.record_ids(loaded, wanted))


def _standing(wanted: "Wanted", standing: Any) -> "Wanted":
    from dataclasses import replace

    return replace(wanted, standing=standing)


def _say_unknown(noun: str, name: str | None, having: "Iterable[str]") -> None:
    if name is not None and name not in having:
        output.warning(f"--{noun} {name}: the project has no such {noun}; there are {', '.join(having)}")


def _say_failed(wanted: "Wanted") -> None:
    condition = wanted.condition
    if condition is not None and condition.failed:
        output.warning(f"--where could not be asked of {condition.failed:,} conflicts: {condition.reason}")
