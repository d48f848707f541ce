"""The simulation's oracle over the records of this world, the windows that the connector's page states, and what only
applications can do wrong: rows made twice, requests refused in calm times.

A window excuses an edit, or what reads as one, only where the application offers nothing against it:
- *covered*: an edit that a write without a condition covered, between the reading and the writing;
- *turned back*: an edit that turned back a write of ours whose answer was lost, and was covered when it was repeated;
- *deleted at once*: a delete of a row that a delete of ours was under way to, and whose answer was lost;
- *mistaken*: an edit that had the value from before a write of ours whose answer was lost, where a user edited over
  that write: he reads as one who edited that value;
- *form*: what an application silently made of a value, where the answer to the write was lost: it reads as an edit, and
  replaces what its row showed;
- *orphans*: a row of a create whose answer was lost, where nothing is offered to find it by: it is somebody's new row,
  and whoever edits it edits that;
- *twins*: a row made by a user while ours was made, where the application has no unique constraint; or a second row of
  ours, where it has none and offers neither a search nor a marker nor an idempotency key. The second row is on record,
  and not merged: nor is its end;
- *unread*: an edit that came and went while a write was to be answered, with a value in its place that nobody can read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from connectors.remote.creations import UNKNOWN
from streams.merge.events import Answered, Decided
from tests.simulation import losses, resting, verdicts
from tests.simulation.acts import Act
from tests.simulation.applications.records import Record
from tests.simulation.applications.rows import ThingRow
from tests.simulation.applications.worlds import ThingsWorld
from tests.simulation.cases import Case
from tests.simulation.draws import HOUR_US
from tests.simulation.oracle import OBLIGATIONS
from tests.simulation.tokens import token


def judged(world: ThingsWorld) -> list[str]:
    """What is wrong with a world that has come to rest."""
    wrong = [f"{sentence} (record {record.seed})" for record in world.records for sentence in _judge(world, record)]
    return [*wrong, *_made_twice(world), *_refused_when_calm(world)]


@dataclass
class ThingCase(Case):
    """A history in which the connector's own clock may be slow as well, by so much."""

    world: Record
    slow_us: int = 0

    def merged_ts_us(self, act: Act) -> int:
        """What a sink finds has the time of its machine, and so has a look where the application tells none."""
        merged_us = super().merged_ts_us(act)
        return max(0, merged_us - self.slow_us) if act.system in self.world.remotes else merged_us


def _judge(world: ThingsWorld, record: Record) -> Iterator[str]:
    if is_twinned(record):
        # Which of the two rows stands for the record is a person's to say.
        both = any(world.applications[name].has_twins(record.key) for name in world.applications)
        if both and not any(one.record_id == record.id and one.kind == "duplicate" for one in world.pipeline.conflicts):
            yield "ONCE: a second row is not on record"
        return
    case = ThingCase(record, slow_us=HOUR_US if world.plan.troubles.killed else 0)
    for obligation in OBLIGATIONS:
        found = obligation(case)
        if obligation is verdicts.conflicts_are_about_edits:
            yield from _excused(case, found, _of_form(case))
        elif obligation is losses.no_edit_lost:
            yield from _excused(case, found, chain(_mistaken(case), _under_form(case)))
        elif obligation is verdicts.no_needless_conflict:
            yield from _excused(case, found, _of_orphans(case))
        elif obligation is resting.rows_show_the_hub:
            yield from _excused(case, found, _not_known_to_be_made(case))
        elif obligation is not losses.no_deletion_undone:
            yield from found
        elif not _is_orphaned(record):
            yield from _excused(case, found, _of_second_rows(case))
    yield from _invented_deletes(record)
    yield from record.hub.complaints


def _invented_deletes(record: Record) -> Iterator[str]:
    """Nothing is deleted before anybody has deleted anything."""
    first = min((act.at for act in record.acts if act.kind == "delete"), default=None)
    for step in record.hub.steps:
        is_known = (first is not None and first <= step.at) or isinstance(step.event, Decided)
        for command in step.commands:
            if command.op == "d" and not is_known:
                yield f"INVENTED: offset {step.offset} deletes the row of {command.system}, which nobody did anywhere"


