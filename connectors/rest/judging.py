"""A system's options as a declaration: what does not fit is refused with the setting's name, never with its value."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

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
        end = "" if remedy.endswith("?") else "."
        return RefusedError(system, what, "there is no such setting", f"{remedy[:1].upper()}{remedy[1:]}{end}{more}")
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
    steps, where = list[Any](), _Places(Declaration)
    for step in location:
        where, shown = where.below(step)
        steps += [step] if shown else []
    return tuple(steps)


def _known(location: tuple[Any, ...]) -> list[str]:
    where = _Places(Declaration)
    for step in location:
        where, _ = where.below(step)
    return sorted({field.alias or name for one in where.models for name, field in one.model_fields.items()})


class _Places:
    """What may stand at a place of the file: the models of an annotation, or what its lists and mappings hold."""

    def __init__(self, annotation: Any) -> None:
        self._options = _options(annotation)
        self.models = [one for one in self._options if isinstance(one, type) and issubclass(one, BaseModel)]

    def below(self, step: Any) -> tuple["_Places", bool]:
        """What may stand below a step of pydantic's, and whether the step stands in the file."""
        tagged = [one for one in self.models if step in _tags(one)] if len(self.models) > 1 else []
        if tagged:
            return _Places(tagged[0]), False
        for one in self.models:
            for name, field in one.model_fields.items():
                if step in (name, field.alias):
                    return _Places(field.annotation), True
        inner = next((get_args(one)[-1] for one in self._options if get_origin(one) in (dict, list)), None)
        return _Places(inner), True


def _options(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [option for one in get_args(annotation) for option in _options(one)]
    return [annotation]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("type")
    return () if field is None else get_args(field.annotation)
