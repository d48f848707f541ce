"""The rules of an entity, as the merge takes them, from the project file and the tables' column types."""

from collections.abc import Mapping

from schemas.project.model import Entity, FieldRule
from schemas.project.model import Priority as PriorityRule
from streams.mapping.compiled import TableLens, compile_lens
from streams.merge.rules import Manual, Newest, Owner, Policy, Priority, Rules


def compile_rules(name: str, entity: Entity, columns: Mapping[str, Mapping[str, str]]) -> Rules:
    """The rules of one entity. `columns` has, for each of its systems, the type text of every column.

    Systems rank in the file's order. Raises MappingError: see `compile_lens`.
    """
    systems = tuple(entity.systems)
    deletes = entity.on_delete.systems
    return Rules(
        entity=name,
        fields=tuple(entity.fields),
        systems=systems,
        policies={field: policy(rule, systems) for field, rule in entity.fields.items()},
        lenses={system: compile_lens(entity, system, columns[system], name) for system in systems},
        existence=entity.on_delete.policy,
        required=tuple(field for field, rule in entity.fields.items() if rule.required),
        deletes={system: deletes.get(system, "remove") for system in systems},
    )


def policy(rule: FieldRule, systems: tuple[str, ...]) -> Policy:
    """What decides a field's conflicts; systems that a priority does not name rank last, in the file's order."""
    if rule.owner is not None:
        return Owner(rule.owner)
    if isinstance(rule.on_conflict, PriorityRule):
        named = tuple(rule.on_conflict.priority)
        return Priority((*named, *(system for system in systems if system not in named)))
    return Manual() if rule.on_conflict == "manual" else Newest()


def table_units(lens: TableLens) -> tuple[tuple[str, ...], ...]:
    """The columns of each unit, which is all that a connector needs to know of them."""
    return tuple(unit.columns for unit in lens.units)