def _of_form(case: ThingCase) -> Iterator[str]:
    for step in case.ruled:
        for verdict in step.verdicts:
            side = verdict.incoming
            row = case.tables.get(side.system)
            if isinstance(row, ThingRow) and (verdict.field, token(side.value)) in row.formed():
                yield f"P11: offset {step.offset}: nobody at {side.system} wrote {verdict.field}={side.value!r}"


def _mistaken(case: ThingCase) -> Iterator[str]:
    values = {pair for row in case.tables.values() if isinstance(row, ThingRow) for pair in row.mistaken}
    for act in case.acts:
        for name, value in act.wrote.items():
            if (name, value) in values:
                yield f"P4: act {act.number} at {act.system}: {name}={value} is lost"


def _under_form(case: ThingCase) -> Iterator[str]:
    """What reads as an edit replaces what its row showed, like any edit."""
    for step in case.steps:
        row = None if step.event is None else case.tables.get(getattr(step.event, "system", ""))
        for name, made in row.formed() if isinstance(row, ThingRow) else ():
            before, after = (token(golden.values[name]) for golden in (step.before, step.after))
            if after == made and before != after:
                for act in case.acts:
                    if act.wrote.get(name) == before:
                        yield f"P4: act {act.number} at {act.system}: {name}={before} is lost"


def _not_known_to_be_made(case: ThingCase) -> Iterator[str]:
    """Whether the last create made a row nobody knows: it waits for a sweep, or for a person."""
    last = {step.event.system: step.event for step in case.steps if isinstance(step.event, Answered)}
    for name, answer in last.items():
        if answer.failed == UNKNOWN:
            yield f"P5: {name} has no row of a living record"


def _of_second_rows(case: ThingCase) -> Iterator[str]:
    """What became of a row that was put on record as a second one, and not merged."""
    beside = {
        verdict.incoming.system
        for step in case.steps
        for verdict in step.verdicts
        if verdict.kind == "existence" and "claims the record" in verdict.detail
    }
    for act in case.acts:
        if act.kind == "delete" and act.system in beside:
            yield f"P9: the deletion by act {act.number} at {act.system} was undone"


def _of_orphans(case: ThingCase) -> Iterator[str]:
    """An edit of a row of ours that nobody knows to be ours is an edit of somebody's new row."""
    orphaned = {name for name, row in case.tables.items() if isinstance(row, ThingRow) and row.is_orphaned}
    for step in case.ruled:
        for act in (case.acts[number] for number in step.input.acts):
            if act.system in orphaned:
                for name in act.wrote:
                    yield f"P11: offset {step.offset}: act {act.number} on {name} saw the hub value"


def _excused(case: ThingCase, sentences: Iterator[str], excuses: Iterator[str]) -> Iterator[str]:
    """Those that no window excuses."""
    excused = set(excuses)
    for sentence in sentences:
        if sentence in excused:
            case.world.excused.add(sentence)
        else:
            yield sentence


def _is_orphaned(record: Record) -> bool:
    """Whether a row of ours, of which nobody could know, came as a new one: it revives a record deleted meanwhile."""
    return any(isinstance(table, ThingRow) and table.is_orphaned for table in record.all_tables)


def is_twinned(record: Record) -> bool:
    """Whether a user made a row while we did."""
    return any(isinstance(table, ThingRow) and table.is_twinned for table in record.all_tables)


def _made_twice(world: ThingsWorld) -> Iterator[str]:
    """Every record exists once in every application."""
    for application in world.applications.values():
        for key in application.duplicates:
            yield f"ONCE: {application.name} has two rows of {key}"


def _refused_when_calm(world: ThingsWorld) -> Iterator[str]:
    """No request is one too many, once the budget is known, and nobody else uses it up."""
    for application in world.applications.values():
        begin_s = world.calm_since_s + 2 * application.nature.window_s
        late = [at_s for at_s in application.refused_at if at_s > begin_s]
        if late:
            yield f"429: {application.name} refused {len(late)} requests in calm times, by its limit"
