"""The operator: looks at what is parked, hesitates, decides; amends records; nudges what is stuck."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from streams.merge import existence, states
from streams.merge.decisions import shown_version
from streams.merge.events import Amend, Amended, Decided, Nudged, Outcome
from streams.merge.goldens import Golden
from streams.merge.turns import Turn
from streams.merge.values import EXISTENCE, Value
from tests.simulation.acts import Look, operators_act
from tests.simulation.draws import MEMBERS
from tests.simulation.hubs import Input
from tests.simulation.tokens import token

if TYPE_CHECKING:
    from tests.simulation.worlds import World


@dataclass
class Operator:
    """One person, who acts on what was shown, perhaps long before. By offset: what a decision or amendment saw."""

    world: "World"
    looks: list[Look] = field(default_factory=list)
    drafts: list[tuple[Golden, tuple[Amend, ...]]] = field(default_factory=list)
    decided: dict[int, Look] = field(default_factory=dict)
    amended: dict[int, Golden] = field(default_factory=dict)
    retried: int = 0

    def look(self) -> None:
        """Look at what is parked."""
        parked, state = self._parked()
        if state is not None and parked:
            self._look_at(self.world.random.choice(parked), state)

    def _parked(self) -> tuple[list[states.Item], states.State | None]:
        state = self.world.hub.state()
        return ([] if state is None else existence.parked(Turn(state, self.world.hub.rules, Outcome()))), state

    def _look_at(self, item: states.Item, state: states.State) -> None:
        version = shown_version(Turn(state, self.world.hub.rules, Outcome()), item.field)
        golden = self.world.hub.golden(self.world.hub.data)
        self.looks.append(Look(item.number, item.field, item.shown(), version, golden))

    def decide(self) -> None:
        """Decide something looked at before, perhaps long before."""
        if not self.looks:
            return
        world, look = self.world, self.world.random.choice(self.looks)
        event = Decided(
            item=str(look.item),
            candidate=look.candidate,
            version=look.version,
            value=self._decision(look),
            ts_us=world.now,
            at_us=world.now,
        )
        for _ in range(2 if world.chance(world.profile.repeat) else 1):
            self.decided[len(world.hub.log)] = look
            world.hub.append(Input(event))

    def _decision(self, look: Look) -> Value:
        if look.field == EXISTENCE:
            return self.world.random.choice((None, True))
        return self.world.random.choice((look.candidate, look.golden.values[look.field], self._third(look.field)))

    def _third(self, name: str) -> Value:
        text = self.world.users.text
        value: Value = tuple(text() for _ in range(MEMBERS)) if name == "g" else text()
        self.world.acts.append(operators_act(len(self.world.acts), self.world.now, {name: token(value)}))
        return value

    def draft(self) -> None:
        """Look at the record, and note what to give it."""
        world = self.world
        golden = world.hub.golden(world.hub.data)
        if not any(held.version for held in golden.provenance.values()):
            return
        names = world.random.sample(list(golden.values), world.random.choice((1, 1, 2)))
        amends = tuple(Amend(n, golden.provenance[n].version, self._wanted(n)) for n in names)
        if world.chance(0.15):
            newest = max(held.version for held in (golden.existence, *golden.provenance.values()))
            amends = (Amend(EXISTENCE, newest, world.random.choice((None, True))),)
        self.drafts.append((golden, amends))

    def _wanted(self, name: str) -> Value:
        shown = self.world.users.shown[name]
        return self.world.random.choice(shown) if shown and self.world.chance(0.6) else self._third(name)

    def amend(self) -> None:
        """Send what was drafted, perhaps long before."""
        world = self.world
        if not self.drafts:
            return
        golden, amends = self.drafts.pop(world.random.randrange(len(self.drafts)))
        kinds: tuple[Literal["undo", "replay", "edit"], ...] = ("undo", "replay", "edit")
        kind = world.random.choice(kinds)
        for _ in range(2 if world.chance(world.profile.repeat) else 1):
            self.amended[len(world.hub.log)] = golden
            world.hub.append(Input(Amended(kind=kind, fields=amends, ts_us=world.now, at_us=world.now)))

    def nudge(self, reason: str, system: str | None = None) -> None:
        """Nothing happened, but plan anew."""
        event = Nudged(reason=reason, system=system, at_us=self.world.now)  # type: ignore[arg-type]
        self.world.hub.append(Input(event))

    def retry(self) -> None:
        """Have something sent again, whether its answer is lost or only late."""
        self.nudge("retry", self.world.random.choice((None, *self.world.tables)))

    def retry_what_is_lost(self) -> bool:
        """At rest, what is still out will never be answered: have it sent again. Returns whether there was any."""
        state = self.world.hub.state()
        if state is None or self.retried > 50:
            return False
        stuck = [name for name, entry in state.systems.items() if entry.out is not None]
        for name in stuck:
            self.retried += 1
            self.nudge("retry", name)
        return bool(stuck)

    def decide_everything(self) -> None:
        """A last operator, without haste: one item at a time, each on what is shown now."""
        for _ in range(60):
            if not self.world.drain():
                return
            parked, state = self._parked()
            if state is None or not parked:
                return
            parked.sort(key=existence.is_delete)
            self.looks = []
            self._look_at(parked[0], state)
            self.decide()
