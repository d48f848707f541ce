"""The hub of the simulated world: the record's log, the production merge, its state, and its crashes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from streams.merge import states
from streams.merge.events import Changed, Decided, Event, Outcome, Planned, Verdict
from streams.merge.goldens import Golden, golden
from streams.merge.merge import merge, merge_generally
from streams.merge.rules import Rules
from tests.simulation.tables import Mistakes


class Input(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One message of the record's log. `rules` hold from here on, if given. `acts` are the oracle's: whose edits."""

    event: Event | None
    acts: tuple[int, ...] = ()
    rules: Rules | None = None


class Step(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What one input led to the first time it was merged, and the record before and after."""

    offset: int
    at: int
    input: Input
    rules: Rules
    commands: tuple[Planned, ...]
    verdicts: tuple[Verdict, ...]
    before: Golden
    after: Golden
    refusal: str
    loose: frozenset[int]
    forget: bool

    @property
    def event(self) -> Event | None:
        """The event merged; None where only the rules changed."""
        return self.input.event


@dataclass
class Hub:
    """One partition's worth of the merge processor, holding one record.

    `twice`: every event is also merged by the general rules alone, from the bytes, and must come to the same.
    """

    rules: Rules
    mistakes: Mistakes
    log: list[Input] = field(default_factory=list)
    ruling: list[Rules] = field(default_factory=list)
    offset: int = 0
    data: bytes | None = None
    twice: bool = False
    steps: list[Step] = field(default_factory=list)
    queues: dict[str, list[tuple[int, Planned]]] = field(default_factory=dict)
    crashes_between: int = 0
    zombies: int = 0
    complaints: list[str] = field(default_factory=list)
    merged: set[object] = field(default_factory=set)
    stale: list[tuple[int, bytes | None, list[tuple[int, Planned]]]] = field(default_factory=list)
    _goldens: dict[bytes | None, Golden] = field(default_factory=dict)
    _records: dict[tuple[object, ...], Golden] = field(default_factory=dict)
    _held: tuple[bytes, states.State] | None = None

    def append(self, given: Input) -> None:
        """The next message of the record's log; changed rules hold from it on."""
        if given.rules is not None:
            self.rules = given.rules
        self.log.append(given)
        self.ruling.append(self.rules)

    def work(self, count: int, now: int, crash: Callable[[], bool]) -> None:
        """Merge a batch. A crash after the outputs went out loses the state, and the batch is merged again."""
        data, end = self.data, min(self.offset + count, len(self.log))
        state = None if end == self.offset else self.state()
        emitted: list[tuple[int, Planned]] = []
        if end > self.offset:
            self._held = None
        for offset in range(self.offset, end):
            state, data, commands = self._merge(state, data, offset, now)
            emitted += [(offset, command) for command in commands]
        if self.mistakes.state_first:
            self.data, self.offset = data, end
        if self.mistakes.state_first and emitted and crash():
            self.crashes_between += 1
            return
        self.emit(emitted)
        if end > self.offset and crash():
            self.crashes_between += bool(emitted)
            self.stale.append((end, data, emitted))
            return
        if data is not None and state is not None:
            self._held = data, state
        self.data, self.offset = data, end

    def state(self) -> states.State | None:
        """The record's state as it was stored: the one in memory while the hub has not crashed, else its bytes."""
        if self.data is None:
            return None
        if self._held is None or self._held[0] is not self.data:
            self._held = self.data, states.decode(self.data)
        return self._held[1]

    def emit(self, commands: list[tuple[int, Planned]]) -> None:
        """Commands go to the sinks' queues."""
        for offset, command in commands:
            self.queues.setdefault(command.system, []).append((offset, command))

    def haunt(self, stale: tuple[int, bytes | None, list[tuple[int, Planned]]]) -> None:
        """An instance thought dead writes what it had in hand. A state older than what is known is not read."""
        offset, data, commands = stale
        self.zombies += 1
        self.emit(commands)
        if self.mistakes.stale_state and offset <= self.offset:
            self.data = data

    def _merge(
        self, state: states.State | None, data: bytes | None, offset: int, now: int
    ) -> tuple[states.State | None, bytes | None, list[Planned]]:
        given, rules = self.log[offset], self.ruling[offset]
        if given.event is None:
            self._compare(self._step(offset, now, data, data, rules, None), data, data)
            return state, data, []
        other = merge_generally(states.decode(data), given.event, rules) if self.twice and data is not None else None
        state, outcome = merge(state, given.event, rules)
        encoded = states.encode(state)
        if other is not None and (other[1] != outcome or states.encode(other[0]) != encoded):
            self.complaints.append(f"P3: offset {offset} is decided otherwise by the rules for all cases")
        if encoded == data:
            encoded = data
        else:
            state = self._reread(encoded)
        self._compare(self._step(offset, now, data, encoded, rules, (outcome, state)), data, encoded)
        return state, encoded, outcome.commands

    def _reread(self, encoded: bytes) -> states.State:
        """The state as its bytes have it: what does not survive them is lost here, as it would be by a crash."""
        decoded = states.decode(encoded)
        if encoded not in self._goldens:
            if states.encode(decoded) != encoded:
                self.complaints.append("codec: a state does not survive its bytes")
            self._goldens[encoded] = self._golden(decoded)
        return decoded

    def _step(
        self,
        offset: int,
        now: int,
        data: bytes | None,
        encoded: bytes | None,
        rules: Rules,
        came: tuple[Outcome, states.State] | None,
    ) -> Step:
        before, after = self.golden(data), self.golden(encoded)
        if came is None:
            return Step(offset, now, self.log[offset], rules, (), (), before, after, "", frozenset(), False)
        outcome, state = came
        return Step(
            offset,
            now,
            self.log[offset],
            rules,
            tuple(outcome.commands),
            tuple(outcome.verdicts),
            before,
            after,
            outcome.refusal,
            frozenset(state.loose),
            outcome.forget,
        )

    def _compare(self, step: Step, data: bytes | None, encoded: bytes | None) -> None:
        """The first run is kept; a run after a crash must give the same, and a repeat nothing."""
        if step.offset < len(self.steps):
            first = self.steps[step.offset]
            if (first.commands, first.verdicts, first.after) != (step.commands, step.verdicts, step.after):
                self.complaints.append(f"P3: offset {step.offset} was decided otherwise after a crash")
            return
        self.steps.append(step)
        name = _identity(step.event)
        if name in self.merged and (step.commands or step.verdicts or data != encoded):
            self.complaints.append(f"P1: the repeat at offset {step.offset} changed something")
        if not step.refusal:
            self.merged.add(name)

    def golden(self, data: bytes | None) -> Golden:
        """The record as the golden topic has it."""
        if data not in self._goldens:
            self._goldens[data] = self._golden(states.State() if data is None else states.decode(data))
        return self._goldens[data]

    def _golden(self, state: states.State) -> Golden:
        """Of states that hold the same record the same object: most events leave the record as it was."""
        held = [(name, f.value, f.version, f.ts_us, f.by) for name, f in state.fields.items()]
        key = tuple(held)
        if key not in self._records:
            self._records[key] = golden(state, self.rules)
        return self._records[key]

    def replay(self) -> None:
        """P3: from the log alone, the same state, commands and verdicts."""
        state: states.State | None = None
        for step, given, rules in zip(self.steps, self.log, self.ruling, strict=True):
            if given.event is None:
                continue
            state, outcome = merge(state, given.event, rules)
            if (tuple(outcome.commands), tuple(outcome.verdicts)) != (step.commands, step.verdicts):
                self.complaints.append(f"P3: replay decides offset {step.offset} otherwise")
        if state is not None and states.encode(state) != self.data:
            self.complaints.append("P3: replay ends in another state")


def _identity(event: Event | None) -> object:
    if isinstance(event, Changed):
        return event.system, event.local_id, event.position
    return ("decision", event.item) if isinstance(event, Decided) else object()
