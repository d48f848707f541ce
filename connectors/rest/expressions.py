"""CEL expressions of a declaration: compiled once, names checked, exact where they only point at a value."""

import base64
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import cel
from cel.stdlib import STDLIB_FUNCTIONS

from connectors.rest import json_texts, paths, tagging
from connectors.rest.errors import TemplateError
from schemas.project.findings import listing, nearest

Variables = Mapping[str, Any]
OMIT = "\x00omit\x00"
_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\]|\[\"[^\"]+\"\])*")
_WORDS = frozenset({"true", "false", "null", "omit"})
_BOUND = re.compile(r"\.(?:map|filter|all|exists|exists_one)\(\s*([A-Za-z_]\w*)\s*,")
_INT64 = 1 << 63


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _http_date(text: str) -> str:
    try:
        return format_datetime(datetime.fromisoformat(text).astimezone(UTC), usegmt=True)
    except ValueError:
        return text


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "base64": lambda text: base64.b64encode(str(text).encode()).decode(),
    "json": lambda value: json_texts.encode(value).decode(),
    "quoted": lambda text: _quoted(str(text)),
    "http_date": lambda text: _http_date(str(text)),
    "tagged": lambda text: tagging.tagged(str(text)),
}


class Expression:
    """One expression. `where` is the setting it stands in; `names` the variables that it may use.

    Raises ValueError, a sentence, for what is no CEL or names a variable that is not there.
    """

    def __init__(self, source: str, where: str, names: Collection[str]) -> None:
        self.source, self.where = source.strip(), where
        self._how = paths.parse(self.source) if _is_path(self.source) else _compiled(self.source)
        how = self._how
        self.uses = frozenset({str(how[0])} if isinstance(how, tuple) else _variables(how, self.source))
        self._functions = {} if isinstance(how, tuple) else _called(how)
        self._check(names)

    def __call__(self, variables: Variables) -> Any:
        """Its value. Raises TemplateError."""
        if isinstance(self._how, tuple):
            return self._pointed_at(self._how, variables)
        try:
            return self._how.execute(self._context(variables))
        except (KeyError, RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise TemplateError(self.where, self.source, _reason(error)) from error

    def holds(self, variables: Variables) -> bool:
        """Whether it is true; one that has no value here is not."""
        try:
            return self(variables) is True
        except TemplateError:
            return False

    def _pointed_at(self, path: paths.Path, variables: Variables) -> Any:
        value = paths.find(dict(variables), path)
        if isinstance(value, paths.Lack):
            raise TemplateError(self.where, self.source, "there is no such value")
        return value

    def _context(self, variables: Variables) -> "cel.Context":
        given = {name: plain(value) for name, value in variables.items() if name in self.uses}
        return cel.Context({**given, "omit": OMIT}, self._functions)

    def _check(self, names: Collection[str]) -> None:
        unknown = sorted(self.uses - set(names) - _WORDS)
        if unknown:
            remedy = nearest(unknown[0], names) or listing(names) or "none is known here"
            raise ValueError(f"there is no {unknown[0]} here; {remedy}")


def plain(value: Any) -> Any:
    """As CEL knows values: decimals and numbers past 64 bits are doubles."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return float(value)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _is_path(source: str) -> bool:
    return _PLAIN.fullmatch(source) is not None and source not in _WORDS


def _compiled(source: str) -> "cel.Program":
    try:
        return cel.compile(source)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{source!r} is no CEL expression: {_reason(error)}") from error


def _variables(program: "cel.Program", source: str) -> set[str]:
    known = {name.partition(".")[0] for name in STDLIB_FUNCTIONS if "." in name}
    return set(program.variables()) - set(_BOUND.findall(source)) - known


def _called(program: "cel.Program") -> dict[str, Callable[..., Any]]:
    """The functions that a program may call: to hand over all of them takes longer than most evaluations."""
    names = {name.rpartition(".")[2] for name in program.functions()}
    every = {**STDLIB_FUNCTIONS, **FUNCTIONS}
    return {name: function for name, function in every.items() if name.rpartition(".")[2] in names}


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]}"
    # A syntax error goes on with every token that would have been possible.
    return " ".join(str(error).split()).partition(" expecting ")[0][:200]
