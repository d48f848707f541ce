"""The rules of one entity, compiled: which fields, which systems in which order, which policy decides what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streams.merge.lenses import Lens


@dataclass(frozen=True, slots=True)
class Newest:
    """The later edit wins, by clamped source time, then by rank. Commutative and associative; idempotent."""


@dataclass(frozen=True, slots=True)
class Priority:
    """The system ranked earlier wins over a later one's value; equal rank: the incoming. Idempotent."""

    ranking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """Only one system's edits count; another's lose, are recorded, and are corrected back. Idempotent."""

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
    remove it, or ignore the delete and keep the row.
    """

    entity: str
    fields: tuple[str, ...]
    systems: tuple[str, ...]
    policies: Mapping[str, Policy]
    lenses: Mapping[str, Lens]
    existence: ExistencePolicy = "update_wins"
    deletes: Mapping[str, Literal["remove", "ignore"]] | None = None
