"""Declared requests, compiled: rendered with a request's variables, they give what is sent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from connectors.rest import json_texts
from connectors.rest.auths import LoginRequest
from connectors.rest.client import Asked
from connectors.rest.declaration import Request
from connectors.rest.errors import TemplateError
from connectors.rest.templates import Render, Template, as_text, tree

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Common:
    """What every request of a system has: its base address, headers and parameters."""

    url: str
    headers: Render
    query: Render


@dataclass(frozen=True, slots=True)
class Prepared:
    """One request. `uses` are the variables that its templates name."""

    setting: str
    method: str
    path: Template
    query: Render
    headers: Render
    body: Render | None
    form: bool
    common: Common
    uses: frozenset[str]

    def asked(self, variables: Mapping[str, Any], query: Mapping[str, Any], url: str | None = None) -> Asked:
        """What is sent. `query` is added; a `url` takes the place of path and query. Raises TemplateError."""
        headers = self._headers(variables)
        body = self._body(variables)
        if body is not None:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded" if self.form else "application/json")
        if url is not None:
            return Asked(self.setting, self.method, url, (), headers, body)
        parameters = {**self.common.query({}), **self.query(variables), **query}
        full = self.common.url + self.path.path(variables)
        return Asked(self.setting, self.method, full, pairs(parameters, f"{self.setting}.query"), headers, body)

    def _headers(self, variables: Mapping[str, Any]) -> dict[str, str]:
        rendered = {**self.common.headers({}), **self.headers(variables)}
        found = {name: as_text(value) for name, value in rendered.items() if value is not None}
        for name, value in found.items():
            if any(ord(character) < 32 or ord(character) == 127 for character in value):
                raise TemplateError(f"{self.setting}.headers.{name}", "…", "its value holds a control character")
        return found

    def _body(self, variables: Mapping[str, Any]) -> bytes | None:
        if self.body is None:
            return None
        body = self.body(variables)
        if self.form:
            return urlencode(pairs(body, f"{self.setting}.body")).encode()
        return json_texts.encode(body)


def prepared(request: Request | LoginRequest, setting: str, names: Collection[str], common: Common) -> Prepared:
    """Raises ValueError, a sentence that names the setting."""
    path = Template(request.path, f"{setting}.path", names)
    query, query_uses = tree(getattr(request, "query", {}), f"{setting}.query", names)
    headers, header_uses = tree(request.headers, f"{setting}.headers", names)
    body, body_uses = (None, frozenset[str]()) if request.body is None else tree(request.body, f"{setting}.body", names)
    if request.form and not isinstance(request.body, Mapping):
        raise ValueError(f"{setting}.body: a form is a mapping of names to values")
    uses = path.uses | query_uses | header_uses | body_uses
    return Prepared(setting, request.method, path, query, headers, body, request.form, common, uses)


def pairs(parameters: Mapping[str, Any], setting: str) -> Pairs:
    """Parameters as they stand in a URL; a list gives its name several times, null nothing. Raises TemplateError."""
    found: Pairs = []
    for name, value in parameters.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict | list):
                raise TemplateError(f"{setting}.{name}", "…", "an object cannot be a parameter; write json(…)")
            if one is not None:
                found.append((name, as_text(one)))
    return found
