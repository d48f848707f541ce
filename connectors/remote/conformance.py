"""What every `Api` must do to be kept in step: cases to run against an application, live or in memory.

    for name, case in cases().items():
        verdict = await run(case, bench)      # None: it does; a sentence: it does not apply, and why

A case makes rows of its own, works with them as users and as duplex do, and removes them again. It raises
`NonconformingError` with a sentence where the application, or what its `Api` says of it, is not as it should be.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from connectors.errors import ConnectorsError, UnreachableError
from connectors.remote.api import Found, RowRefusedError
from connectors.remote.conforming import PATIENCE_S, Bench, KeptNotes, Limited, LosingApi, NonconformingError
from connectors.remote.values import decode
from schemas.messages import Change

ROWS = 3
REQUESTS_IN_A_ROW = 30
NO_BUDGET = "there is no small budget to try it with (Bench.limited)"
ROUNDING_US = 1000
Case = Callable[[Bench], Awaitable[str | None]]


def cases() -> dict[str, Case]:
    """The cases by name, in order."""
    module = sys.modules[__name__]
    return {name.removeprefix("case_"): case for name, case in vars(module).items() if name.startswith("case_")}


async def run(case: Case, bench: Bench) -> str | None:
    """Run one case with notes of its own, and clear up. Returns why it does not apply, or None: it is as it should be.

    Raises NonconformingError, UnreachableError.
    """
    bench.notes = KeptNotes()
    try:
        return await case(bench)
    except RowRefusedError as error:
        raise NonconformingError(f"the application refused what a user may do: {error.reason}") from error
    finally:
        await bench.clear()


# --- what is read


async def case_a_row_is_kept_as_it_was_answered(bench: Bench) -> None:
    """What a create answers is what a get shows."""
    made = await bench.create(0)
    shown = await bench.row(made.local_id)
    _require(
        bench.columns.digest(made.values) == bench.columns.digest(shown.values), f"{made} was answered, {shown} is"
    )


async def case_a_row_that_is_gone_is_none(bench: Bench) -> str | None:
    """A get of a removed row says so, and is no error; to remove it again is none either."""
    if "d" not in bench.user.abilities.writes:
        return "rows cannot be deleted"
    made = await bench.create(0)
    before = await bench.row(made.local_id)
    await bench.user.delete(before)
    _require(await bench.user.get(made.local_id) is None, f"row {made.local_id} was deleted, and is still there")
    await bench.user.delete(before)
    return None


async def case_a_listing_has_every_row_once(bench: Bench) -> None:
    """A listing is complete, ends, and has the same rows as single looks."""
    made = [await bench.create(number) for number in range(ROWS)]
    listed: list[Found] = []
    cursor, cursors = None, set[str]()
    while True:
        page = await bench.user.page(cursor)
        listed += page.rows
        cursor = page.cursor
        if cursor is None:
            break
        _require(cursor not in cursors, f"the listing comes back to the cursor {cursor}")
        cursors.add(cursor)
    for row in made:
        found = [one for one in listed if one.local_id == row.local_id]
        _require(len(found) == 1, f"row {row.local_id} is in the listing {len(found)} times")
        same = bench.columns.digest(found[0].values) == bench.columns.digest((await bench.row(row.local_id)).values)
        _require(same, f"row {row.local_id} is another in the listing than by itself")


async def case_changed_rows_are_listed(bench: Bench) -> str | None:
    """Rows changed since a time are listed by it."""
    if not bench.user.abilities.since:
        return "it cannot be asked for changed rows"
    made = await bench.create(0)
    changed = await bench.change(made.local_id, bench.edit(0))
    since_us = changed.changed_us or (await bench.row(made.local_id)).changed_us
    if since_us is None:
        return "its rows do not say when they were changed"
    cursor, ids = None, list[str]()
    while True:
        page = await bench.user.page(cursor, since_us)
        ids += [found.local_id for found in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    _require(made.local_id in ids, f"row {made.local_id} was changed at {since_us} us, and is not listed since then")
    return None


async def case_removed_rows_are_listed(bench: Bench) -> str | None:
    """The list of removed rows has a row that was just removed."""
    if not bench.user.abilities.removed:
        return "it has no list of removed rows"
    made = await bench.create(0)
    await bench.remove(made.local_id)
    removed = await bench.user.removed(0)
    _require(made.local_id in removed, f"row {made.local_id} was removed, and is not in the list of removed rows")
    return None


async def case_a_row_is_found_by_its_natural_key(bench: Bench) -> str | None:
    """A search by the natural key finds the row, and no other."""
    if not bench.match:
        return "there is no natural key"
    made, other = await bench.create(0), await bench.create(1)
    try:
        found = await bench.user.find({name: made.values.get(name) for name in bench.match})
    except NotImplementedError:
        return "rows cannot be searched for"
    ids = [one.local_id for one in found]
    _require(made.local_id in ids and other.local_id not in ids, f"a search for row {made.local_id} found {ids}")
    return None


async def case_many_requests_in_a_row_are_answered(bench: Bench) -> None:
    """Requests that follow each other closely, as a sweep's do, are answered."""
    made = await bench.create(0)
    for number in range(REQUESTS_IN_A_ROW):
        try:
            await bench.user.get(made.local_id)
        except UnreachableError as error:
            raise NonconformingError(f"request {number + 1} of {REQUESTS_IN_A_ROW} failed: {error}") from error


