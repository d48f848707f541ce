"""What holds at rest: P5 (every row shows the hub), P6 (few commands), P7 and P8 (nothing torn, nothing invented), and
that counters and lists come out exactly.

P5 excuses a field that is parked at that system, or whose existence is; one that the system is not told of; one
that holds nothing valid there (it stops at the border); and one in a unit that the system's constraint refuses. A row
that may not go, because others refer to it, outlives its record, if that is on record.
"""

from collections.abc import Iterator
from decimal import Decimal

from streams.merge.goldens import Golden
from streams.merge.rules import Sum, Union
from streams.merge.values import EXISTENCE, Row, Value
from tests.simulation.acts import Act
from tests.simulation.cases import Case
from tests.simulation.tables import Table
from tests.simulation.tokens import Token, token


def rows_show_the_hub(case: Case) -> Iterator[str]:
    """P5: at rest every row shows the hub value, save what is parked or refused."""
    for table in case.tables.values():
        if (table.name, EXISTENCE) not in case.open:
            yield from _judge_row(case, table)


def _judge_row(case: Case, table: Table) -> Iterator[str]:
    row = table.row
    if case.final.deleted:
        if row is not None and not case.world.hub.rules.ignores_deletes(table.name) and not _may_stay(case, table):
            yield f"P5: {table.name} keeps a row of a deleted record"
    elif row is None:
        if not _refuses(case, table, table.lens.writable):
            yield f"P5: {table.name} has no row of a living record"
    else:
        for name in case.world.profile.fields:
            yield from _judge_field(case, table, row, name)


def _may_stay(case: Case, table: Table) -> bool:
    verdicts = (verdict for step in case.ruled for verdict in step.verdicts if verdict.field == EXISTENCE)
    return table.referenced and any(v.kind == "refused" and v.incoming.system == table.name for v in verdicts)


def _judge_field(case: Case, table: Table, row: Row, name: str) -> Iterator[str]:
    lens, value = table.lens, case.final.values[name]
    if name not in lens.writable or (table.name, name) in case.open:
        return
    together, read = lens.unit_of[name], lens.read(row)
    if name not in read or _refuses(case, table, together & lens.writable):
        return
    shown = read[name]
    same = token(shown) == token(value) if name in case.fields else shown == _as_kept(table, name, value)
    if not same:
        yield f"P5: {table.name} shows {name}={row!r}, the hub has {value!r}"


def _as_kept(table: Table, name: str, value: Value) -> Value:
    return table.lens.read(table.normal(table.lens.put({name: value}, None)))[name]


def _refuses(case: Case, table: Table, names: frozenset[str]) -> bool:
    if table.banned is None:
        return False
    return table.forbids(table.lens.put({name: case.final.values[name] for name in names}, None).values())


def few_commands(case: Case) -> Iterator[str]:
    """P6: commands are bounded by edits and corrections."""
    others, systems = len(case.tables) - 1, len(case.tables)
    commands = sum(len(step.commands) for step in case.steps)
    verdicts = sum(len(step.verdicts) for step in case.steps)
    orders = sum(not step.input.acts and not hasattr(step.event, "system") for step in case.steps)
    nudges = case.world.operator.retried + sum(getattr(step.event, "reason", "") == "retry" for step in case.steps)
    missed = sum(t.effects.rejected + t.effects.failed for t in case.tables.values())
    limit = len(case.acts) * others + (verdicts + 1 + orders + nudges) * systems + 2 * missed
    if commands > limit:
        yield f"P6: {commands} commands for {len(case.acts)} acts, {verdicts} verdicts, {missed} misses"


def nothing_invented(case: Case) -> Iterator[str]:
    """P7, P8: no value, and no tuple of a group, that nobody wrote."""
    known = _written(case)
    judged: Golden | None = None
    strange: list[tuple[str, Value]] = []
    for step in case.steps:
        if step.after is not judged:
            judged, values = step.after, step.after.values
            strange = [(name, values[name]) for name in case.fields if token(values[name]) not in known[name]]
        for name, value in strange:
            yield f"P8: the hub's {name}={value!r} at offset {step.offset} was written by nobody"
    for table in case.tables.values():
        for _, row in table.effects.writes:
            for name, value in table.lens.get(row).items():
                if name in known and token(value) not in known[name]:
                    yield f"P7: {table.name} was given {name}={value!r}, written by nobody"


def _written(case: Case) -> dict[str, set[Token]]:
    known: dict[str, set[Token]] = {name: {None, (None, None)} for name in case.fields}
    for act in case.acts:
        for name, wrote in act.wrote.items():
            if name in known:
                known[name].add(wrote)
    return known


def counted_exactly(case: Case) -> Iterator[str]:
    """A counter is what it was at first and every user's difference; a list has what was added and not removed.

    Judged where one row was written by a user and all others are copies of it: two rows that are written apart have no
    common beginning, and a row that is deleted takes its counter with it.
    """
    begun = [act for act in case.acts if act.kind == "insert"]
    if len(begun) != 1 or any(act.kind == "delete" for act in case.acts):
        return
    for name, policy in case.world.hub.rules.policies.items():
        if isinstance(policy, Sum):
            yield from _judge_sum(case, name)
        elif isinstance(policy, Union):
            yield from _judge_union(case, name)


def _judge_sum(case: Case, name: str) -> Iterator[str]:
    expected = sum((_number(after) - _number(before) for before, after in _edits(case, name)), Decimal())
    found = _number(case.final.values[name])
    if found != expected:
        yield f"SUM: {name} is {found}, and {expected} by what users did"


def _judge_union(case: Case, name: str) -> Iterator[str]:
    added: list[Value] = []
    removed: list[Value] = []
    for before, after in _edits(case, name):
        added += [element for element in after if element not in before]
        removed += [element for element in before if element not in after]
    found = case.final.values[name] or ()
    once = {element for element in added if added.count(element) == 1}
    expected = once - set(removed)
    assert isinstance(found, tuple)
    if len(set(found)) != len(found):
        yield f"UNION: {name} has an element twice: {found}"
    if {element for element in found if element in once} != expected:
        yield f"UNION: {name} is {found}, and {sorted(map(str, expected))} by what users did"
    if not set(found) <= set(added):
        yield f"UNION: {name} has elements that nobody added: {found}"


def _edits(case: Case, name: str) -> Iterator[tuple[tuple[Value, ...], tuple[Value, ...]]]:
    for act in case.acts:
        if act.left_row is not None and name in act.wrote:
            yield _held(case, act, act.saw_row, name), _held(case, act, act.left_row, name)


def _held(case: Case, act: Act, row: Row | None, name: str) -> tuple[Value, ...]:
    value = None if row is None else case.tables[act.system].lens.read(row).get(name)
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _number(value: Value) -> Decimal:
    held = value[0] if isinstance(value, tuple) and value else None if isinstance(value, tuple) else value
    return Decimal(str(held or "0"))
