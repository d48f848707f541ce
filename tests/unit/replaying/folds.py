"""Histories of the simulated world, folded by the true rules and beside them by others."""

from dataclasses import dataclass, field, replace

from streams.merge import states
from streams.merge.events import Amended, Event, Planned, Verdict
from streams.merge.goldens import Golden, golden
from streams.merge.merge import merge
from streams.merge.rules import Rules
from streams.merge.states import State
from streams.replaying.shadows import Orphan, Truth, finish, follow
from tests.simulation.worlds import World


@dataclass
class Fold:
    """A record under its true rules and under others, event by event."""

    true_rules: Rules
    other_rules: Rules
    apart: bool = False
    true: bytes | None = None
    other: bytes | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    separations: int = 0

    def give(self, event: Event) -> None:
        """Merge one event by both rules; `apart` treats the states as different even while they are equal."""
        before = decoded(self.true)
        after, outcome = merge(decoded(self.true), event, self.true_rules)
        if outcome.refusal:
            after = decoded(self.true) or State()
        together = not self.apart and self.true == self.other
        followed = follow(decoded(self.other), event, Truth(before, after), self.other_rules, together=together)
        self.true, self.other = states.encode(after), states.encode(followed.state)
        self.verdicts += followed.verdicts
        self.orphans += followed.orphans
        self.separations += together and self.true != self.other

    def goldens(self) -> tuple[Golden, Golden]:
        """The record under the true rules, and under the others."""
        true, other = decoded(self.true), decoded(self.other)
        assert true is not None
        assert other is not None
        return golden(true, self.true_rules), golden(other, self.other_rules)

    def finished(self) -> tuple[Planned, ...]:
        """What the other rules would send at the end."""
        other = decoded(self.other)
        assert other is not None
        return finish(other, self.other_rules, 0)[1]


def decoded(data: bytes | None) -> State | None:
    return None if data is None else states.decode(data)


def world(seed: int) -> World:
    """A simulated history, at rest, with everything in it that can go wrong."""
    made = World(seed)
    made.run()
    made.drain()
    return made


def folded(made: World, other: Rules | None = None, apart: bool = False) -> Fold:
    """The world's log under the rules that held at each place, and beside them under others, or the same."""
    fold = Fold(made.hub.rules, other or made.hub.rules, apart)
    for given, rules in zip(made.hub.log, made.hub.ruling, strict=True):
        fold.true_rules, fold.other_rules = rules, other or rules
        if given.event is not None:
            fold.give(_of_a_person(given.event))
    return fold


def _of_a_person(event: Event) -> Event:
    """Amendments of a replay are left out on purpose; as a person's they count."""
    return replace(event, kind="edit") if isinstance(event, Amended) else event
