"""Whether policies, owners and delete modes fit the fields, systems and columns that they speak of."""

import re
from collections.abc import Iterator

from schemas.project.findings import Finding, Path, listing, nearest
from schemas.project.model import (
    Column,
    Entity,
    EntitySystem,
    FieldRule,
    ManualUntil,
    Mode,
    OnConflict,
    Priority,
    Project,
)
from schemas.project.positions import Positions

NUMBERS = ("integer", "decimal", "float")
OF_CLOCKS = "is sensitive, and decided by newest: the systems' clocks would say which value stays"
_SCHEMA_AND_TABLE = re.compile(r"[^.]+\.[^.]+")


def check_policies(name: str, entity: Entity, project: Project, positions: Positions) -> Iterator[Finding]:
    """What is wrong with the way in which an entity's fields are decided."""
    for field, rule in entity.fields.items():
        path = ("entities", name, "fields", field)
        if rule.owner is not None:
            yield from _owner(field, rule.owner, entity, path, positions)
        for inner, policy in _steps(rule, (*path, "on_conflict")):
            yield from _policy(field, rule, policy, inner, entity, positions)
        if rule.sensitive:
            yield from _sensitive(rule, path, positions)


def _steps(rule: FieldRule, path: Path) -> Iterator[tuple[Path, "OnConflict"]]:
    """A field's policy, and what decides after its deadline, each with its place."""
    if rule.on_conflict is None:
        return
    yield path, rule.on_conflict
    if isinstance(rule.on_conflict, ManualUntil):
        yield (*path, "manual", "then"), rule.on_conflict.manual.then


def _owner(field: str, owner: str, entity: Entity, path: Path, positions: Positions) -> Iterator[Finding]:
    if owner not in entity.systems:
        yield _unknown_system(positions, (*path, "owner"), owner, entity)
    elif field not in entity.systems[owner].map or direction(entity.systems[owner], field) == "out":
        yield positions.finding((*path, "owner"), f"{owner} does not map this field, or never reads it")


def _unknown_system(positions: Positions, path: Path, word: str, entity: Entity) -> Finding:
    names = list(entity.systems)
    return positions.finding(path, "no such system in this entity", nearest(word, names) or listing(names))


def direction(held: EntitySystem, field: str) -> str:
    """In which direction a system maps a field; a group has one for all its members."""
    return next((one.direction for path, one in held.singles() if path[0] == field), "both")


def _policy(
    field: str, rule: FieldRule, policy: OnConflict, path: Path, entity: Entity, positions: Positions
) -> Iterator[Finding]:
    if isinstance(policy, Priority):
        for index, system in enumerate(policy.priority):
            if system not in entity.systems:
                yield _unknown_system(positions, (*path, "priority", index), system, entity)
            elif system in policy.priority[:index]:
                yield positions.finding((*path, "priority", index), "named twice")
    elif policy == "sum":
        yield from _sum(field, rule, path, entity, positions)
    elif policy == "union" and (rule.type != "list" or rule.group):
        yield positions.finding(path, f"union is for single fields of type list, and this one is {_told(rule)}")


def _told(rule: FieldRule) -> str:
    return f"a group of {rule.type}" if rule.group else f"of type {rule.type}"


def _sum(field: str, rule: FieldRule, path: Path, entity: Entity, positions: Positions) -> Iterator[Finding]:
    if rule.type not in NUMBERS or rule.group:
        remedy = "give the field one of these types, or another policy"
        kinds = "integer, decimal or float"
        yield positions.finding(
            path, f"sum is for single fields of type {kinds}, and this one is {_told(rule)}", remedy
        )
        return
    for system, held in entity.systems.items():
        single = held.map.get(field)
        if not isinstance(single, Column):
            continue
        if single.values is not None:
            message = f"{system} maps this field by a table of values, and a sum may have no code in it"
            yield positions.finding(path, message)
        elif single.places is not None and (rule.places is None or single.places < rule.places):
            message = f"{system} keeps {single.places} decimal places: of what is added, it does not show the rest"
            remedy = f"give the field places: {single.places}"
            yield positions.finding(path, message, remedy, severity="warning")


def _sensitive(rule: FieldRule, path: Path, positions: Positions) -> Iterator[Finding]:
    """A wrong value harms somebody; a clock that is fast or slow by minutes is nothing unusual."""
    remedy = "name an owner, a priority, or manual"
    if rule.owner is None and rule.on_conflict in (None, "newest"):
        place = (*path, "on_conflict") if rule.on_conflict else (*path, "sensitive")
        yield positions.finding(place, OF_CLOCKS, remedy, severity="warning")
    elif isinstance(rule.on_conflict, ManualUntil) and rule.on_conflict.manual.then == "newest":
        inner = (*path, "on_conflict", "manual", "then")
        yield positions.finding(inner, f"after its deadline, this field {OF_CLOCKS}", remedy, severity="warning")


def check_deletes(name: str, entity: Entity, project: Project, positions: Positions) -> Iterator[Finding]:
    """What is wrong with what deletes do in an entity's systems."""
    for system, mode in entity.on_delete.modes.items():
        path = ("entities", name, "on_delete", system)
        if system not in entity.systems:
            known = ["policy", "brake", "tombstones", *entity.systems]
            remedy = nearest(system, known) or listing(known)
            yield positions.finding(path, "no such system in this entity", remedy, at_key=True)
        elif mode.kind == "archive" and mode.table is not None:
            yield from _archive(system, mode.table, (*path, "archive", "table"), project, positions)
        elif mode.kind == "inactive":
            yield from _inactive(system, mode, (*path, "inactive"), entity.systems[system], positions)


def _archive(system: str, table: str, path: Path, project: Project, positions: Positions) -> Iterator[Finding]:
    if not _SCHEMA_AND_TABLE.fullmatch(table):
        yield positions.finding(path, "the archive is named with its schema: schema.table")
    for name, entity in project.entities.items():
        held = entity.systems.get(system)
        if held is not None and held.table.rpartition(".")[2] == table.rpartition(".")[2]:
            same_schema = "." not in held.table or held.table == table
            if same_schema:
                yield positions.finding(path, f"entity {name} takes this table: deleted rows would come back")


def _inactive(system: str, mode: Mode, path: Path, held: EntitySystem, positions: Positions) -> Iterator[Finding]:
    if mode.value == mode.restore and type(mode.value) is type(mode.restore):
        message = "is the value of a deleted row too, so the two could not be told apart"
        yield positions.finding((*path, "restore"), message)
    here = (*path, "column")
    owner = next((".".join(inner) for inner, one in held.singles() if mode.column in one.columns), None)
    if owner is not None:
        message = f"column {mode.column} is mapped to {owner}: a delete would be an edit of it"
        yield positions.finding(here, message, "take a column of its own, or map the field alone")
    if mode.column in [one.column for one in held.filter]:
        message = f"rows of {system} are filtered by {mode.column}: a deleted row would only leave the filter"
        yield positions.finding(here, message, "take the filter away: inactive says the same, and can be undone")
    if mode.column in held.constants:
        yield positions.finding(here, f"constants sets column {mode.column} too", "restore sets it on a create")
    if mode.column in (held.key or ()):
        yield positions.finding(here, f"column {mode.column} is part of the key")
