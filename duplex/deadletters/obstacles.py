"""Why a dead letter is not sent again: where it would be refused again, do nothing, or do harm."""

from collections.abc import Iterable, Sequence

from duplex import broker
from duplex.deadletters import reading
from duplex.deadletters.book import Entry
from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Command, Decision
from schemas.project.kafka import client_options
from schemas.project.model import Project

REFUSED = "DecisionRefused"
AGAIN = ("open", "dropped")


async def found(project: Project, entries: Sequence[Entry]) -> dict[str, str]:
    """By id of the entry, why its message is not to be sent again. Raises BrokerError."""
    codec = Codec()
    held = {entry.id: why for entry in entries if (why := of_itself(entry, codec)) is not None}
    left = [entry for entry in entries if entry.id not in held]
    return held | await _of_its_topic(client_options(project.kafka), left)


def of_itself(entry: Entry, codec: Codec) -> str | None:
    """Why the message as such is not to be sent again; None if nothing speaks against it."""
    if entry.state not in AGAIN:
        return _done(entry)
    message = _message(entry, codec)
    if entry.failure.error_class == REFUSED:
        item = (
            f" `duplex conflicts show {message.item}` shows it as it is now." if isinstance(message, Decision) else ""
        )
        return f"it would be refused again: {entry.failure.message}.{item} Decide anew"
    if entry.failure.component.startswith(reading.SINK):
        record = message.record_id if isinstance(message, Command) else "RECORD"
        return (
            "the sink carries out nothing that is older than what it did last; "
            f"`duplex conflicts retry {record}` has the merge send the write anew"
        )
    return None


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


async def _of_its_topic(options: broker.Options, entries: Sequence[Entry]) -> dict[str, str]:
    """Why the place it came from does not take it: gone, or a table in which its key has been written since."""
    wanted = {entry.failure.topic for entry in entries}
    if not wanted:
        return {}
    async with broker.admin(options) as client:
        counts = await broker.partition_counts(client, wanted)
        settings = await broker.settings(client, sorted(counts))
    tables = [name for name, found in settings.items() if "compact" in found.get("cleanup.policy", ("", False))[0]]
    newest = {name: await _newest(options, name, entries) for name in tables}
    held = {}
    for entry in entries:
        failed = entry.failure
        if failed.partition >= counts.get(failed.topic, 0):
            held[entry.id] = f"there is no topic {failed.topic} with a partition {failed.partition} any more"
        elif failed.topic in newest and newest[failed.topic].get(entry.last.key) != failed.offset:
            held[entry.id] = f"{failed.topic} keeps the last message of a key, and this key has been written since"
    return held


async def _newest(options: broker.Options, topic: str, entries: Iterable[Entry]) -> dict[bytes | None, int]:
    """The offset of the newest message of each of these entries' keys."""
    keys = {entry.last.key for entry in entries if entry.failure.topic == topic and entry.last.key is not None}
    newest: dict[bytes | None, int] = {}
    async for batch in broker.read_all(options, topic):
        newest |= {message.key: message.offset for message in batch if message.key in keys}
    return newest
