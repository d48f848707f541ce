"""How a listing goes on from one answer to the next: what the next request says, and when it is over.

A cursor is JSON text, so that a listing can be resumed by anybody: the place to go on from, how many pages came
before, and a digest of an earlier place. A listing that comes by the same place again is refused: the digest is renewed
at every power of two of pages, so that a circle of any length is noticed within two rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from re import compile as pattern
from typing import Any
from urllib.parse import urljoin

import msgspec

from connectors.rest import paths
from connectors.rest.answers import Answer
from connectors.rest.declaration import Keyed, Listing, Numbered, Pointed, Whole
from connectors.rest.errors import UnfitAnswerError

EMPTY_LIMIT = 100
_VALUE = r"(?:\"(?:[^\"\\]|\\.)*\"|[^\",;\s]*)"
_LINK = pattern(rf"<([^>]*)>((?:\s*;\s*[\w*-]+\s*=\s*{_VALUE})*)")
_PARAMETER = pattern(rf";\s*([\w*-]+)\s*=\s*({_VALUE})")


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a listing stands: the pages and rows behind it, what the next request names, an earlier place, how
    many empty pages came last, and the way of going on that all this belongs to."""

    pages: int = 0
    rows: int = 0
    next: Any = None
    mark: str = ""
    empty: int = 0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Paging:
    """One listing's way of going on. `setting` is where it is declared."""

    listing: Listing
    setting: str
    paths: Mapping[str, paths.Path]

    def start(self) -> Place:
        """Before the first page."""
        how = self.listing.pagination
        return Place(next=how.first if isinstance(how, Keyed) else None, kind=how.type)

    def place(self, cursor: str | None) -> Place:
        """Where a cursor leads. One of another declaration leads to the start: rows may come twice, never too few."""
        try:
            found = None if cursor is None else msgspec.json.decode(cursor, type=Place)
        except msgspec.DecodeError:
            found = None
        return found if found is not None and found.kind == self.listing.pagination.type else self.start()

    def variables(self, place: Place) -> dict[str, Any]:
        """`page` of the templates."""
        how = self.listing.pagination
        first = how.first if isinstance(how, Numbered) else 1
        return {
            "number": first + place.pages,
            "offset": place.rows,
            "size": getattr(how, "size", None),
            "cursor": place.next if isinstance(how, Pointed) else None,
            "after": place.next if isinstance(how, Keyed) else None,
        }

    def query(self, place: Place) -> dict[str, Any]:
        """Parameters that this way of going on adds to the request; None: not at this place."""
        how = self.listing.pagination
        found: dict[str, Any] = {}
        if not isinstance(how, Whole) and how.size_parameter:
            found[how.size_parameter] = how.size
        if isinstance(how, Numbered) and how.parameter:
            found[how.parameter] = self.variables(place)["number" if how.type == "page" else "offset"]
        if isinstance(how, Keyed | Pointed) and how.parameter:
            found[how.parameter] = place.next
        return found

    def url(self, place: Place) -> str | None:
        """The URL of the next page where the application gave one."""
        how = self.listing.pagination
        given = isinstance(how, Pointed) and how.type in ("next_url", "link")
        return place.next if given else None

    def after(self, place: Place, answer: Answer, url: str, keys: Sequence[Sequence[Any]]) -> Place | None:
        """Where to go on; None: this was the last page. `keys` are the keys of its rows, `url` where it came from.

        Raises UnfitAnswerError for an answer that does not say, a circle, and more pages than are allowed.
        """
        step = self._step(place, answer, url, keys)
        if step is None:
            return None
        digest = blake2b(msgspec.json.encode(step), digest_size=12).hexdigest()
        pages = place.pages + 1
        if digest == place.mark:
            raise UnfitAnswerError(self.setting, f"the listing goes in a circle: page {pages} leads back")
        if pages >= self.listing.page_limit:
            raise UnfitAnswerError(f"{self.setting}.page_limit", f"the listing has more than {pages} pages")
        empty = 0 if keys else place.empty + 1
        if empty >= EMPTY_LIMIT:
            raise UnfitAnswerError(self.setting, f"{empty} empty pages came in a row, and each points to another")
        mark = digest if pages & (pages - 1) == 0 else place.mark
        how = self.listing.pagination
        token = None if isinstance(how, Numbered) else step
        return Place(pages, place.rows + len(keys), token, mark, empty, how.type)

    def _step(self, place: Place, answer: Answer, url: str, keys: Sequence[Sequence[Any]]) -> Any:
        """What the next request names; of numbered pages, what tells this page from another."""
        how = self.listing.pagination
        if isinstance(how, Numbered):
            return None if self._at_end(how, place, answer, len(keys)) else [list(key) for key in keys]
        if isinstance(how, Keyed):
            return keys[-1][0] if keys else None
        if isinstance(how, Pointed) and not self._says_end(how, answer):
            return self._pointer(how, answer, url)
        return None

    def _at_end(self, how: Numbered, place: Place, answer: Answer, rows: int) -> bool:
        if "total" in self.paths:
            total = answer.at(self.paths["total"], f"{self.setting}.total")
            if not isinstance(total, int):
                raise UnfitAnswerError(f"{self.setting}.total", "the count of all rows is no whole number")
            if rows == 0 and place.rows < total:
                why = f"the listing breaks off: {place.rows} rows came of {total}"
                raise UnfitAnswerError(f"{self.setting}.total", why)
            return place.rows + rows >= total
        return rows < (how.size if how.stop == "short" else 1)

    def _says_end(self, how: Pointed, answer: Answer) -> bool:
        if "more" not in self.paths:
            return False
        more = answer.at(self.paths["more"], f"{self.setting}.more")
        if not isinstance(more, bool):
            raise UnfitAnswerError(f"{self.setting}.more", "it is neither true nor false")
        return not more

    def _pointer(self, how: Pointed, answer: Answer, url: str) -> Any:
        if how.type == "link":
            target = next_link(answer.headers.get("link", ""))
            return None if target is None else self._joined(url, target)
        name = "cursor" if how.type == "cursor" else "url"
        found = paths.find(answer.body, self.paths[name])
        if isinstance(found, paths.Lack):
            if how.absent_ends:
                return None
            remedy = "set absent_ends: true if that says that it was the last page"
            raise UnfitAnswerError(f"{self.setting}.{name}", f"the answer does not say how to go on; {remedy}")
        if found is None or found is False or found == "":
            return None
        if not isinstance(found, str | int) or isinstance(found, bool):
            raise UnfitAnswerError(f"{self.setting}.{name}", "what says how to go on is neither text nor a number")
        return self._joined(url, str(found)) if name == "url" else found

    def _joined(self, url: str, target: str) -> str:
        try:
            return urljoin(url, target)
        except ValueError as error:
            raise UnfitAnswerError(self.setting, f"the next page has no URL that can be read: {error}") from error


def compiled(listing: Listing, setting: str) -> Paging:
    """Raises ValueError, a sentence that names the setting."""
    how = listing.pagination
    named = {name: getattr(how, name, None) for name in ("total", "more", "cursor", "url")}
    found: dict[str, paths.Path] = {}
    for name, text in named.items():
        if text is None:
            continue
        try:
            found[name] = paths.parse(text)
        except ValueError as error:
            raise ValueError(f"{setting}.{name}: {error}") from error
    return Paging(listing, setting, found)


def cursor_text(place: Place | None) -> str | None:
    """A place as text that goes through `Page.cursor`."""
    return None if place is None else msgspec.json.encode(place).decode()


def next_link(header: str) -> str | None:
    """The target of the relation `next` in a Link header (RFC 8288); None where there is none."""
    for target, parameters in _LINK.findall(header):
        said = {name.lower(): value.strip('"').lower() for name, value in _PARAMETER.findall(parameters)}
        if "next" in said.get("rel", "").split():
            return str(target)
    return None
