"""The hub of the simulated world: the record's log, the production merge, its state, and its crashes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.merge import states
from streams.merge.events import Changed, Decided, Event, Planned, Verdict
from streams.merge.goldens import Golden, golden
from streams.merge.merge import merge
from streams.merge.rules import Rules
from tests.simulation.tables import Mistakes


@dataclass(frozen=True)
class Input:
    """One message of the record's log. `act` is the oracle's."""

    event: Event
    act: int | None = None


@dataclass(frozen=True)
class Step:
    """What one input led to the first time it was merged, and the record before and after."""

    offset: int
    at: int
    input: Input
    commands: tuple[Planned, ...]
    verdicts: tuple[Verdict, ...]
    before: Golden
    after: Golden
    refusal: str
    loose: frozenset[int]


@dataclass
class Hub:
    """One partition's worth of the merge processor, holding one record."""

    rules: Rules
    mistakes: Mistakes
    log: list[Input] = field(default_factory=list)
    offset: int = 0
    data: bytes | None = None
    steps: list[Step] = field(default_factory=list)
    queues: dict[str, list[tuple[int, Planned]]] = field(default_factory=dict)
    crashes_between: int = 0
    complaints: list[str] = field(default_factory=list)
    merged: set[object] = field(default_factory=set)

    def work(self, count: int, now: int, crash: Callable[[], bool]) -> None:
        """Merge a batch. A crash after the outputs went out loses the state, and the batch is merged again."""
        data, end = self.data, min(self.offset + count, len(self.log))
        emitted: list[tuple[int, Planned]] = []
        for offset in range(self.offset, end):
            data, commands = self._merge(data, offset, now)
            emitted += [(offset, command) for command in commands]
        if self.mistakes.state_first:
            self.data, self.offset = data, end
        if self.mistakes.state_first and emitted and crash():
            self.crashes_between += 1
            return
        for offset, command in emitted:
            self.queues.setdefault(command.system, []).append((offset, command))
        if end > self.offset and crash():
            self.crashes_between += bool(emitted)
            return
        self.data, self.offset = data, end

    def _merge(self, data: bytes | None, offset: int, now: int) -> tuple[bytes, list[Planned]]:
        given = self.log[offset]
        before = self.golden(data)
        state, outcome = merge(None if data is None else states.decode(data), given.event, self.rules)
        encoded = states.encode(state)
        if states.encode(states.decode(encoded)) != encoded:
            self.complaints.append("codec: a state does not survive its bytes")
        step = Step(
            offset,
            now,
            given,
            tuple(outcome.commands),
            tuple(outcome.verdicts),
            before,
            golden(state, self.rules),
            outcome.refusal,
            frozenset(state.loose),
        )
        self._compare(step, data, encoded)
        return encoded, outcome.commands

    def _compare(self, step: Step, data: bytes | None, encoded: bytes) -> None:
        """The first run is kept; a run after a crash must give the same, and a repeat nothing."""
        if step.offset < len(self.steps):
            first = self.steps[step.offset]
            if (first.commands, first.verdicts, first.after) != (step.commands, step.verdicts, step.after):
                self.complaints.append(f"P3: offset {step.offset} was decided otherwise after a crash")
            return
        self.steps.append(step)
        name = _identity(step.input.event)
        if name in self.merged and (step.commands or step.verdicts or data != encoded):
            self.complaints.append(f"P1: the repeat at offset {step.offset} changed something")
        if not step.refusal:
            self.merged.add(name)

    def golden(self, data: bytes | None) -> Golden:
        """The record as the golden topic has it."""
        return golden(states.State() if data is None else states.decode(data), self.rules)

    def replay(self) -> None:
        """P3: from the log alone, the same state, commands and verdicts."""
        state: states.State | None = None
        for step, given in zip(self.steps, self.log, strict=True):
            state, outcome = merge(state, given.event, self.rules)
            if (tuple(outcome.commands), tuple(outcome.verdicts)) != (step.commands, step.verdicts):
                self.complaints.append(f"P3: replay decides offset {step.offset} otherwise")
        if state is not None and states.encode(state) != self.data:
            self.complaints.append("P3: replay ends in another state")


def _identity(event: Event) -> object:
    if isinstance(event, Changed):
        return event.system, event.local_id, event.position
    return ("decision", event.item) if isinstance(event, Decided) else object()
