"""The merged record, as anyone may read it: its values, and for each whose it is, since when, and which version."""

from dataclasses import dataclass

from streams.merge.rules import Rules
from streams.merge.states import State
from streams.merge.values import EXISTENCE, Value


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a value comes from: the system (or `turns.DECISION`), since when (µs UTC), and the hub's version of it.

    `ts_us` 0 says that an initial load found the value; `version` 0 that nobody has given one yet.
    """

    system: str
    ts_us: int
    version: int


@dataclass(frozen=True, slots=True)
class Golden:
    """A merged record. A deleted one keeps its last values; `existence` tells who deleted it, and when."""

    values: dict[str, Value]
    provenance: dict[str, Provenance]
    existence: Provenance
    deleted: bool


def golden(state: State, rules: Rules) -> Golden:
    """The merged record that a state stands for, in the order of the entity's fields."""
    provenance = {name: _provenance(state, name) for name in (*rules.fields, EXISTENCE)}
    existence = provenance.pop(EXISTENCE)
    values = {name: state.fields[name].value if name in state.fields else None for name in rules.fields}
    return Golden(values, provenance, existence, deleted=EXISTENCE not in state.fields or not state.alive)


def _provenance(state: State, name: str) -> Provenance:
    field = state.fields.get(name)
    return Provenance("", 0, 0) if field is None else Provenance(field.by, field.ts_us, field.version)
