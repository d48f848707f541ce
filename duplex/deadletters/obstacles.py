"""Why a dead letter is not sent again: where it would be refused again, do nothing, or do harm.

A message goes back to the topic it came from, and whoever reads that topic meets it a second time. Of a change, a
result or a barrier the merge knows the place, and drops the repeat; an operator's word it would carry out again. In a
topic of which the last message of a key counts, an older one must not come last.
"""

from collections.abc import Iterable, Sequence

from duplex import broker, topics
from duplex.deadletters import reading
from duplex.deadletters.book import Entry
from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Allowance, Amendment, Command, Decision, Nudge
from schemas.project.kafka import client_options
from schemas.project.model import Project

REFUSED = "DecisionRefused"
AGAIN = ("open", "dropped")
USER = "user."
SOURCE = "source "
SPOKEN = (Decision, Amendment, Nudge, Allowance)


async def found(project: Project, entries: Sequence[Entry]) -> dict[str, str]:
    """By id of the entry, why its message is not to be sent again. Raises BrokerError."""
    codec = Codec()
    held = {entry.id: why for entry in entries if (why := of_itself(entry, codec)) is not None}
    left = [entry for entry in entries if entry.id not in held]
    return held | await _of_its_topic(project, left)


def of_itself(entry: Entry, codec: Codec) -> str | None:
    """Why the message as such is not to be sent again; None if nothing speaks against it."""
    if entry.state not in AGAIN:
        return _done(entry)
    message = _message(entry, codec)
    if entry.failure.error_class == REFUSED:
        return f"it would be refused again: {entry.failure.message}.{_shown(message)} Decide anew"
    if entry.failure.component.startswith(reading.SINK):
        return _written(entry, message)
    if entry.failure.component.startswith(SOURCE):
        return (
            "its topic is another program's, and there it would come after newer messages of its row; once it can be "
            "understood, have its producer send the row anew"
        )
    if entry.failure.component.startswith(USER) and isinstance(message, SPOKEN):
        kind = type(message).__name__.lower()
        return f"the merge has seen this {kind}, and would carry it out a second time"
    if entry.last.key is None and entry.last.value is None:
        return "it has neither key nor value: there is nothing to send"
    return None


def _shown(message: object) -> str:
    if not isinstance(message, Decision):
        return ""
    return f" `duplex conflicts show {message.item}` shows it as it is now."


def _written(entry: Entry, message: object) -> str:
    record = message.record_id if isinstance(message, Command) else (entry.last.key or b"").decode(errors="replace")
    return (
        "a sink carries out nothing that was decided before what it did last, and this may be older by now; "
        f"`duplex conflicts retry {record or 'RECORD'}` has the merge send the write as it is wanted now"
    )


def _done(entry: Entry) -> str:
    mark = entry.standing
    if entry.state == "closed":
        return "it was sent again, and got through"
    by = f" by {mark.by}" if mark is not None else ""
    return f"it was sent again{by}, and {entry.failure.component} has not come to it yet"


def _message(entry: Entry, codec: Codec) -> object:
    try:
        return codec.decode(entry.last.value or b"")
    except UndecodableError:
        return None


async def _of_its_topic(project: Project, entries: Sequence[Entry]) -> dict[str, str]:
    """Why the place it came from does not take it: it is gone, or a newer message of the key is the one that counts."""
    wanted = {entry.failure.topic for entry in entries}
    if not wanted:
        return {}
    options = client_options(project.kafka)
    async with broker.admin(options) as client:
        counts = await broker.partition_counts(client, wanted)
        settings = await broker.settings(client, sorted(counts))
    compacted = {name for name, found in settings.items() if "compact" in found.get("cleanup.policy", ("", False))[0]}
    tables = compacted | (counts.keys() & _last_counts(project))
    newest = {name: await _newest(options, name, entries) for name in sorted(tables)}
    held = {}
    for entry in entries:
        failed = entry.failure
        if failed.partition >= counts.get(failed.topic, 0):
            held[entry.id] = f"there is no topic {failed.topic} with a partition {failed.partition} any more"
        elif failed.topic in newest and newest[failed.topic].get(entry.last.key) != failed.offset:
            held[entry.id] = f"in {failed.topic} the last message of a key counts, and this key has been written since"
    return held


def _last_counts(project: Project) -> set[str]:
    """The topics in which the last message of a key counts although they are not compacted."""
    names = topics.names(project)
    return {names.conflicts, *(names.claims(entity) for entity in project.entities)}


async def _newest(options: broker.Options, topic: str, entries: Iterable[Entry]) -> dict[bytes | None, int]:
    """The offset of the newest message of each of these entries' keys."""
    keys = {entry.last.key for entry in entries if entry.failure.topic == topic and entry.last.key is not None}
    newest: dict[bytes | None, int] = {}
    async for batch in broker.read_all(options, topic):
        newest |= {message.key: message.offset for message in batch if message.key in keys}
    return newest