async def case_requests_keep_to_a_budget(bench: Bench) -> str | None:
    """A connector with few requests in a window sends no more, one after the other or all at once; all are answered."""
    limited = bench.limited
    if limited is None:
        return NO_BUDGET
    made = await bench.create(0)
    try:
        async with asyncio.timeout(PATIENCE_S):
            spans = await _looks(bench, limited, made.local_id)
    except (UnreachableError, TimeoutError) as error:
        raise NonconformingError(f"a request beyond the budget was not answered when its turn came: {error}") from error
    most = _most_within(spans, int(limited.window_s * 1e6) - ROUNDING_US)
    sent = f"{most} requests were sent within {limited.window_s:g} s"
    _require(most <= limited.requests, f"{sent}, where {limited.requests} are allowed")
    return None


# --- the source


async def case_a_load_tells_every_row_and_ends(bench: Bench) -> None:
    """The initial load: each row as it is, then one marker."""
    made = {(await bench.create(number)).local_id for number in range(ROWS)}
    changes = await bench.load()
    ids = [change.local_id for change in changes if change.op == "r"]
    _require(made <= set(ids) and len(ids) == len(set(ids)), f"rows {sorted(made)} were made, and {ids} were loaded")
    _require([change.op for change in changes].count("l") == 1 and changes[-1].op == "l", "the load's end was not told")


async def case_what_did_not_arrive_is_told_again(bench: Bench) -> None:
    """A process that ends before its looks are safe loses none."""
    made = await bench.create(0)
    await bench.read(lambda found: any(change.local_id == made.local_id for change in found), acked=False)
    again = [change.local_id for change in await bench.load()]
    _require(made.local_id in again, f"row {made.local_id} was not told again after a restart")


async def case_edits_and_deletes_are_told_once(bench: Bench) -> None:
    """A user's edit and delete are told, later than the load, and not again."""
    edited, gone = await bench.create(0), await bench.create(1)
    loaded = await bench.load()
    await bench.change(edited.local_id, bench.edit(0))
    can_delete = "d" in bench.user.abilities.writes
    if can_delete:
        await bench.remove(gone.local_id)
    told = await bench.sweep()
    expected = [("u", edited.local_id), *([("d", gone.local_id)] if can_delete else [])]
    _require(
        sorted((one.op, one.local_id) for one in told) == sorted(expected), f"{expected} happened, {told} was told"
    )
    before = {change.local_id: change.seq for change in loaded}
    _require(all(one.seq > before[one.local_id] for one in told), "an edit is numbered before the load that saw it not")
    again = await bench.sweep()
    _require(not again, f"nothing happened, and {again} was told")


