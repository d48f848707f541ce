"""A record log of one record, merged as it grows: what the tests of explanations are written in."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from duplex.explaining.explanation import Subject, explain
from duplex.explaining.facts import Explanation
from duplex.explaining.steps import Step
from schemas.messages import Change, Decision, Message, Nudge, Origin
from streams.merge import states
from streams.merge.events import Changed, Decided, Event, Nudged
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.merge.values import Row

RECORD = "r"
PARTITION = 2


@dataclass
class Log:
    """Offsets count by ten; an event is appended 5 ms after it was made; sequence numbers go on by themselves."""

    rules: Rules
    data: bytes | None = None
    steps: list[Step] = field(default_factory=list)
    seq: int = 0

    def edit(self, system: str, after: Row | None, **more: Any) -> Step:
        """An entry of a user's; `local_id`, `ts_us` and `op` may be given."""
        self.seq += 1
        ts_us = more.pop("ts_us", self.seq * 1_000_000)
        change = _change(system, after, self.seq, ts_us, **more)
        failed = change.origin.error if change.origin else None
        event = Changed(
            system=system,
            local_id=change.local_id,
            position=(1, self.seq),
            ts_us=ts_us,
            after=after,
            command=change.origin.command if change.origin else None,
            failed=failed,
            load=change.op == "r",
        )
        return self.give(change, event)

    def echo(self, system: str, after: Row | None, error: str | None = None, **more: Any) -> Step:
        """The answer to the command that is out."""
        out = self.state.systems[system].out
        assert out is not None
        outcome = "failed" if error else "applied"
        origin = Origin(command=f"r/{system}/{out.number}", record_id=RECORD, hop=1, outcome=outcome, error=error)  # type: ignore[arg-type]
        return self.edit(system, after, origin=origin, **more)

    def obey(self, system: str) -> Step:
        """The system's row takes the whole command that is out, and says so."""
        out = self.state.systems[system].out
        assert out is not None
        row = dict(self.state.systems[system].image or {})
        for unit in out.units:
            row |= unit.set or {}
        return self.echo(system, None if out.op == "d" else row)

    def decide(self, item: int, field_name: str, value: Any) -> Step:
        """An operator decides an item, seeing it as it is."""
        found = next(one for one in _items(self.state) if one.number == item)
        shown, version = found.shown(), self.state.fields[field_name].version
        message = Decision(
            record_id=RECORD, entity="contact", item=str(item), candidate=None, version=version, value=None,
            decided_by="the operator", reason="asked by phone", ts_us=77_000_000,
        )  # fmt: skip
        event = Decided(item=str(item), candidate=shown, version=version, value=value, ts_us=77_000_000)
        return self.give(message, event)

    def nudge(self, **more: Any) -> Step:
        nudge = Nudge(record_id=RECORD, entity="contact", **{"reason": "retry", **more})
        return self.give(nudge, Nudged(reason=nudge.reason, system=nudge.system))

    def give(self, message: Message, event: Event) -> Step:
        """Merge one event as the processor does: from bytes to bytes."""
        before = None if self.data is None else states.decode(self.data)
        after, outcome = merge(None if self.data is None else states.decode(self.data), event, self.rules)
        offset = len(self.steps) * 10
        after.offset = offset
        if not outcome.repeated:
            self.data = states.encode(after)
        step = Step(
            partition=PARTITION,
            offset=offset,
            log_us=self.seq * 1_000_000 + 5_000,
            message=message,
            event=event,
            before=before,
            after=self.state,
            outcome=outcome,
            rules=self.rules,
        )
        self.steps.append(step)
        return step

    @property
    def state(self) -> states.State:
        assert self.data is not None
        return states.decode(self.data)

    def explain(self, history: bool = False, since: int = 0) -> Explanation:
        """The explanation by the steps from number `since` on."""
        return explain(Subject(RECORD, PARTITION, self.state, self.rules), self.steps[since:], since, history)


def _items(state: states.State) -> list[states.Item]:
    return [item for entry in state.systems.values() for item in entry.dissent.values()]


def _change(system: str, after: Row | None, seq: int, ts_us: int, **more: Any) -> Change:
    image = None if after is None else msgspec.json.encode(after).decode()
    given = {"op": "d" if after is None else "u", "local_id": "[1]", "transaction": 700 + seq} | more
    return Change(system=system, entity="contact", table="t", incarnation=1, seq=seq, after=image, ts_us=ts_us, **given)
