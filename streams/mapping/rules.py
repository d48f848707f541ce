"""The rules of an entity, as the merge takes them, from the project file and the tables' column types."""

from collections.abc import Mapping

from schemas.messages import Epoch
from schemas.project import epochs, model
from schemas.project.model import Entity, FieldRule
from streams.errors import MappingError
from streams.mapping import functions
from streams.mapping.compiled import TableLens, compile_lens
from streams.mapping.functions import Functions
from streams.merge.rules import Deciding, Function, Guard, Manual, Newest, Owner, Policy, Priority, Rules, Sum, Union


def compile_rules(
    name: str,
    entity: Entity,
    columns: Mapping[str, Mapping[str, str]],
    known: Functions | None = None,
    epoch: int = 0,
    digests: Mapping[str, str] | None = None,
) -> Rules:
    """The rules of one entity. `columns` has, for each of its systems, the type text of every column that is used.

    Systems rank in the file's order. `known` are the project's policy functions by name; `digests` those of the texts
    that they must have, where that is known: one with another text parks every edit that it is asked about.
    Raises MappingError: see `compile_lens`; also for a function that is not declared.
    """
    systems = tuple(entity.systems)
    modes = entity.on_delete.modes
    calls = {
        field: _function(name, field, rule, known or {}, digests or {})
        for field, rule in entity.fields.items()
        if model.function_of(rule.on_conflict)
    }
    return Rules(
        entity=name,
        fields=tuple(entity.fields),
        systems=systems,
        policies={field: policy(rule, systems, calls.get(field)) for field, rule in entity.fields.items()},
        lenses={system: compile_lens(entity, system, columns[system], name) for system in systems},
        existence=entity.on_delete.policy,
        required=tuple(field for field, rule in entity.fields.items() if rule.required),
        deletes={system: "ignore" if modes.get(system, _REMOVE).kind == "ignore" else "remove" for system in systems},
        guard=Guard(entity.guard.flips, entity.guard.window_us),
        epoch=epoch,
        horizon_us=entity.on_delete.tombstones_us,
    )


_REMOVE = model.Mode()


def compile_epoch(epoch: Epoch, known: Functions | None = None) -> Rules:
    """The rules that an epoch in a record log says, whatever the project file says by now.

    Raises RulesTextError for text that is no rules, MappingError as `compile_rules`.
    """
    held = epochs.read(epoch.rules)
    return compile_rules(epoch.entity, held.entity, held.columns, known, epoch.number, held.functions)


def _function(
    entity: str, field: str, rule: FieldRule, known: Functions, digests: Mapping[str, str]
) -> Function | None:
    name = model.function_of(rule.on_conflict)
    if name is None:
        return None
    declared, wanted = known.get(name), digests.get(name)
    if wanted and (declared is None or declared.digest != wanted):
        return Function(name, functions.changed(name))
    if declared is None:
        raise MappingError(entity, "policies", field, f"no function {name} is declared in policies/*.py")
    return Function(name, functions.caller(declared, rule))


def policy(rule: FieldRule, systems: tuple[str, ...], function: Function | None = None) -> Policy:
    """What decides a field's conflicts; `function` is the one that it names, if it names one."""
    if rule.owner is not None:
        return Owner(rule.owner)
    if rule.on_conflict == "manual":
        return Manual()
    if isinstance(rule.on_conflict, model.ManualUntil):
        until = rule.on_conflict.manual
        return Manual(until.deadline_us, _deciding(until.then, systems, function))
    return _deciding(rule.on_conflict, systems, function)


def _deciding(given: model.OnConflict | None, systems: tuple[str, ...], function: Function | None) -> Deciding:
    """Systems that a priority does not name rank last, in the file's order."""
    if isinstance(given, model.Priority):
        named = tuple(given.priority)
        return Priority((*named, *(system for system in systems if system not in named)))
    if isinstance(given, model.Function):
        assert function is not None
        return function
    words: dict[str, Deciding] = {"sum": Sum(), "union": Union()}
    return words.get(str(given), Newest())


def table_units(lens: TableLens) -> tuple[tuple[str, ...], ...]:
    """The columns of each unit, which is all that a connector needs to know of them."""
    return tuple(unit.columns for unit in lens.units)
