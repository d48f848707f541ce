"""A record between two systems, driven event by event: what the tests of the merge are written in."""

from dataclasses import dataclass, field
from typing import Any

from streams.merge import states
from streams.merge.events import (
    Amend,
    Amended,
    Answered,
    Changed,
    Decided,
    Event,
    Looked,
    Nudged,
    Outcome,
    Planned,
    Verdict,
)
from streams.merge.goldens import Golden, golden
from streams.merge.merge import merge
from streams.merge.rules import Newest, Policy, Rules
from streams.merge.values import Row, Value
from tests.simulation.lenses import Piece, SimpleLens, plain_lens

FIELDS = ("name", "phone")


def rules(
    policy: Policy | None = None, systems: tuple[str, ...] = ("crm", "erp"), lens: SimpleLens | None = None, **more: Any
) -> Rules:
    """Two text fields, the same lens everywhere unless `lens` is given for the last system."""
    lenses = {system: plain_lens(*FIELDS) for system in systems}
    if lens is not None:
        lenses[systems[-1]] = lens
    policies = {name: policy or Newest() for name in FIELDS}
    return Rules("contact", FIELDS, systems, policies, lenses, **more)


def upper_lens() -> SimpleLens:
    """A system that keeps names in upper case."""
    return SimpleLens((Piece("upper", ("name",), ("name",)), Piece("plain", ("phone",), ("phone",))))


@dataclass
class Scene:
    """A record and its log; every system's sequence number goes on by itself."""

    rules: Rules
    data: bytes | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    position: int = 0

    def give(self, event: Event) -> Outcome:
        """Merge one event as the processor does: from bytes to bytes."""
        state, outcome = merge(None if self.data is None else states.decode(self.data), event, self.rules)
        self.data = states.encode(state)
        self.outcomes.append(outcome)
        return outcome

    def change(self, system: str, after: Row | None, ts_us: int = 0, local_id: str = "[1]", **more: Any) -> Outcome:
        """A log entry; `position` may be given to repeat one."""
        self.position += 1
        position = more.pop("position", (1, self.position))
        ts_us = ts_us or 1000 + self.position
        return self.give(Changed(system=system, local_id=local_id, position=position, ts_us=ts_us, after=after, **more))

    def echo(self, system: str, after: Row | None, local_id: str = "[1]", **more: Any) -> Outcome:
        """The answer to the command that is out."""
        out = self.state.systems[system].out
        assert out is not None
        return self.change(system, after, local_id=local_id, command=f"r/{system}/{out.number}", **more)

    def decide(self, verdict: Verdict, value: Value, version: int | None = None, **more: Any) -> Outcome:
        """An operator decides what a verdict parked, seeing the record as it is."""
        record = self.golden
        newest = max([record.existence.version, *(p.version for p in record.provenance.values())])
        shown = newest if verdict.field == "$" else record.provenance[verdict.field].version
        candidate = more.get("candidate", verdict.incoming.value)
        version = shown if version is None else version
        return self.give(
            Decided(item=str(verdict.number), candidate=candidate, version=version, value=value, ts_us=9000)
        )

    def nudge(self, **more: Any) -> Outcome:
        """Nothing happened; plan anew, or do what the nudge asks."""
        return self.give(Nudged(**more))

    def look(self, system: str, after: Row | None, order: int, local_id: str = "[1]", **more: Any) -> Outcome:
        """A look at a row of a system without a log."""
        return self.give(Looked(system=system, local_id=local_id, order=order, ts_us=1000 + order, after=after, **more))

    def answer(self, system: str, found: tuple[int, Row | None], left: tuple[int, Row | None], **more: Any) -> Outcome:
        """The result of the command that is out, or of the one numbered `number`."""
        out = self.state.systems[system].out
        number = more.pop("number", None) or (out.number if out is not None else 0)
        return self.give(
            Answered(
                system=system, local_id=more.pop("local_id", "[1]"), command=f"r/{system}/{number}",
                found_order=found[0], found=found[1], left_order=left[0], left=left[1], ts_us=5000, **more,
            )
        )  # fmt: skip

    def amend(self, *fields: Amend, kind: Any = "undo") -> Outcome:
        """An operator amends the record."""
        return self.give(Amended(kind=kind, fields=fields, ts_us=9000))

    @property
    def state(self) -> states.State:
        """The state, decoded."""
        assert self.data is not None
        return states.decode(self.data)

    @property
    def golden(self) -> Golden:
        """The merged record."""
        return golden(self.state, self.rules)


def row(name: Value = "Ada", phone: Value = "1") -> dict[str, Value]:
    """A local row."""
    return {"name": name, "phone": phone}


def in_step(given: Rules) -> Scene:
    """A record that crm created and every other system has taken over."""
    scene = Scene(given)
    scene.change("crm", row())
    for system in given.systems[1:]:
        scene.echo(system, sent(scene, system).units[0].set)
    return scene


def sent(scene: Scene, system: str) -> Planned:
    """The last command planned for a system."""
    return [command for outcome in scene.outcomes for command in outcome.commands if command.system == system][-1]
