"""Names that must agree with each other, and options that must fit their field: judged without any system.

`check_columns`, which compares with the systems' own columns, lives in `schemas.project.columns`.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from schemas.project import options
from schemas.project.columns import check_columns as check_columns
from schemas.project.findings import Finding, Path, listing, nearest
from schemas.project.model import Entity, EntitySystem, FieldRule, Join, Project, Single, Split
from schemas.project.policy_checks import check_deletes, check_policies, direction
from schemas.project.positions import Positions

RESERVED_FIELDS = ("record_id", "version", "deleted", "provenance")
RESERVED_SYSTEMS = {
    **dict.fromkeys(("policy", "brake", "tombstones"), "this name has a meaning of its own in on_delete"),
    "epoch": "this name has a meaning of its own in the catalog",
}


def check(project: Project, positions: Positions) -> list[Finding]:
    """Everything in a well-shaped file that does not hold together, errors and warnings."""
    return [*_systems(project, positions)] + [
        finding
        for name, entity in project.entities.items()
        for part in (_fields, _identity, check_policies, check_deletes, _mappings, _columns, _enums)
        for finding in part(name, entity, project, positions)
    ]


def unknown(
    positions: Positions, path: Path, noun: str, word: str, known: Iterable[str], *, at_key: bool = False
) -> Finding:
    """A name that is none of the known ones, with the nearest of them."""
    names = list(known)
    return positions.finding(path, f"no such {noun}", nearest(word, names) or listing(names), at_key=at_key)


def _systems(project: Project, positions: Positions) -> Iterator[Finding]:
    used = {system for entity in project.entities.values() for system in entity.systems}
    for name in project.systems:
        if name in RESERVED_SYSTEMS:
            yield positions.finding(("systems", name), RESERVED_SYSTEMS[name], "choose another", at_key=True)
        elif name not in used:
            yield positions.finding(("systems", name), "no entity uses this system", at_key=True, severity="warning")
    taken: dict[tuple[str, str], str] = {}
    for entity_name, entity in project.entities.items():
        for system, held in entity.systems.items():
            first = taken.setdefault((system, held.table), entity_name)
            if first != entity_name:
                path = ("entities", entity_name, "systems", system, "table")
                yield positions.finding(path, f"entity {first} already takes this table of {system}")


def _fields(name: str, entity: Entity, project: Project, positions: Positions) -> Iterator[Finding]:
    mapped = {field for held in entity.systems.values() for field in held.map}
    for field, rule in entity.fields.items():
        path = ("entities", name, "fields", field)
        if field in RESERVED_FIELDS:
            yield positions.finding(path, "the golden record uses this name itself", "choose another", at_key=True)
        if field not in mapped:
            yield positions.finding(path, "no system maps this field", at_key=True, severity="warning")
        for index, member in enumerate(rule.group or ()):
            if member in (rule.group or ())[:index]:
                yield positions.finding((*path, "group", index), "named twice")


def _identity(name: str, entity: Entity, project: Project, positions: Positions) -> Iterator[Finding]:
    for index, field in enumerate(entity.match):
        path = ("entities", name, "identity", "match", index)
        rule = entity.fields.get(field)
        if rule is None:
            yield unknown(positions, path, "field", field, entity.fields)
            continue
        if rule.group:
            yield positions.finding(path, f"{field} is a group; a natural key is made of single fields")
        if not rule.required:
            remedy = f"add required: true to entities.{name}.fields.{field}"
            yield positions.finding(path, f"{field} is matched by, so it must be required", remedy)
        for system, held in entity.systems.items():
            if field not in held.map or direction(held, field) == "out":
                state = "does not map it" if field not in held.map else "never reads it (direction: out)"
                message = f"records are matched by {field}, but {system} {state}"
                yield positions.finding(("entities", name, "systems", system, "map"), message, at_key=True)


def _mappings(name: str, entity: Entity, project: Project, positions: Positions) -> Iterator[Finding]:
    for system, held in entity.systems.items():
        path = ("entities", name, "systems", system)
        if system not in project.systems:
            yield unknown(positions, path, "system", system, project.systems, at_key=True)
        for field in held.map:
            rule = entity.fields.get(field)
            if rule is None:
                yield unknown(positions, (*path, "map", field), "field", field, entity.fields, at_key=True)
            else:
                yield from _mapping(field, rule, held, (*path, "map", field), positions)


def _mapping(field: str, rule: FieldRule, held: EntitySystem, path: Path, positions: Positions) -> Iterator[Finding]:
    mapped = held.map[field]
    if rule.group is None:
        if isinstance(mapped, dict):
            near = next((found for key in mapped if (found := nearest(key, ("column", "join", "split")))), None)
            yield positions.finding(path, f"{field} is no group; map it to one column or a join", near)
        elif isinstance(mapped, Split):
            message = "split parts one column among the members of a group"
            yield positions.finding(path, message, f"make {field} a group, so that its parts move as one")
        else:
            yield from options.check(rule, mapped, path, positions)
        return
    if not isinstance(mapped, dict):
        members = ", ".join(f"{member}: …" for member in rule.group)
        yield positions.finding(path, f"{field} is a group; map each of its members", f"write {{{members}}}")
        return
    yield from _group(rule, rule.group, mapped, path, positions)


def _group(
    rule: FieldRule, members: list[str], mapped: dict[str, Single], path: Path, positions: Positions
) -> Iterator[Finding]:
    for member, single in mapped.items():
        if member not in members:
            yield unknown(positions, (*path, member), "member of this group", member, members, at_key=True)
        else:
            yield from options.check(rule, single, (*path, member), positions)
    missing = [member for member in members if member not in mapped]
    if missing:
        message = f"the group moves as one, and has no column for {', '.join(missing)}"
        yield positions.finding(path, message, at_key=True)
    if len({single.direction for single in mapped.values()}) > 1:
        yield positions.finding(path, "the members of a group have one direction", at_key=True)
    splits = [single for single in mapped.values() if isinstance(single, Split)]
    for one, other in pairwise(splits):
        if one.split == other.split and one.separator != other.separator:
            yield positions.finding(path, f"column {one.split} is split by two separators", at_key=True)


def _columns(name: str, entity: Entity, project: Project, positions: Positions) -> Iterator[Finding]:
    for system, held in entity.systems.items():
        base: Path = ("entities", name, "systems", system)
        owners: dict[str, tuple[str, ...]] = {}
        for inner, single in held.singles():
            for index, column in enumerate(single.columns):
                here = (*base, "map", *inner, *(("join", index) if isinstance(single, Join) else ()))
                first = owners.setdefault(column, inner)
                shared = isinstance(single, Split) and first[0] == inner[0] and _is_split(held, first)
                if (first != inner or column in single.columns[:index]) and not shared:
                    yield positions.finding(here, f"column {column} is already taken by {'.'.join(first)}")
        for column in held.constants:
            if column in owners:
                message = f"column {column} is already mapped to {'.'.join(owners[column])}"
                yield positions.finding((*base, "constants", column), message, at_key=True)
        yield from _lonely_splits(held, base, positions)


def _is_split(held: EntitySystem, path: tuple[str, ...]) -> bool:
    return any(isinstance(single, Split) for inner, single in held.singles() if inner == path)


def _lonely_splits(held: EntitySystem, base: Path, positions: Positions) -> Iterator[Finding]:
    splits = [(inner, single) for inner, single in held.singles() if isinstance(single, Split) and len(inner) == 2]
    for inner, single in splits:
        if sum(other.split == single.split for _, other in splits) == 1:
            yield positions.finding((*base, "map", *inner), f"only one member splits column {single.split}")


def _enums(name: str, entity: Entity, project: Project, positions: Positions) -> Iterator[Finding]:
    """Enum tables of one field should know the same values, or some cannot be written everywhere."""
    tables: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for system, held in entity.systems.items():
        for inner, single in held.singles():
            if (found := getattr(single, "values", None)) is not None:
                tables.setdefault(inner, {})[system] = set(found)
    for inner, by_system in tables.items():
        every = set().union(*by_system.values())
        for system, values in by_system.items():
            if missing := sorted(every - values):
                path = ("entities", name, "systems", system, "map", *inner, "values")
                message = f"has no code for {', '.join(missing)}: such a value cannot be shown in {system}"
                yield positions.finding(path, message, "add it to the table", at_key=True, severity="warning")
