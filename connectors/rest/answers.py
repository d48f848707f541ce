"""What an application answered, and what that means for the request that asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.rest import json_texts, paths, tagging
from connectors.rest.declaration import Answer as Rule
from connectors.rest.declaration import Meaning as DeclaredMeaning
from connectors.rest.errors import TemplateError, UnfitAnswerError
from connectors.rest.expressions import Expression
from connectors.rest.templates import Template

Meaning = DeclaredMeaning | Literal["done", "unsure"]
NAMES = frozenset({"status", "body", "headers"})
_USUAL_PLACES = tuple(
    paths.parse(text)
    for text in ("error.message", "errors[0].message", "message", "error_description", "detail", "title", "error")
)
_GONE, _MOVED = frozenset({404, 410}), frozenset({409, 412})
# Refused before anything was done with them.
_NOT_BEGUN = frozenset({425, 429})
_LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `body` is the decoded JSON, None where there was none; `fault` says why it could not be read.

    `missing`: it says that there is no such row.
    """

    status: int
    headers: Mapping[str, str]
    url: str
    body: Any = None
    empty: bool = False
    fault: str = ""
    missing: bool = False

    @property
    def variables(self) -> Mapping[str, Any]:
        """What templates about an answer may name."""
        return {"status": self.status, "body": self.body, "headers": dict(self.headers)}

    def at(self, path: paths.Path | None, setting: str) -> Any:
        """What lies at a path of the body; `Lack.BEYOND` for an index past the end of a list that is there.

        Raises UnfitAnswerError where the body has no such place.
        """
        found = self.body if path is None else paths.find(self.body, path)
        if found is paths.Lack.ABSENT:
            raise UnfitAnswerError(setting, f"the answer from {self.url} has no such part")
        return found


def read(
    status: int, headers: Mapping[str, str], url: str, content: bytes, tagged: bool, types: Sequence[str]
) -> Answer:
    """An answer's bytes as an answer. `types` are content types that are JSON besides the usual ones."""
    if not content.strip():
        return Answer(status, headers, url, empty=True)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "text/json", *types) and not kind.endswith("+json"):
        return Answer(status, headers, url, fault=f"it is {kind or 'of no stated kind'} and not JSON")
    try:
        body = json_texts.decode(content)
    except ValueError as error:
        return Answer(status, headers, url, fault=str(error))
    try:
        return Answer(status, headers, url, tagging.untagged(body) if tagged else body)
    except RecursionError:
        return Answer(status, headers, url, fault="it is nested too deeply")


@dataclass(frozen=True, slots=True)
class Judge:
    """The rules of a resource: what its answers mean, and where the application's own words are."""

    rules: Sequence[tuple[Expression, Rule, Template | None]] = ()
    words: Template | None = None
    login_statuses: frozenset[int] = field(default=frozenset({401}))

    def meaning(self, answer: Answer, conditional: bool) -> tuple[Meaning, str]:
        """What an answer means, and the sentence to say of it.

        `unsure`: busy or broken, perhaps after having acted. `conditional`: the
        request named a tag, so that 409 and 412 mean that the row has moved.
        """
        for when, rule, reason in self.rules:
            if when.holds(answer.variables):
                return rule.means, self._said(answer, reason)
        said = self._said(answer, None)
        meaning = self._by_status(answer, conditional)
        return meaning, (f"HTTP {answer.status}" if not said else f"HTTP {answer.status}, {said}")

    def _by_status(self, answer: Answer, conditional: bool) -> Meaning:
        status = answer.status
        if status < 300:
            return "done"
        if status in self.login_statuses:
            return "login"
        if status in _GONE:
            return "settings" if answer.fault else "missing"
        if status in _NOT_BEGUN:
            return "busy"
        if status == 408 or status >= 500:
            return "unsure"
        if conditional and status in _MOVED:
            return "moved"
        return "settings" if status < 400 or status in (403, 405) else "row"

    def _said(self, answer: Answer, reason: Template | None) -> str:
        for template in (reason, self.words):
            said = None if template is None else _rendered(template, answer)
            if said:
                return said
        if answer.fault:
            return answer.fault
        found = (paths.find(answer.body, path) for path in _USUAL_PLACES)
        return next((_short(one) for one in found if isinstance(one, str) and one), _short(_whole(answer.body)))


def compiled(rules: Sequence[tuple[str, Rule]], words: tuple[str, str | None]) -> Judge:
    """Rules with the settings they stand at. Raises ValueError, a sentence that names the setting."""
    made = []
    for where, rule in rules:
        try:
            when = Expression(rule.when, f"{where}.when", NAMES)
        except ValueError as error:
            raise ValueError(f"{where}.when: {error}") from error
        made.append((when, rule, rule.reason and Template(rule.reason, f"{where}.reason", NAMES)))
    where, text = words
    return Judge(
        [(when, rule, reason or None) for when, rule, reason in made], Template(text, where, NAMES) if text else None
    )


def _rendered(template: Template, answer: Answer) -> str:
    try:
        value = template(answer.variables)
    except TemplateError:
        return ""
    return _short(value if isinstance(value, str) else _whole(value))


def _whole(body: Any) -> str:
    if body is None or body in ({}, []):
        return ""
    return body if isinstance(body, str) else json_texts.encode(body).decode()


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST_WORDS else f"{plain[:_LONGEST_WORDS]}…"
