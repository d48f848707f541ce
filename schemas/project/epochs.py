"""The rules of an entity as text: what an epoch in its record log says, and what `apply` compares.

The text is JSON, the same for files that mean the same: settings that are the default are left out, and the order
of keys counts only where it has a meaning (fields, systems, tables of values).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import ValidationError

from schemas.errors import SchemasError
from schemas.project.model import Entity, Project, function_of

FORMAT = 1
Columns = Mapping[str, Mapping[str, str]]


@dataclass(eq=False)
class RulesTextError(SchemasError):
    """Text of an epoch that is no rules, or rules that this version of the program does not know."""

    reason: str

    def __str__(self) -> str:
        return f"the rules of an epoch cannot be read: {self.reason}"


@dataclass(frozen=True, slots=True)
class Held:
    """What an epoch's text says: the entity, the types of the columns it uses by system, the digests of functions."""

    entity: Entity
    columns: Mapping[str, Mapping[str, str]]
    functions: Mapping[str, str]


class _Text(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    entity: dict[str, Any]
    columns: dict[str, dict[str, str]]
    functions: dict[str, str] = {}


def rules_text(project: Project, entity_name: str, columns: Columns, functions: Mapping[str, str] | None = None) -> str:
    """Everything from which the rules of an entity are compiled, as canonical JSON text.

    `columns` has the type text of every column by system; those that the entity does not use are left out.
    `functions` are the digests of the project's policy functions, by name.
    """
    entity = project.entities[entity_name]
    called = sorted({name for rule in entity.fields.values() if (name := function_of(rule.on_conflict))})
    text = _Text(
        format=FORMAT,
        entity=_plain(entity),
        columns={system: _used(entity, system, columns.get(system, {})) for system in entity.systems},
        functions={name: (functions or {}).get(name, "") for name in called},
    )
    return msgspec.json.encode(text).decode()


def fingerprint(text: str) -> str:
    """What tells one text of rules from another."""
    return hashlib.sha256(text.encode()).hexdigest()


def read(text: str) -> Held:
    """What an epoch's text says. Raises RulesTextError."""
    try:
        found = msgspec.json.decode(text, type=_Text)
        if found.format != FORMAT:
            raise RulesTextError(f"format {found.format}, where {FORMAT} is known")
        return Held(Entity.model_validate(found.entity), found.columns, found.functions)
    except (msgspec.DecodeError, ValidationError) as error:
        raise RulesTextError(str(error)) from error


def entity_of(text: str) -> tuple[Entity, Columns]:
    """The entity, and the types of the columns it uses, by system. Raises RulesTextError."""
    held = read(text)
    return held.entity, held.columns


def _plain(entity: Entity) -> dict[str, Any]:
    found: dict[str, Any] = entity.model_dump(mode="json", exclude_defaults=True)
    for rule in found["fields"].values():
        if rule.get("on_conflict") == "newest":
            del rule["on_conflict"]
    for held in found["systems"].values():
        for name in ("map", "constants"):
            if name in held:
                held[name] = dict(sorted(held[name].items()))
        for one in held.get("filter", ()):
            if "one_of" not in one:
                # "Has no value" is said by a null, which must not be taken for something left out.
                one.setdefault("equals", None)
    if "on_delete" in found:
        found["on_delete"] = dict(sorted(found["on_delete"].items()))
    return {name: value for name, value in found.items() if value != {}}


def _used(entity: Entity, system: str, types: Mapping[str, str]) -> dict[str, str]:
    """The columns on which the meaning of a row depends. One that is not there is left out, and found missing later."""
    return {column: types[column] for column in sorted(set(_columns(entity, system))) if column in types}


def _columns(entity: Entity, system: str) -> Iterator[str]:
    held = entity.systems[system]
    for _, single in held.singles():
        yield from single.columns
    yield from (one.column for one in held.filter)
    mode = entity.on_delete.modes.get(system)
    if mode is not None and mode.column is not None:
        yield mode.column