async def case_edits_of_a_row_are_told_in_order(bench: Bench) -> None:
    """An edit, and another that takes it back, are told as what each left, by numbers that grow from look to look."""
    made = await bench.create(0)
    loaded = [change for change in await bench.load() if change.local_id == made.local_id]
    edits = [bench.edit(0), {name: made.values.get(name) for name in bench.edit(0)}]
    told, left = list[Change](), list[bytes]()
    for edit in edits:
        await bench.change(made.local_id, edit)
        left.append(bench.columns.digest((await bench.row(made.local_id)).values))
        told += [change for change in await bench.sweep() if change.local_id == made.local_id]
    shown = [bench.columns.digest(decode(str(change.after))) for change in told]
    _require(shown == left, f"row {made.local_id} was edited {len(edits)} times, and this was told: {told}")
    numbers = [change.seq for change in (*loaded, *told)]
    _require(numbers == sorted(set(numbers)), f"the looks at row {made.local_id} have the numbers {numbers}")


# --- the sink


async def case_a_command_is_carried_out_once(bench: Bench) -> None:
    """A command writes its columns; again it has no effect, whatever a user did meanwhile; no edit is told for it."""
    made = await bench.create(0)
    await bench.load()
    wanted = bench.edit(0)
    command = bench.command("u", made.local_id, made.values, wanted)
    result = await bench.result(command)
    _require(result.outcome == "applied", f"the application refused: {result.error}")
    _require(await bench.sweep() == [], "duplex' own write was told as somebody's edit")
    back = {name: made.values.get(name) for name in wanted}
    await bench.change(made.local_id, back)
    kept = bench.columns.digest((await bench.row(made.local_id)).values)
    await bench.result(command)
    _require(bench.columns.digest((await bench.row(made.local_id)).values) == kept, "a repeated command wrote again")


async def case_a_user_s_edit_is_not_covered(bench: Bench) -> None:
    """A command that expects other values leaves the row alone, and says what is there."""
    made = await bench.create(0)
    edited = await bench.change(made.local_id, bench.edit(0))
    wanted = {name: value for name, value in bench.edit(1).items() if name in bench.edit(0)}
    result = await bench.result(bench.command("u", made.local_id, made.values, wanted))
    now = await bench.row(made.local_id)
    _require(bench.columns.same(bench.edit(0), now.values) or _is_same(bench, edited, now), "a user's edit was covered")
    _require(result.found == result.left, "a row that was left alone is said to have been written")


async def case_a_create_and_a_delete_are_carried_out_once(bench: Bench) -> str | None:
    """A create makes one row, a delete takes it away, and repeats do nothing."""
    create = bench.command("c", None, None, bench.sample(0))
    result = await bench.result(create)
    _require(result.local_id is not None and result.left is not None, f"no row was made: {result.error}")
    again = await bench.result(create)
    _require(again.local_id == result.local_id, f"a create that came twice made {result.local_id} and {again.local_id}")
    if "d" not in bench.user.abilities.writes:
        return "rows cannot be deleted"
    local_id, kept = str(result.local_id), decode(str(result.left))
    base = {name: kept[name] for name in bench.spec.columns}
    gone = await bench.result(bench.command("d", local_id, base, None))
    _require(gone.left is None, f"row {local_id} was to be deleted, and is said to be there")
    _require(await bench.user.get(local_id) is None, f"row {local_id} was deleted, and is there")
    return None


