"""Texts with `{{ expressions }}`, and YAML made of them: compiled once, rendered for each request."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connectors.rest import json_texts
from connectors.rest.errors import TemplateError
from connectors.rest.expressions import OMIT, Expression, Variables

Render = Callable[[Variables], Any]
_UNSAFE_SEGMENTS = frozenset({"", ".", ".."})


class Template:
    """One text. A text that is a single expression yields its value, any other yields text."""

    def __init__(self, text: str, where: str, names: Collection[str]) -> None:
        self.text, self.where = text, where
        try:
            self.parts = _parts(text, where, names)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        self.uses = frozenset(name for part in self.parts if isinstance(part, Expression) for name in part.uses)

    @property
    def fixed(self) -> bool:
        """It holds no expression."""
        return not any(isinstance(part, Expression) for part in self.parts)

    def __call__(self, variables: Variables) -> Any:
        """Its value; `OMIT` where it is to be left out. Raises TemplateError."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return self.parts[0](variables)
        return "".join(part if isinstance(part, str) else self._text(part, variables) for part in self.parts)

    def path(self, variables: Variables) -> str:
        """As the path of a URL: what the expressions give is percent-encoded. Raises TemplateError."""
        return "".join(part if isinstance(part, str) else self._segment(part, variables) for part in self.parts)

    def _text(self, part: Expression, variables: Variables) -> str:
        value = part(variables)
        if isinstance(value, dict | list) or value is None or value == OMIT:
            raise TemplateError(self.where, part.source, f"{_kind(value)} cannot stand inside of a text")
        return as_text(value)

    def _segment(self, part: Expression, variables: Variables) -> str:
        value = self._text(part, variables)
        if value in _UNSAFE_SEGMENTS:
            raise TemplateError(self.where, part.source, f"{value!r} in a path would lead to another address")
        return quote(value, safe="")


def tree(value: Any, where: str, names: Collection[str]) -> tuple[Render, frozenset[str]]:
    """What renders YAML whose texts, and keys, are templates; and the variables they use. Raises ValueError."""
    if isinstance(value, str):
        template = Template(value, where, names)
        return (lambda variables: template(variables)) if not template.fixed else (lambda _: value), template.uses
    if isinstance(value, Mapping):
        return _mapping(value, where, names)
    if isinstance(value, list):
        return _list(value, where, names)
    return (lambda _: value), frozenset()


def _mapping(value: Mapping[Any, Any], where: str, names: Collection[str]) -> tuple[Render, frozenset[str]]:
    keys = [Template(str(key), f"{where}.{key}", names) for key in value]
    inner = [tree(one, f"{where}.{key}", names) for key, one in value.items()]
    rendered = list(zip(keys, [render for render, _ in inner], strict=True))

    def render(variables: Variables) -> dict[str, Any]:
        pairs = ((key(variables), one(variables)) for key, one in rendered)
        return {as_text(key): found for key, found in pairs if not _left_out(found) and not _left_out(key)}

    uses = [key.uses for key in keys] + [used for _, used in inner]
    return render, frozenset().union(*uses)


def _list(value: list[Any], where: str, names: Collection[str]) -> tuple[Render, frozenset[str]]:
    inner = [tree(one, f"{where}[{index}]", names) for index, one in enumerate(value)]

    def render(variables: Variables) -> list[Any]:
        return [found for found in (one(variables) for one, _ in inner) if not _left_out(found)]

    return render, frozenset().union(*(used for _, used in inner))


def as_text(value: Any) -> str:
    """A plain value as it stands in a URL, a header or a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f") if abs(value.adjusted()) <= json_texts.GREATEST_EXPONENT else str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _parts(text: str, where: str, names: Collection[str]) -> tuple[str | Expression, ...]:
    parts, position = list[str | Expression](), 0
    while (start := text.find("{{", position)) >= 0:
        expression, end = _expression(text, start, where, names)
        parts += [text[position:start], expression] if start > position else [expression]
        position = end
    if position < len(text) or not parts:
        parts.append(text[position:])
    return tuple(parts)


def _expression(text: str, start: int, where: str, names: Collection[str]) -> tuple[Expression, int]:
    """The shortest text up to a `}}` that is an expression: an object's own braces may come to stand together."""
    end, first = text.find("}}", start), None
    if end < 0:
        raise ValueError("{{ is not closed by }}")
    while end >= 0:
        try:
            return Expression(text[start + 2 : end], where, names), end + 2
        except ValueError as error:
            first = first or error
        end = text.find("}}", end + 1)
    raise first or ValueError("{{ is not closed by }}")


def _left_out(value: Any) -> bool:
    return isinstance(value, str) and value == OMIT


def _kind(value: Any) -> str:
    names: dict[type, str] = {dict: "an object", list: "a list", str: "omit"}
    return names.get(type(value), "null")
