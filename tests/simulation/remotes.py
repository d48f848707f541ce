"""A system without a log: its connector looks at the row now and then, and its sink says what it found and left.

In the closed variant the application numbers the states of the row, a write says which state it was made for, and the
sink keeps its last result until it is known to have arrived. Each of these can be left open.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from streams.merge.events import Answered, Looked, Planned
from tests.simulation.acts import Act
from tests.simulation.hubs import Input
from tests.simulation.tables import Entry, Table, Trigger
from tests.simulation.tokens import token


@dataclass
class Remote:
    """The connector of one application: looks and results on their way to the hub, in any order."""

    table: Table
    random: random.Random
    pending: list[Looked | Answered] = field(default_factory=list)
    results: dict[int, Answered] = field(default_factory=dict)
    lost: list[Answered] = field(default_factory=list)
    glanced: int = 0
    revealed: int = 0
    answered: int = 0
    arrivals: int = 0
    coalesced: int = 0
    late_results: int = 0
    known: set[int] = field(default_factory=set)

    def is_invisible(self, act: Act, name: str | None) -> bool:
        """Whether what an act did to a field (None: to the row) was undone again before anybody looked."""
        log = self.table.log
        first = next(place for place, entry in enumerate(log) if entry.act == act.number)
        until = first
        while until < len(log) and self._stands(log[until], act, name):
            until += 1
        if name is None and self.known.isdisjoint(range(self._came_before(first) + 1, first + 1)):
            return True
        last = max((order for order in self.known if 0 < order <= first), default=0)
        if name is not None and last and self._stands(log[last - 1], act, name):
            return True
        if until < len(log) and log[until].act is None:
            return False  # not a user's doing: a write that nobody had asked what it was made for
        return self.known.isdisjoint(range(first + 1, until + 1))

    def _came_before(self, place: int) -> int:
        """Since which entry there was the row that went with this one."""
        while place > 0 and self.table.log[place - 1].after is not None:
            place -= 1
        return place

    def _stands(self, entry: Entry, act: Act, name: str | None) -> bool:
        if name is None or entry.after is None:
            return (entry.after is None) == (name is None)
        return token(self.table.lens.get(entry.after).get(name)) == act.wrote[name]

    def glance(self) -> bool:
        """Read the row as it is now; what was done and undone since the last look stays unknown."""
        log = self.table.log
        if self.glanced == len(log):
            return False
        self.coalesced += len(log) - self.glanced > 1
        self.glanced = len(log)
        row = None if self.table.row is None else dict(self.table.row)
        self.pending.append(
            Looked(
                system=self.table.name,
                local_id=self.table.local_id,
                order=len(log),
                ts_us=log[-1].ts_us,
                after=row,
                load=log[-1].load,
            )
        )
        return True

    def deliver(self, now: int, again: bool = False) -> Input | None:
        """Something that waits goes to the hub, in any order; `again`: and stays, to go once more."""
        if not self.pending:
            return None
        place = self.random.randrange(len(self.pending))
        event = self.pending[place] if again else self.pending.pop(place)
        if isinstance(event, Answered):
            self.late_results += place > 0
        return self._input(event, now)

    def _input(self, event: Looked | Answered, now: int) -> Input:
        order = event.order if isinstance(event, Looked) else event.left_order
        # With an answer comes what looks showed while it was waited for.
        since = self.answered if isinstance(event, Answered) else self.revealed
        self.revealed = max(self.revealed, order)
        until = self.revealed if isinstance(event, Answered) else order
        news = [entry.act for entry in self.table.log[since:until] if entry.act is not None]
        if isinstance(event, Answered):
            self.known |= {event.found_order, order}
            self.answered = self.revealed
            return Input(_answered(event, now), tuple(dict.fromkeys(news)))
        if order > self.answered:  # else it comes too late to tell what was between the looks that an answer settled
            self.known.add(order)
        if self.table.mistakes.unnumbered_looks:
            self.arrivals += 1
            order = self.arrivals
        return Input(_looked(event, now, order), tuple(dict.fromkeys(news)))

    def serve(
        self, offset: int, command: Planned, name: str, now: int, ts_us: int, trigger: Trigger, edit: Callable[[], None]
    ) -> bool:
        """Carry a command out, and answer; one that was carried out before is only answered again.

        Returns False when the sink died between the write and its answer, and must be given the command again.
        """
        table, mistakes = self.table, self.table.mistakes
        if offset <= table.fence:
            table.effects.fenced += 1
            if offset in self.results:
                self.pending.append(self.results[offset])
            return True
        fence, found, found_order = table.fence, table.row, len(table.log)
        if mistakes.no_condition and command.op == "u" and found is not None and self.random.random() < 0.3:
            edit()
            if table.row is not None:
                table.overwrite(command, found, name, now, ts_us)
                table.fence = offset
                self._answer(offset, command, name, found_order, found, table.log[-1])
                return True
            found, found_order = None, len(table.log)
        table.apply(command, name, offset, now, ts_us, trigger)
        if mistakes.crash_before_result and self.random.random() < 0.3:
            table.fence = fence
            return False
        self._answer(offset, command, name, found_order, found, table.log[-1])
        return True

    def _answer(self, offset: int, command: Planned, name: str, found_order: int, found: object, entry: Entry) -> None:
        left_order = entry.sequence
        if self.table.mistakes.unnumbered_looks:
            found_order, left_order = self.arrivals + 1, self.arrivals + 2
            self.arrivals += 2
        answer = Answered(
            system=self.table.name,
            local_id=self.table.local_id,
            command=name,
            found_order=found_order,
            found=found,  # type: ignore[arg-type]
            left_order=left_order,
            left=None if self.table.row is None else dict(self.table.row),
            ts_us=entry.ts_us,
            failed=entry.failed,
        )
        self.results[offset] = answer
        (self.lost if self.random.random() < 0.15 else self.pending).append(answer)

    def send_again(self) -> bool:
        """The sink finds that an answer never arrived, and sends it again. Returns whether there was one."""
        self.pending += self.lost
        found, self.lost = bool(self.lost), []
        return found


def _looked(event: Looked, now: int, order: int) -> Looked:
    return Looked(
        system=event.system,
        local_id=event.local_id,
        order=order,
        ts_us=min(event.ts_us, now),
        after=event.after,
        load=event.load,
        at_us=now,
    )


def _answered(event: Answered, now: int) -> Answered:
    return Answered(
        system=event.system,
        local_id=event.local_id,
        command=event.command,
        found_order=event.found_order,
        found=event.found,
        left_order=event.left_order,
        left=event.left,
        ts_us=min(event.ts_us, now),
        failed=event.failed,
        at_us=now,
    )
