"""The rules of one entity, compiled: which fields, which systems in which order, which policy decides what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streams.merge.lenses import Lens
from streams.merge.sides import Side, side_of
from streams.merge.values import EXISTENCE


@dataclass(frozen=True, slots=True)
class Newest:
    """The later edit wins, by clamped source time, then by rank. Commutative and associative; idempotent."""


@dataclass(frozen=True, slots=True)
class Priority:
    """The system ranked earlier wins over a later one's value; equal rank: the incoming. Idempotent."""

    ranking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """Only one system's edits count; another's lose, are recorded, and are corrected back. Idempotent.

    Until the field has any value at all, the first one given stands, whoever gave it: a record created elsewhere
    keeps its value until the owner speaks.
    """

    system: str


@dataclass(frozen=True, slots=True)
class Manual:
    """The dissenting system's value is parked for a person. Idempotent."""


Policy = Newest | Priority | Owner | Manual
ExistencePolicy = Literal["update_wins", "delete_wins", "manual"]


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything `merge` needs to know besides state and event.

    `systems` is in rank order (the order of the project file): it breaks ties and fixes the order of planning.
    `policies` has every canonical field. `deletes` says for each system what a delete elsewhere means for its row:
    remove it, or ignore the delete and keep the row. `loading` names the systems whose initial load has not ended:
    they are told nothing, so that a row which is there but not yet read is not created a second time; once the load
    has ended, a `Nudged` event per record plans what was held back. A record
    that lacks a field in `required` is created nowhere until it has it.
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
    sides: Mapping[str, Side] = field(init=False, repr=False, compare=False)
    rank: Mapping[str, int] = field(init=False, repr=False, compare=False)
    field_set: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sides = {system: side_of(self.lenses[system], self.fields) for system in self.systems}
        object.__setattr__(self, "sides", sides)
        object.__setattr__(self, "field_set", frozenset((*self.fields, EXISTENCE)))
        object.__setattr__(self, "rank", {system: place for place, system in enumerate(self.systems)})

    def ignores_deletes(self, system: str) -> bool:
        """Whether this system keeps its row when the record is deleted elsewhere."""
        return self.deletes is not None and self.deletes.get(system) == "ignore"
