"""A system's options as a declaration: what does not fit is refused with the setting's name, never with its value."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from connectors.errors import RefusedError
from connectors.rest.declaration import Declaration
from schemas.project.findings import listing, nearest, path_text

_WORDS = {
    "missing": "it is missing",
    "string_type": "it must be text",
    "string_too_short": "it must not be empty",
    "too_short": "it must not be empty",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "float_type": "it must be a number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "list_type": "it must be a list: [a, b]",
    "dict_type": "it must be a mapping of keys to values",
    "model_type": "it must be a mapping of keys to values",
    "model_attributes_type": "it must be a mapping of keys to values",
}


def read(system: str, options: Mapping[str, Any]) -> Declaration:
    """The declaration in these options. Raises RefusedError naming the first setting that is unfit."""
    try:
        return Declaration.model_validate(dict(options))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise _refused(system, dict(found[0]), len(found)) from None


def misdeclared(system: str, error: ValueError) -> RefusedError:
    """The refusal of a sentence that begins with the setting it is about."""
    setting, _, why = str(error).partition(": ")
    return RefusedError(system, f"setting systems.{system}.{setting}", why, "See docs/connectors/rest.md.")


def _refused(system: str, error: Mapping[str, Any], count: int) -> RefusedError:
    location = tuple(error["loc"])
    steps = _written(location)
    more = f" There are {count - 1} more like this." if count > 1 else ""
    what = f"setting systems.{system}.{path_text(steps)}" if steps else f"systems.{system}"
    if error["type"] == "extra_forbidden":
        known = _known(location[:-1])
        remedy = nearest(str(location[-1]), known) or listing(known, 40) or ""
        return RefusedError(system, what, "there is no such setting", f"{remedy[:1].upper()}{remedy[1:]}.{more}")
    return RefusedError(system, what, _sentence(error), f"See docs/connectors/rest.md.{more}")


def _sentence(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return f"it must be {str(context['expected']).replace(chr(39), '')}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        known = str(context.get("expected_tags", "")).replace(chr(39), "")
        return f"its type must be one of {known}" if known else "its type is missing"
    return _WORDS.get(kind, str(error["msg"]))


def _written(location: tuple[Any, ...]) -> tuple[Any, ...]:
    """The location in the file's own keys: without the tags that pydantic puts behind a union's key."""
    steps, model = list[Any](), Declaration
    where: Any = model
    for step in location:
        where, shown = _below(where, step)
        steps += [step] if shown else []
    return tuple(steps)


def _below(where: Any, step: Any) -> tuple[Any, bool]:
    """What is declared below a step, and whether the step stands in the file."""
    members = [one for one in _members(where) if isinstance(one, type) and issubclass(one, BaseModel)]
    tagged = [one for one in members if step in _tags(one)]
    if tagged and len(members) > 1:
        return tagged[0], False
    for one in members:
        for name, field in one.model_fields.items():
            if step in (name, field.alias):
                return field.annotation, True
    return where if not members else None, True


def _known(location: tuple[Any, ...]) -> list[str]:
    where: Any = Declaration
    for step in location:
        where, _ = _below(where, step)
    fields = (field for one in _members(where) if hasattr(one, "model_fields") for field in one.model_fields.items())
    return sorted({field.alias or name for name, field in fields})


def _members(where: Any) -> list[Any]:
    """Every model that an annotation may be: of a list, a mapping, a union."""
    if isinstance(where, type) and issubclass(where, BaseModel):
        return [where]
    return [member for inner in get_args(where) for member in _members(inner)]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("type")
    return () if field is None else get_args(field.annotation)
