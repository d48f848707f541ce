"""The conflicts that are meant, with the names of their records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from duplex import composition
from duplex.catalog import CatalogMissingError
from duplex.composition import Composition
from duplex.conflicts import conditions, inventory, live, reading, views
from duplex.conflicts.book import Book, Entry, shortener
from duplex.conflicts.conditions import Wanted
from duplex.conflicts.details import Detail, Known, detail
from duplex.conflicts.views import ConflictShown
from schemas.project.loading import Loaded

RECORD_ID_LETTERS = frozenset("0123456789abcdef-")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list says: how many there are, by entity and field, and those that are shown; and so, `apart`, of those
    that no choice of a value settles. `unreadable` are messages on the topic that are none of ours; not `complete`:
    older ones may be open that only the running pipeline knows of."""

    count: int
    counts: dict[str, int]
    shown: Sequence[ConflictShown]
    apart: "Listing | None" = None
    unreadable: int = 0
    complete: bool = True


async def listed(loaded: Loaded, wanted: Wanted, limit: int, now_us: int) -> Listing:
    """The conflicts that are meant, the oldest first; at most `limit` are shown. Raises BrokerError, ConditionError."""
    stock = await inventory.read(loaded)
    read = stock.book
    found = wanted.among(read, now_us)
    parted = [entry for entry in found if entry.decidable or not entry.open], [*filter(is_apart, found)]
    names = await _names(loaded, stock.composed, [entry for part in parted for entry in part[:limit]])
    decidable, apart = (_listing(read, part, limit, names) for part in parted)
    return replace(decidable, apart=apart, unreadable=read.unreadable, complete=stock.complete)


def is_apart(entry: Entry) -> bool:
    """Whether a conflict is open, and not for a choice to settle."""
    return entry.open and not entry.decidable


def _listing(read: Book, found: Sequence[Entry], limit: int, names: Mapping[str, str]) -> Listing:
    short = shortener(entry.last.record_id for entry in read)
    shown = [views.shown(entry, short(entry.id), names.get(entry.last.record_id)) for entry in found[:limit]]
    return Listing(len(found), conditions.counted(found), shown)


async def _names(loaded: Loaded, composed: Composition | None, entries: Sequence[Entry]) -> dict[str, str]:
    # Without a composition, which a changed file that is not applied yet does not have, the list is as good.
    if not entries or composed is None:
        return {}
    return await live.names_of(composed, loaded.path, [entry.last for entry in entries])


async def record_ids(loaded: Loaded, wanted: Wanted) -> Wanted:
    """The same, with the record named by its id where it was named by a row or a natural key.

    What could be the beginning of an id is looked for as a natural key as well: `C1001` is one of either kind, and the
    record that goes by it is meant then. Raises RecordMissingError, BrokerError.
    """
    name = wanted.record
    if name is None:
        return wanted
    begins_an_id = set(name.lower()) <= RECORD_ID_LETTERS
    if begins_an_id and len(name) == reading.WHOLE_RECORD_ID:
        return replace(wanted, record=name.lower())
    from duplex.explaining import finding

    try:
        found = await finding.find(await composition.composed(loaded), loaded.path, name, wanted.entity)
    except (finding.RecordMissingError, CatalogMissingError):
        if not begins_an_id:
            raise
        return replace(wanted, record=name.lower())
    return replace(wanted, record=found[0].record_id)


def nothing_of(name: str, wanted: Wanted) -> str:
    """Why there is no conflict of the record that goes by this name; `wanted` is what `record_ids` made of it."""
    if wanted.record != name.lower():
        return f"--record {name}: record {wanted.record}, which goes by that, has no conflict of those asked for"
    if len(name) == reading.WHOLE_RECORD_ID:
        return f"--record {name}: this record has no conflict of those asked for"
    return (
        f"--record {name}: no record is known by that natural key, and of those asked for there is no conflict of a "
        "record whose id begins so"
    )


async def detailed(loaded: Loaded, name: str) -> Detail:
    """One conflict with all about it. Raises ConflictMissingError, AmbiguousConflictError, BrokerError,
    CatalogMissingError."""
    entry, read = await inventory.one(loaded, name)
    composed = await composition.composed(loaded)
    last = entry.last
    state = await live.state_of(composed, loaded.path, last.entity, last.record_id)
    # A whole id is answered from one record's messages alone: what is short enough is then not known.
    short = entry.id if name == entry.id else shortener(each.last.record_id for each in read)(entry.id)
    known = Known(
        entry=entry,
        short=short,
        past=await reading.history(loaded.project, entry.id) or [entry.last],
        decided=await reading.decision(loaded.project, last),
        state=state,
        name=None if state is None else live.name_of(composed, last.entity, state),
    )
    return detail(loaded.project, live.rules_of(composed, last), known)
