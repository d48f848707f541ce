"""pydantic's errors as findings: at the place in the file, in the file's own words."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from schemas.project.findings import Finding, Path, listing, nearest
from schemas.project.model import Project
from schemas.project.positions import Positions

_WORDS = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list: [a, b]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "string_too_short": "must not be empty",
}


def findings(error: ValidationError, tree: Any, positions: Positions) -> list[Finding]:
    """A finding for each error of pydantic's, without repeating any value: a value may be a secret."""
    return [_finding(dict(one), tree, positions) for one in error.errors(include_input=False, include_url=False)]


def _finding(error: dict[str, Any], tree: Any, positions: Positions) -> Finding:
    kind, location = error["type"], tuple(error["loc"])
    path: Path = tuple(step for step in location if not _is_tag(step))
    if kind == "extra_forbidden":
        known = _keys(location[:-1])
        return positions.finding(path, "no such key", nearest(str(path[-1]), known) or listing(known), at_key=True)
    if kind == "missing":
        return positions.finding(path, "is missing", at_key=True)
    if location[-1:] == ("[key]",):
        return positions.finding(path, f"no valid name: {_message(error)}", at_key=True)
    given = _at(tree, path)
    return positions.finding(
        path, _message(error), _near_choice(error, given), at_key=kind == "refused" and isinstance(given, dict)
    )


def _is_tag(step: str | int) -> bool:
    return isinstance(step, str) and (step == "[key]" or step.startswith("<"))


def _message(error: dict[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return f"must be {context['expected'].replace(chr(39), '')}"
    if kind == "string_pattern_mismatch":
        marks = "digits, _ and -" if "-]" in context["pattern"] else "digits and _"
        return f"names are lower-case letters, {marks}, beginning with a letter"
    if kind == "string_too_long":
        return f"must not be longer than {context['max_length']} characters"
    if kind == "too_short":
        return f"must have at least {context['min_length']} {'entries' if context['min_length'] > 1 else 'entry'}"
    if kind in ("greater_than", "less_than"):
        return f"must be {'more' if kind == 'greater_than' else 'less'} than {context.get('gt', context.get('lt'))}"
    if kind in ("greater_than_equal", "less_than_equal"):
        word = "least" if kind.startswith("greater") else "most"
        return f"must be at {word} {context.get('ge', context.get('le'))}"
    return _WORDS.get(kind) or str(error["msg"])


def _near_choice(error: dict[str, Any], given: Any) -> str | None:
    if error["type"] != "literal_error" or not isinstance(given, str):
        return None
    return nearest(given, error["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", "))


def _at(tree: Any, path: Path) -> Any:
    for step in path:
        if isinstance(tree, dict):
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            tree = tree[step]
        else:
            return None
    return tree


def _keys(location: Path) -> list[str]:
    """The keys that may stand at this place, found by walking the model along the location."""
    shapes: list[Any] = [Project]
    for step in location:
        shapes = [inner for shape in shapes for inner in _inside(shape, step)]
    return [key for shape in shapes for _, one in _alternatives(shape) for key in getattr(one, "model_fields", ())]


def _inside(shape: Any, step: str | int) -> Iterator[Any]:
    """What a shape may hold under a key, at an index, or as its alternative with this tag."""
    for tag, one in _alternatives(shape):
        if isinstance(step, str) and step.startswith("<"):
            if tag == step:
                yield one
        elif isinstance(one, type) and issubclass(one, BaseModel):
            if step in one.model_fields:
                yield one.model_fields[str(step)].annotation
            elif extra := one.__annotations__.get("__pydantic_extra__"):
                yield get_args(extra)[-1]
        elif get_origin(one) in (dict, list):
            yield get_args(one)[-1]


def _alternatives(shape: Any, tag: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """The members of a union, however nested, each with its tag; anything else is its own only alternative."""
    if get_origin(shape) is Annotated:
        inner, *notes = get_args(shape)
        found = next((note.tag for note in notes if isinstance(note, Tag)), tag)
        yield from _alternatives(inner, found)
    elif get_origin(shape) in (Union, UnionType):
        for part in get_args(shape):
            yield from _alternatives(part, tag)
    else:
        yield tag, shape
