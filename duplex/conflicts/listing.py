"""The conflicts that are meant, with the names of their records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from duplex import composition
from duplex.catalog import CatalogMissingError
from duplex.conflicts import conditions, live, reading, views
from duplex.conflicts.book import Book, Entry, shortener
from duplex.conflicts.conditions import Wanted
from duplex.conflicts.details import Detail, Known, detail
from duplex.conflicts.views import ConflictShown
from schemas.project.loading import Loaded

RECORD_ID_LETTERS = frozenset("0123456789abcdef-")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list says: how many there are, by entity and field, and those that are shown. `unreadable` are messages
    on the topic that are none of ours."""

    count: int
    counts: dict[str, int]
    shown: Sequence[ConflictShown]
    unreadable: int = 0


async def listed(loaded: Loaded, wanted: Wanted, limit: int, now_us: int) -> Listing:
    """The conflicts that are meant, the oldest first; at most `limit` are shown. Raises BrokerError, ConditionError."""
    read = await reading.book(loaded.project)
    found = wanted.among(read, now_us)
    shown = await shown_of(loaded, read, found[:limit])
    return Listing(len(found), conditions.counted(found), shown, read.unreadable)


async def shown_of(loaded: Loaded, read: Book, entries: Sequence[Entry]) -> list[ConflictShown]:
    """These conflicts of a book as data, each with the name of its record where that can be found."""
    names = await _names(loaded, entries)
    short = shortener(entry.last.record_id for entry in read)
    return [views.shown(entry, short(entry.id), names.get(entry.last.record_id)) for entry in entries]


async def _names(loaded: Loaded, entries: Sequence[Entry]) -> dict[str, str]:
    if not entries:
        return {}
    try:
        composed = await composition.composed(loaded)
    except CatalogMissingError:
        # A project file that was changed and not applied yet: the list is as good without names.
        return {}
    return await live.names_of(composed, loaded.path, [entry.last for entry in entries])


async def record_ids(loaded: Loaded, wanted: Wanted) -> Wanted:
    """The same, with the record named by its id where it was named by a row or a natural key.

    Raises RecordMissingError, BrokerError.
    """
    name = wanted.record
    if name is None or set(name.lower()) <= RECORD_ID_LETTERS:
        return wanted if name is None else replace(wanted, record=name.lower())
    from duplex.explaining import finding

    found = await finding.find(await composition.composed(loaded), loaded.path, name, wanted.entity)
    return replace(wanted, record=found[0].record_id)


async def detailed(loaded: Loaded, name: str) -> Detail:
    """One conflict with all about it. Raises ConflictMissingError, AmbiguousConflictError, BrokerError,
    CatalogMissingError."""
    entry, read = await reading.one(loaded.project, name)
    composed = await composition.composed(loaded)
    last = entry.last
    state = await live.state_of(composed, loaded.path, last.entity, last.record_id)
    # A whole id is answered from one record's messages alone: what is short enough is then not known.
    short = entry.id if name == entry.id else shortener(each.last.record_id for each in read)(entry.id)
    known = Known(
        entry=entry,
        short=short,
        past=await reading.history(loaded.project, entry.id),
        decided=await reading.decision(loaded.project, last),
        state=state,
        name=None if state is None else live.name_of(composed, last.entity, state),
    )
    return detail(loaded.project, live.rules_of(composed, last), known)
