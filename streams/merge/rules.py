"""The rules of one entity, compiled: which fields, which systems in which order, which policy decides what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from streams.merge.lenses import Lens
from streams.merge.sides import Side, side_of
from streams.merge.values import EXISTENCE, Value


@dataclass(frozen=True, slots=True)
class Newest:
    """The later edit wins, by clamped source time, then by rank. Commutative and associative; idempotent."""


@dataclass(frozen=True, slots=True)
class Priority:
    """The system ranked earlier wins over a later one's value; equal rank: the incoming. Associative and idempotent;
    not commutative: of two edits of one system the later wins."""

    ranking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """Only one system's edits count; another's lose, are recorded, and are corrected back. Associative and idempotent;
    not commutative: of two edits of the owner the later wins.

    Until the field has any value at all, the first one given stands, whoever gave it: a record created elsewhere
    keeps its value until the owner speaks.
    """

    system: str


@dataclass(frozen=True, slots=True)
class Sum:
    """A counter: what an edit added or took away is added to the hub's value. Commutative and associative; not
    idempotent, which is why positions are checked first. Without a base (a row that came) the later value wins.
    """


@dataclass(frozen=True, slots=True)
class Union:
    """A list as a set: what an edit added is added, what it removed is removed, the rest keeps its order. Associative,
    idempotent, and commutative but for the order of elements, and for an element that one side removed and another
    took out and put back: the later entry of the log has it. Without a base: both sides' elements.
    """


@dataclass(frozen=True, slots=True)
class Function:
    """A project's own function decides: `call(current, incoming, base)` gives the value, from the hub's value, the
    edit's, and what the editor saw (None where that is not known). It must be deterministic; what else it is, its
    author says. When it raises, or gives what is no value, the edit is parked with the reason.
    """

    name: str
    call: Callable[[Value, Value, Value], Value] = field(compare=False)


Deciding = Newest | Priority | Owner | Sum | Union | Function


@dataclass(frozen=True, slots=True)
class Manual:
    """The dissenting system's value is parked for a person. Idempotent; what a person decides is neither commutative
    nor associative.

    With a `deadline_us`, an item that is parked for so long is decided by `then`.
    """

    deadline_us: int | None = None
    then: Deciding | None = None


Policy = Deciding | Manual


def policy_name(policy: Policy) -> str:
    """A policy in one word, as verdicts name it: `newest`, `function:longest`."""
    return f"function:{policy.name}" if isinstance(policy, Function) else type(policy).__name__.lower()


ExistencePolicy = Literal["update_wins", "delete_wins", "manual"]


@dataclass(frozen=True, slots=True)
class Guard:
    """Against systems that keep rewriting each other: when a field is set back, by the systems whose values these were,
    for the `flips`th time within `window_us`, that is parked; of a system that has half of them to its name. `flips` 0:
    never.

    The window is measured on the log's append time: one clock for all systems, which no source's clock can skew. A
    backlog does not compress it: each flip but the conflicting ones answers a command of ours.
    """

    flips: int = 8
    window_us: int = 60_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything `merge` needs to know besides state and event.

    `systems` is in rank order (the order of the project file): it breaks ties and fixes the order of planning.
    `policies` has every canonical field. `deletes` says for each system what a delete elsewhere means for its row:
    remove it, or ignore the delete and keep the row. `loading` names the systems whose initial load has not ended:
    they are told nothing, so that a row which is there but not yet read is not created a second time; once the load
    has ended, a `Nudged` event per record plans what was held back. A record
    that lacks a field in `required` is created nowhere until it has it. `braking` names the systems whose deletes are
    held for approval now. `epoch` is the number of these rules; `horizon_us` for how long a tombstone is kept at least
    (None: for ever).
    """

    entity: str
    fields: tuple[str, ...]
    systems: tuple[str, ...]
    policies: Mapping[str, Policy]
    lenses: Mapping[str, Lens]
    existence: ExistencePolicy = "update_wins"
    deletes: Mapping[str, Literal["remove", "ignore"]] | None = None
    loading: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()
    braking: frozenset[str] = frozenset()
    guard: Guard = Guard()
    epoch: int = 0
    horizon_us: int | None = None
    sides: Mapping[str, Side] = field(init=False, repr=False, compare=False)
    rank: Mapping[str, int] = field(init=False, repr=False, compare=False)
    field_set: frozenset[str] = field(init=False, repr=False, compare=False)
    additive: frozenset[str] = field(init=False, repr=False, compare=False)
    followed: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sides = {system: side_of(self.lenses[system], self.fields) for system in self.systems}
        object.__setattr__(self, "sides", sides)
        object.__setattr__(self, "field_set", frozenset((*self.fields, EXISTENCE)))
        additive = frozenset(name for name, policy in self.policies.items() if isinstance(policy, Sum | Union))
        object.__setattr__(self, "additive", additive)
        followed = (name for name, policy in self.policies.items() if not isinstance(policy, Owner | Sum | Union))
        object.__setattr__(self, "followed", frozenset(followed))
        object.__setattr__(self, "rank", {system: place for place, system in enumerate(self.systems)})

    def ignores_deletes(self, system: str) -> bool:
        """Whether this system keeps its row when the record is deleted elsewhere."""
        return self.deletes is not None and self.deletes.get(system) == "ignore"