async def case_a_create_whose_answer_is_lost_makes_one_row(bench: Bench) -> str | None:
    """A create whose answer is lost is looked for, and not made again."""
    abilities, is_searchable = bench.user.abilities, bool(bench.match)
    if not abilities.idempotent and abilities.marker is None and not is_searchable:
        return "whether a row was made cannot be found out: such a create fails, and is put on record"
    result = await bench.result(bench.command("c", None, None, bench.sample(0)), api=LosingApi(bench.api()))
    if result.outcome == "failed" and "is not known" in str(result.error):
        bench.made += [
            one.local_id for one in await everything(bench) if bench.columns.same(bench.sample(0), one.values)
        ]
        return str(result.error)
    like = [one.local_id for one in await everything(bench) if _is_like(bench, one)]
    bench.made += like
    _require(len(like) == 1, f"a create whose answer was lost made {len(like)} rows")
    _require(result.local_id == like[0], f"row {like[0]} was made, and {result.local_id} was answered")
    return None


async def case_an_update_whose_answer_is_lost_is_known_as_ours(bench: Bench) -> None:
    """An update whose answer is lost is found to have been made, unless the application makes something else of it."""
    made = await bench.create(0)
    wanted = bench.edit(0)
    command = bench.command("u", made.local_id, made.values, wanted)
    result = await bench.result(command, api=LosingApi(bench.api()))
    now = await bench.row(made.local_id)
    _require(result.left == bench.columns.image(now.values), "what is there now is not what was answered")
    if bench.columns.same(wanted, now.values):
        _require(result.found != result.left, "an update of ours was taken for a user's edit")


async def case_a_conditional_write_covers_no_edit(bench: Bench) -> str | None:
    """A write on the condition that nothing changed does nothing where something did."""
    if not bench.user.abilities.conditional:
        return "it has no conditional writes: an edit between reading and writing is covered"
    made = await bench.create(0)
    before = await bench.row(made.local_id)
    _require(before.tag is not None, "its writes are said to be conditional, and its rows have no tag")
    await bench.change(made.local_id, bench.edit(0))
    edited = await bench.row(made.local_id)
    with suppress(ConnectorsError):
        await bench.user.update(before, bench.columns.typed(bench.edit(1)))
    now = await bench.row(made.local_id)
    _require(_is_same(bench, edited, now), "a conditional write covered an edit")
    return None


# --- judging


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise NonconformingError(what)


def _is_same(bench: Bench, one: Found, other: Found) -> bool:
    return all(bench.columns.same({name: one.values.get(name)}, other.values) for name in bench.spec.columns)


def _is_like(bench: Bench, found: Found) -> bool:
    """Whether a row may be the one that was made of the first sample: by its natural key, or else by its values."""
    sample = bench.sample(0)
    return bench.columns.same({name: sample[name] for name in bench.match or sample}, found.values)


async def _looks(bench: Bench, limited: Limited, local_id: str) -> list[tuple[int, int]]:
    """When each of more looks than a window allows began and ended (us): first in turn, then all at once."""
    api, spans = limited.api(), list[tuple[int, int]]()

    async def look() -> None:
        began_us = bench.clock.now_us()
        found = await api.get(local_id)
        spans.append((began_us, bench.clock.now_us()))
        _require(found is not None, f"row {local_id} was made, and is not there")

    try:
        for _ in range(limited.requests + 1):
            await look()
        await asyncio.gather(*(look() for _ in range(limited.requests + 1)))
    finally:
        await api.close()
    return spans


def _most_within(spans: list[tuple[int, int]], window_us: int) -> int:
    """The most requests that began and ended within one window: however late each was sent, so many were sent in it."""
    ends = [(began_us, began_us + window_us) for began_us, _ in spans]
    return max(sum(1 for began, ended in spans if first <= began and ended < last) for first, last in ends)


async def everything(bench: Bench) -> list[Found]:
    """Every row of the application."""
    found, cursor = list[Found](), None
    while True:
        page = await bench.user.page(cursor)
        found += page.rows
        cursor = page.cursor
        if cursor is None:
            return found
