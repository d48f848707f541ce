"""The judge of a history. It knows what users did and saw, what rows and the merged record showed, and what went on
record. It knows nothing of versions, echoes, acknowledgements or positions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from streams.merge.events import Changed, Decided, Planned, Verdict
from streams.merge.rules import Owner
from streams.merge.values import EXISTENCE, Row, Value
from tests.simulation.draws import FIELDS
from tests.simulation.hubs import Step
from tests.simulation.tables import Table
from tests.simulation.tokens import Token, atoms, token
from tests.simulation.worlds import Act, World


@dataclass
class Oracle:
    """Collects what is wrong with a history that has come to rest."""

    world: World
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.acts = self.world.acts
        self.steps = self.world.hub.steps
        self.final = self.steps[-1].after if self.steps else self.world.hub.golden(None)
        self.processed = _first_merged(self.steps)
        self.open = _open_items(self.steps)

    def complain(self, sentence: str) -> None:
        """Note a violation."""
        self.wrong.append(sentence)

    def judge(self) -> list[str]:
        """Every obligation, at rest."""
        self.no_edit_lost()
        self.rows_show_the_hub()
        self.nothing_invented()
        self.no_deletion_undone()
        self.parked_items_left_rightly()
        self.no_needless_conflict()
        self.newest_not_behind()
        self.few_commands()
        return self.wrong + self.world.hub.complaints

    # P4

    def no_edit_lost(self) -> None:
        """P4: every edit is final, or replaced by someone who saw it, or named on record."""
        for act in self.acts:
            if act.kind == "decision":
                continue
            for name, value in act.wrote.items():
                if atoms(value) and not self._survives(act, name, value):
                    self.complain(f"P4: act {act.number} at {act.system}: {name}={value} is lost")

    def _survives(self, act: Act, name: str, value: Token) -> bool:
        if not self.final.deleted and token(self.final.values[name]) == value:
            return True
        if any(_replaces(other, act.at, name, value) for other in self.acts[act.number + 1 :]):
            return True
        if self._agreement(act, name, value) and any(_replaces(other, 0, name, value) for other in self.acts):
            return True
        if self._ended_out_of_sight(act, name):
            return True
        later = [step for step in self.steps if step.at >= act.at]
        if any(self._replaced_in_the_hub(step, name, value) for step in later):
            return True
        return any(_decided_away(step, name, value) for step in later) or any(
            _names(verdict, name, value) for step in later for verdict in step.verdicts
        )

    def _replaced_in_the_hub(self, step: Step, name: str, value: Token) -> bool:
        """Whether, while the hub had this value, an edit arrived of someone whose row showed it."""
        other = self._act(step)
        return other is not None and token(step.before.values[name]) == value and _replaces(other, 0, name, value)

    def _ended_out_of_sight(self, act: Act, name: str) -> bool:
        """Whether the record was deleted where this field is never shown: who deletes there has seen all there is."""
        tables = self.world.tables
        return any(other.kind == "delete" and name not in tables[other.system].lens.writable for other in self.acts)

    def _agreement(self, act: Act, name: str, value: Token) -> bool:
        """Whether this edit and another's, or the hub's, met as equals: who saw the one has seen the other."""
        since = self.processed.get(act.number, act.at)
        for step in self.steps:
            other = self._act(step)
            if step.at < since or other is None or other.wrote.get(name) != value:
                continue
            if token(step.before.values[name]) == value:
                return True
        return False

    # P5

    def rows_show_the_hub(self) -> None:
        """P5: at rest every row shows the hub value, save what is parked or refused."""
        for table in self.world.tables.values():
            if (table.name, EXISTENCE) not in self.open:
                self._judge_row(table)

    def _judge_row(self, table: Table) -> None:
        row, deleted = table.row, self.final.deleted
        if deleted:
            if row is not None and not self.world.hub.rules.ignores_deletes(table.name):
                self.complain(f"P5: {table.name} keeps a row of a deleted record")
        elif row is None:
            if not self._refuses(table, table.lens.writable):
                self.complain(f"P5: {table.name} has no row of a living record")
        else:
            for name in FIELDS:
                self._judge_field(table, row, name)

    def _judge_field(self, table: Table, row: Row, name: str) -> None:
        lens, value = table.lens, self.final.values[name]
        if name not in lens.writable or (table.name, name) in self.open:
            return
        together = frozenset(chain(*(unit.fields for unit in lens.units if name in unit.fields)))
        if self._refuses(table, together & lens.writable) or name not in lens.read(row):
            return
        if token(lens.read(row)[name]) != token(value):
            self.complain(f"P5: {table.name} shows {name}={row!r}, the hub has {value!r}")

    def _refuses(self, table: Table, names: frozenset[str]) -> bool:
        wanted = table.lens.put({name: self.final.values[name] for name in names}, None)
        return any(table.banned(value) for value in wanted.values())

    # P7, P8

    def nothing_invented(self) -> None:
        """P7, P8: no value, and no tuple of a group, that nobody wrote."""
        known: dict[str, set[Token]] = {name: {None, (None, None)} for name in FIELDS}
        for act in self.acts:
            for name, wrote in act.wrote.items():
                known[name].add(wrote)
        for step in self.steps:
            for name, value in step.after.values.items():
                if token(value) not in known[name]:
                    self.complain(f"P8: the hub's {name}={value!r} at offset {step.offset} was written by nobody")
        for table in self.world.tables.values():
            for _, row in table.effects.writes:
                for name, value in table.lens.get(row).items():
                    if token(value) not in known[name]:
                        self.complain(f"P7: {table.name} was given {name}={value!r}, written by nobody")

    # P9

    def no_deletion_undone(self) -> None:
        """P9: a deleted record lives again only on record, or by someone who wrote it anew."""
        if self.final.deleted:
            return
        for act in self.acts:
            if act.kind == "delete" and not self._may_live(act):
                self.complain(f"P9: the deletion by act {act.number} at {act.system} was undone")

    def _may_live(self, act: Act) -> bool:
        since = self.processed.get(act.number, act.at)
        anew = any(
            other.kind == "insert"
            and self.processed.get(other.number, 0) >= since
            and (other.was_present or self._dead_at(other.at))
            for other in self.acts
        )
        return anew or any(
            verdict.kind == "existence" and (verdict.current.value is None or verdict.incoming.value is None)
            for step in self.steps
            if step.at >= since
            for verdict in step.verdicts
        )

    def _dead_at(self, at: int) -> bool:
        earlier = [step for step in self.steps if step.at <= at]
        return bool(earlier) and earlier[-1].after.deleted

    # P10

    def parked_items_left_rightly(self) -> None:
        """P10: an item leaves by a decision on what was shown, by agreement, or by someone who saw it."""
        parked: dict[int, Verdict] = {}
        for step in self.steps:
            for verdict in step.verdicts:
                if verdict.winner == "parked":
                    parked[verdict.number] = verdict
                elif verdict.number in parked:
                    self._judge_leaving(step, parked.pop(verdict.number), verdict)
            self._judge_commands(step, parked)

    def _judge_leaving(self, step: Step, item: Verdict, end: Verdict) -> None:
        event = step.input.event
        fine = {
            "decision": lambda: self._was_shown(step, item),
            "agreement": lambda: self._agreed(step, item),
            "withdrawn": lambda: (
                isinstance(event, Changed) and event.system == item.incoming.system and self._act(step) is not None
            ),
            "deleted": lambda: (
                step.after.deleted and not (isinstance(event, Decided) and item.incoming.value is not None)
            ),
            "revived": lambda: not step.after.deleted,
        }
        if end.rule not in fine or not fine[end.rule]():
            self.complain(f"P10: item {item.number} ({item.field}) left at offset {step.offset} by {end.rule}")

    def _was_shown(self, step: Step, item: Verdict) -> bool:
        event = step.input.event
        look = self.world.decided.get(step.offset)
        if not isinstance(event, Decided) or look is None or event.item != str(item.number):
            return False
        names = FIELDS if item.field == EXISTENCE else (item.field,)
        same = all(look.golden.values[name] == step.before.values[name] for name in names)
        return same and look.golden.deleted == step.before.deleted and event.candidate == item.incoming.value

    def _agreed(self, step: Step, item: Verdict) -> bool:
        return item.field != EXISTENCE and token(item.incoming.value) == token(step.after.values[item.field])

    def _judge_commands(self, step: Step, parked: dict[int, Verdict]) -> None:
        """No command writes over what a row shows and a person has yet to decide."""
        held: dict[tuple[str, str], Token] = {
            (item.incoming.system, item.field): token(item.incoming.value)
            for item in parked.values()
            if item.number not in step.loose
        }
        for command in step.commands:
            if (command.system, EXISTENCE) in held:
                self.complain(f"P10: offset {step.offset} tells {command.system}, whose existence is parked")
            for name in self._written_over(command, held):
                self.complain(f"P10: offset {step.offset} writes over {name}, parked at {command.system}")

    def _written_over(self, command: Planned, held: dict[tuple[str, str], Token]) -> Iterator[str]:
        lens = self.world.tables[command.system].lens
        for unit in command.units:
            if unit.base is None or unit.set is None:
                continue
            then, now = lens.get(unit.base), lens.get(unit.set)
            for name in FIELDS:
                if name in then and then[name] != now.get(name) and (command.system, name) in held:
                    yield from [name] if token(then[name]) == held[command.system, name] else []

    # P11

    def no_needless_conflict(self) -> None:
        """P11: nobody's edit is a conflict when the row it was made on showed the hub value."""
        parked: set[int] = set()
        for step in self.steps:
            act = self._act(step)
            for verdict in step.verdicts:
                new = verdict.number not in parked
                if verdict.winner == "parked":
                    parked.add(verdict.number)
                if new and act is not None and verdict.kind == "value" and self._is_needless(step, act, verdict):
                    self.complain(f"P11: offset {step.offset}: act {act.number} on {verdict.field} saw the hub value")

    def _is_needless(self, step: Step, act: Act, verdict: Verdict) -> bool:
        name = verdict.field
        if verdict.incoming.system != act.system or act.saw_row is None or step.before.deleted:
            return False
        if isinstance(self.world.hub.rules.policies[name], Owner) or name not in act.wrote:
            return False
        side = self.world.hub.rules.sides[act.system]
        return side.shows(name, step.before.values[name], act.saw_row)

    def _act(self, step: Step) -> Act | None:
        return None if step.input.act is None else self.acts[step.input.act]

    # P12

    def newest_not_behind(self) -> None:
        """P12: where the newest wins, a winner is not older than what the loser was made from."""
        for step in self.steps:
            for verdict in step.verdicts:
                if verdict.rule == "newest" and verdict.winner == "incoming":
                    self._judge_age(step, verdict)

    def _judge_age(self, step: Step, verdict: Verdict) -> None:
        for ancestor in self._ancestry(verdict.field, token(verdict.current.value)):
            if self._merged_ts_us(ancestor) > verdict.incoming.ts_us:
                self.complain(
                    f"P12: offset {step.offset}: {verdict.field}={verdict.incoming.value!r} wins, "
                    f"older than act {ancestor.number}, from which the loser was made"
                )

    def _merged_ts_us(self, act: Act) -> int:
        for step in self.steps:
            if step.input.act == act.number and isinstance(step.input.event, Changed):
                return 0 if step.input.event.load else step.input.event.ts_us
        return 0

    def _ancestry(self, name: str, value: Token) -> Iterator[Act]:
        """The act that wrote a value, and those it was made from; empty as soon as it cannot be told."""
        seen: set[int] = set()
        while atoms(value):
            writers = [act for act in self.acts if act.wrote.get(name) == value]
            if len(writers) != 1 or writers[0].number in seen or writers[0].kind == "decision":
                return
            seen.add(writers[0].number)
            yield writers[0]
            parent = writers[0].saw.get(name)
            value = None if parent is None else parent.token

    # P6

    def few_commands(self) -> None:
        """P6: commands are bounded by edits and corrections."""
        world = self.world
        others = len(world.tables) - 1
        commands = sum(len(step.commands) for step in self.steps)
        verdicts = sum(len(step.verdicts) for step in self.steps)
        missed = sum(t.effects.rejected + t.effects.failed for t in world.tables.values())
        if commands > len(self.acts) * others + (verdicts + 1) * len(world.tables) + 2 * missed:
            self.complain(f"P6: {commands} commands for {len(self.acts)} acts, {verdicts} verdicts, {missed} misses")


