"""The same histories merged as others do it: what each of them loses without a word.

`newest`: a record is one thing; the later change, by the source's clock, wins as a whole and is written everywhere,
without asking what the row holds. Its own writes are told apart exactly. `window`: fields are merged, the later one
wins; its own writes are told apart by time: what a system reports soon after a write to it is taken for that write.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from streams.merge.events import Changed, Planned, PlannedUnit
from streams.merge.goldens import Golden, Provenance
from streams.merge.rules import Rules
from streams.merge.values import Value
from tests.simulation import losses, resting
from tests.simulation.acts import Act
from tests.simulation.campaigns import Campaign
from tests.simulation.cases import Case
from tests.simulation.hubs import Hub, Input, Step
from tests.simulation.tables import Mistakes
from tests.simulation.tokens import atoms
from tests.simulation.worlds import World

NAMES = ("newest", "window-20", "window-100", "window-500")
Outcome = Counter[str]


@dataclass
class NaiveHub(Hub):
    """Keeps the values, when each was written, and the rows as last reported; no versions, no states to lose."""

    window_us: int | None = None
    values: dict[str, Value] = field(default_factory=dict)
    written_us: dict[str, int] = field(default_factory=dict)
    record_us: int = -(1 << 62)
    deleted: bool = True
    rows: dict[str, dict[str, Value] | None] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    told_us: dict[str, int] = field(default_factory=dict)
    number: int = 0

    def work(self, count: int, now: int, crash: object) -> None:
        """Merge a batch; nothing ever goes wrong here."""
        end = min(self.offset + count, len(self.log))
        for offset in range(self.offset, end):
            given, before = self.log[offset], self.golden(None)
            commands = tuple(self._merged(given, now))
            self.emit([(offset, command) for command in commands])
            after = self.golden(None)
            self.steps.append(Step(offset, now, given, self.rules, commands, (), before, after, "", frozenset(), False))
        self.offset = end

    def golden(self, data: bytes | None) -> Golden:
        values = {name: self.values.get(name) for name in self.rules.fields}
        provenance = {name: Provenance("", self.written_us.get(name, 0), 0) for name in values}
        return Golden(values, provenance, Provenance("", 0, 0), self.deleted)

    def _merged(self, given: Input, now: int) -> Iterator[Planned]:
        event = given.event
        if not isinstance(event, Changed):
            return
        before = self.rows.get(event.system)
        self.rows[event.system] = None if event.after is None else dict(event.after)
        self.ids[event.system] = event.local_id
        if self._is_own(event, now):
            return
        if event.after is None:
            yield from self._buried(event, now)
        elif self.window_us is None:
            yield from self._as_a_record(event, now)
        else:
            yield from self._by_fields(event, before, now)

    def _is_own(self, event: Changed, now: int) -> bool:
        if self.window_us is None:
            return event.command is not None
        return now - self.told_us.get(event.system, -(1 << 62)) <= self.window_us

    def _buried(self, event: Changed, now: int) -> Iterator[Planned]:
        if event.ts_us >= self.record_us or self.window_us is not None:
            self.deleted, self.record_us = True, event.ts_us
        yield from self._tell(now)

    def _as_a_record(self, event: Changed, now: int) -> Iterator[Planned]:
        if event.ts_us >= self.record_us:
            assert event.after is not None
            self.values.update(self.rules.lenses[event.system].get(event.after))
            self.deleted, self.record_us = False, event.ts_us
        yield from self._tell(now)

    def _by_fields(self, event: Changed, before: dict[str, Value] | None, now: int) -> Iterator[Planned]:
        lens = self.rules.lenses[event.system]
        assert event.after is not None
        found, then = lens.get(event.after), {} if before is None else lens.get(before)
        for name, value in found.items():
            is_new = name not in then or then[name] != value
            if is_new and event.ts_us >= self.written_us.get(name, -(1 << 62)):
                self.values[name], self.written_us[name] = value, event.ts_us
        self.deleted = False
        yield from self._tell(now)

    def _tell(self, now: int) -> Iterator[Planned]:
        for system in self.rules.systems:
            row, lens = self.rows.get(system), self.rules.lenses[system]
            if not lens.writable or (self.deleted and (row is None or self.rules.ignores_deletes(system))):
                continue
            want = None if self.deleted else lens.put({n: self.values.get(n) for n in lens.writable}, row)
            if want == row:
                continue
            self.number += 1
            self.told_us[system] = now
            op = "d" if want is None else "c" if row is None else "u"
            yield Planned(system, self.number, op, self.ids.get(system), (PlannedUnit(row, want),))  # type: ignore[arg-type]


def _naive(window_us: int | None, rules: Rules, mistakes: Mistakes) -> Hub:
    return NaiveHub(rules, mistakes, window_us=window_us)


def outcome(name: str, seed: int) -> Outcome:
    """What one history comes to under a baseline: edits made and lost, and other harm."""
    window_us = None if name == "newest" else int(name.partition("-")[2])
    world = World(seed, Mistakes(blind_write=True, blind_delete=True), "mixed", partial(_naive, window_us))
    world.run()
    if not world.drain():
        return Counter(histories=1, endless=1)
    case = Case(world)
    edits = [(act, n, v) for act in case.acts if act.kind != "decision" for n, v in act.wrote.items() if atoms(v)]
    lost = sum(not _is_kept(case, act, n, v) for act, n, v in edits)
    return Counter(
        histories=1,
        edits=len(edits),
        lost=lost,
        losing=lost > 0,
        apart=any(True for _ in resting.rows_show_the_hub(case)),
        torn=any(True for _ in resting.nothing_invented(case)),
        undeleted=any(True for _ in losses.no_deletion_undone(case)),
    )


def _is_kept(case: Case, act: Act, name: str, value: object) -> bool:
    return losses.survives(case, act, name, value)  # type: ignore[arg-type]


def _portion(name: str, seeds: range) -> Outcome:
    return sum((outcome(name, seed) for seed in seeds), Counter())


def report(name: str, campaign: Campaign, workers: int) -> str:
    """One line on a campaign of this baseline."""
    with get_context("spawn").Pool(workers) as pool:
        found: Outcome = sum(pool.map(partial(_portion, name), campaign.chunks()), Counter())
    share = found["lost"] / max(1, found["edits"])
    return (
        f"{name}: {found['histories']} histories, {found['edits']} edits, {found['lost']} lost silently "
        f"({share:.1%}), in {found['losing']} histories; {found['apart']} ended with systems apart, "
        f"{found['undeleted']} with a delete undone, {found['torn']} with torn values, "
        f"{found['endless']} never came to rest"
    )
