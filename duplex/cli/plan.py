"""`duplex plan`."""

from typing import TYPE_CHECKING, Annotated

import typer

from duplex.cli import options, output

if TYPE_CHECKING:
    from duplex.planning.actions import Counts, Plan


def plan(
    project: options.Project = options.DEFAULT_PROJECT,
    limit: Annotated[int, typer.Option(min=0, help="At most so many of each kind are listed; all are counted.")] = 20,
    as_json: options.Json = False,
) -> None:
    """Show what a first sync, and rules that changed, would do; write nothing. Exit code 3: there are changes."""
    from msgspec import structs

    from duplex.cli import project as projects
    from duplex.planning import actions, comparing

    loaded = projects.load(project)
    found = output.run(comparing.plan(loaded, say=output.say))
    shown = actions.limited(found.actions, limit)
    if as_json:
        rules = [structs.replace(change, decided=change.decided[:limit]) for change in found.rules]
        document = {"changes": found.changes, "entities": found.entities, "actions": shown, "rules": rules}
        output.document(document | ({"rules_unknown": found.silence} if found.silence else {}))
    else:
        for line in [*_rules(found, limit), *_lines(found, shown, limit)]:
            output.data(line)
    if found.silence:
        output.warning(f"whether rules change is not known: {found.silence}")
    if found.changes:
        output.leave(output.Exit.CHANGES)


def _rules(found: "Plan", limit: int) -> list[str]:
    lines: list[str] = []
    for change in found.rules:
        lines.append(f"rules of {change.entity} would change (epoch {change.number}):")
        lines += [f"  ~ {words}" for words in change.changes]
        if change.open:
            decided = len(change.decided)
            what = f"of {change.open} open conflicts {decided} would be decided, {change.left} left open"
            lines.append(f"  {what}; commands to send: {change.commands}")
        lines += [f"    {one.sentence()}" for one in change.decided[:limit]]
        if len(change.decided) > limit:
            lines.append(f"    … and {len(change.decided) - limit} more")
    return lines


def _lines(found: "Plan", shown: list, limit: int) -> list[str]:  # type: ignore[type-arg]
    lines: list[str] = []
    for name, counts in found.entities.items():
        rows = ", ".join(f"{count} rows in {system}" for system, count in counts.rows.items())
        lines.append(f"{name}: {rows}; {counts.records} records")
        lines += _totals(counts)
        lines += [f"    {action.sentence()}" for action in shown if action.entity == name]
        hidden = sum(counts.total.values()) - sum(action.entity == name for action in shown)
        if hidden:
            lines.append(f"    … and {hidden} more (--limit {limit * 10 or 20} shows more of them)")
    lines.append("this would change; nothing was written" if found.changes else "nothing to change")
    return lines


def _totals(counts: "Counts") -> list[str]:
    from duplex.planning.actions import SIGNS

    words = {
        "create": "to create",
        "update": "to update",
        "delete": "to delete",
        "link": "linked across systems",
        "conflict": "conflicts, decided or parked by policy",
        "duplicate": "rows that claim a record which another row of their system has",
        "invalid": "values that stop at the border",
    }
    lines = []
    for kind, total in counts.total.items():
        if total:
            systems = ", ".join(f"{count} in {name}" for name, count in counts.by_system.get(kind, {}).items())
            lines.append(f"  {SIGNS[kind]} {total} {words[kind]}" + (f" ({systems})" if systems else ""))  # type: ignore[index]
    return lines
