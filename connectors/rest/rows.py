"""Items of an application's answers as rows, and rows as what is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.remote.api import Found, Values
from connectors.rest import paths
from connectors.rest.columns import Column, us_of
from connectors.rest.errors import UnfitAnswerError
from connectors.rest.templates import Template
from schemas.identifiers import local_id

ETAG = "etag"
_GREATEST_VERSION = 1 << 63
_LOCAL_ID = msgspec.json.Decoder(list[Any])


@dataclass(frozen=True, slots=True)
class Rows:
    """The columns of one resource. `version`, `changed` and `tag` are a column's name, or a template of `item`."""

    setting: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    version: str | Template | None = None
    changed: str | Template | None = None
    tag: str | Template | None = None

    def found(self, item: Any, headers: Mapping[str, str] | None = None) -> Found:
        """A row out of an item. `headers` are those of an answer that holds this row alone.

        Raises UnfitAnswerError for an item that is none, or lacks a column; TemplateError.
        """
        if not isinstance(item, dict):
            raise UnfitAnswerError(self.setting, "an item of the answer is no object")
        values = {name: self._value(column, item) for name, column in self.columns.items()}
        version = self._told(self.version, values, item)
        if self.version is not None and not _is_version(version):
            raise UnfitAnswerError(f"{self.setting}.version", f"the version {str(version)[:40]} is no whole number")
        changed_us = us_of(self._told(self.changed, values, item))
        tag = (headers or {}).get("etag") if self.tag == ETAG else self._told(self.tag, values, item)
        return Found(self.local_id(values), values, version, changed_us, None if tag is None else str(tag))

    def local_id(self, values: Values) -> str:
        """Raises UnfitAnswerError for a row without its key."""
        key = [values.get(name) for name in self.key]
        if any(value is None or isinstance(value, dict | list) for value in key):
            raise UnfitAnswerError(f"{self.setting}.key", f"a row came without its key ({', '.join(self.key)})")
        return local_id(key)

    def key_of(self, local: str) -> dict[str, Any]:
        """The key's columns of a local id. Raises ValueError for one of another shape."""
        values = _LOCAL_ID.decode(local)
        return dict(zip(self.key, values, strict=True))

    def key_in(self, item: Any, places: Sequence[paths.Path]) -> str | None:
        """The local id that lies at these paths, one for each column of the key; None where it does not."""
        found = [paths.find(item, place) for place in places]
        if len(found) != len(self.key) or any(value is None or isinstance(value, paths.Lack) for value in found):
            return None
        values = {name: self.columns[name].read_value(value) for name, value in zip(self.key, found, strict=True)}
        return self.local_id(values)

    def sent(self, values: Values) -> dict[str, Any]:
        """Columns in the form of the application. Raises ValueError for one that cannot be written; TemplateError."""
        for name in values:
            if name not in self.columns:
                raise ValueError(f"there is no column {name}")
            if self.columns[name].read_only:
                raise ValueError(f"column {name} is read only")
        return {name: self.columns[name].sent(value) for name, value in values.items()}

    def laid_out(self, sent: Mapping[str, Any]) -> Any:
        """The same, by the columns' paths; without those that have no place."""
        document: Any = {}
        for name, value in sent.items():
            if not self.columns[name].has_place:
                continue
            document = paths.place(document, self.columns[name].path, value)
        return document

    def holds(self, values: Values, wanted: Values) -> bool:
        """Whether a row has exactly these values."""
        return all(
            values.get(name) == (value if value is None else self.columns[name].read_value(value))
            for name, value in wanted.items()
        )

    def _value(self, column: Column, item: Any) -> Any:
        value = column.of(item)
        if isinstance(value, paths.Lack):
            remedy = "correct its path, or set optional: true if the application leaves out what is empty"
            raise UnfitAnswerError(f"{self.setting}.columns.{column.name}", f"a row came without it; {remedy}")
        return value

    def _told(self, how: str | Template | None, values: Values, item: Any) -> Any:
        if how is None or how == ETAG:
            return None
        return how({"item": item}) if isinstance(how, Template) else values.get(how)


def _is_version(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _GREATEST_VERSION