def _replaces(other: Act, since: int, name: str, value: Token) -> bool:
    """Whether somebody wrote over, or deleted, a cell that showed this value since then."""
    cell = other.saw.get(name)
    if cell is None or cell.token != value or cell.at < since:
        return False
    return name in other.wrote or other.kind == "delete"


def _decided_away(step: Step, name: str, value: Token) -> bool:
    """Whether an operator, who is shown the record, ended it with this value in it."""
    decided = isinstance(step.input.event, Decided) and step.after.deleted and not step.before.deleted
    return decided and token(step.before.values[name]) == value


def _names(verdict: Verdict, name: str, value: Token) -> bool:
    """Whether a record names the value of this field on either side."""
    sides = (verdict.current.value, verdict.incoming.value)
    if verdict.field == name:
        return any(token(side) == value for side in sides)
    return verdict.field == EXISTENCE and any(token(held) == value for held in _pairs(sides, name))


def _pairs(sides: tuple[Value, Value], name: str) -> Iterator[Value]:
    for side in sides:
        for pair in side if isinstance(side, tuple) else ():
            if isinstance(pair, tuple) and len(pair) == 2 and pair[0] == name:
                yield pair[1]
            elif isinstance(pair, tuple) and len(pair) == 2 and pair[0] == EXISTENCE:
                yield from _pairs((pair[1], None), name)


def _first_merged(steps: list[Step]) -> dict[int, int]:
    first: dict[int, int] = {}
    for step in steps:
        if step.input.act is not None:
            first.setdefault(step.input.act, step.at)
    return first


def _open_items(steps: list[Step]) -> set[tuple[str, str]]:
    """Which (system, field) still waits for a person."""
    last = {verdict.number: verdict for step in steps for verdict in step.verdicts}
    return {(v.incoming.system, v.field) for v in last.values() if v.winner == "parked"}
