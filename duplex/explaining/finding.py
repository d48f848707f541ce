"""Which records a name means: a record id, a row of any system, a key, or a natural key."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from duplex import lookups
from duplex.composition import Composition
from duplex.usage import UsageError
from schemas.identifiers import local_id, record_of_key, row_key
from schemas.project.model import Entity
from streams.identity.keys import KeyState
from streams.identity.rows import RowState
from streams.mapping.natural_keys import natural_key

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ROW = re.compile(r"(?P<system>[a-z][a-z0-9_]*):(?P<local>.+)", re.DOTALL)
Beside = Callable[[str], Sequence[bytes]]
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


class RecordMissingError(UsageError):
    """Nothing that goes by this name."""

    def __init__(self, name: str, entities: tuple[str, ...], hint: str) -> None:
        super().__init__(
            "no such record",
            name,
            f"no record of {', '.join(entities)} has this id, row or natural key{hint}",
            "Give a record id, a row as `system:7` or `system:[7]`, or the value of the key.",
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A record that a name means: the bytes of its state in the merge, and what else was looked up with it, by key."""

    entity: str
    record_id: str
    partition: int
    state: bytes
    beside: Mapping[bytes, bytes]


@dataclass(slots=True)
class _Search:
    """One search: where it looks, and what it met on the way that is no record yet."""

    composed: Composition
    path: Path
    look: lookups.Look
    waiting: list[str] = field(default_factory=list)

    async def state(self, processor: str, entity: str, key: bytes) -> bytes | None:
        place = lookups.place_of(self.composed, processor, entity, key)
        return (await self.look(self.composed.kafka, self.path, place, keys=(key,))).get(key)

    async def record_ids(self, entity: str, name: str) -> list[str]:
        """The records that this name may mean, the likeliest first."""
        if UUID.fullmatch(name.lower()):
            return [name.lower()]
        row, known = ROW.fullmatch(name), self.composed.project.entities[entity]
        if row and row["system"] in known.systems:
            return await self._of_rows(entity, (row["system"],), row["local"])
        found = await self._of_rows(entity, tuple(known.systems), name) if name.startswith("[") else []
        if known.identity == "key":
            return found or [record_of_key(entity, local) for local in local_ids(name)]
        return found or await self._of_natural_key(entity, known, name)

    async def _of_rows(self, entity: str, systems: tuple[str, ...], written: str) -> list[str]:
        if self.composed.project.entities[entity].identity == "key":
            return [record_of_key(entity, local) for local in local_ids(written)]
        found = [await self._of_row(entity, system, local) for system in systems for local in local_ids(written)]
        return [record_id for record_id in found if record_id]

    async def _of_row(self, entity: str, system: str, local: str) -> str | None:
        data = await self.state("links", entity, row_key(system, local))
        if data is None:
            return None
        row = msgspec.msgpack.decode(data, type=RowState)
        if row.record_id is None and row.waiting:
            why = "is parked as a second row of its record" if row.parked else "waits for its record"
            self.waiting.append(f"row {local} of {system} {why} ({len(row.waiting)} changes)")
        return row.record_id

    async def _of_natural_key(self, entity: str, known: Entity, name: str) -> list[str]:
        words = [name] if len(known.match) == 1 else [word.strip() for word in name.split(",")]
        key = name if name.startswith("[") else natural_key(known.match, dict(zip(known.match, words, strict=False)))
        if key is None:
            return []
        data = await self.state("claims", entity, key.encode())
        record_id = None if data is None else msgspec.msgpack.decode(data, type=KeyState).record_id
        return [record_id] if record_id else []


def local_ids(written: str) -> list[str]:
    """The local ids that a person may mean: JSON array text, or the key's values with commas between them.

    A value that looks like a number may be one, or text.
    """
    if written.startswith("["):
        try:
            # Raw: a number stays as it is written.
            values: list[object] = [*msgspec.json.decode(written, type=list[msgspec.Raw])]
            return [local_id(values)]
        except msgspec.DecodeError:
            return []
    words = [word.strip() for word in written.split(",")]
    return [local_id(list(values)) for values in itertools.product(*map(_readings, words))]


def _readings(word: str) -> Iterator[msgspec.Raw]:
    if NUMBER.fullmatch(word):
        yield msgspec.Raw(word.encode())
    yield msgspec.Raw(msgspec.json.encode(word))


def nothing_beside(record_id: str) -> tuple[bytes, ...]:
    """No prefixes."""
    return ()


async def find(
    composed: Composition,
    path: Path,
    name: str,
    entity: str | None,
    beside: Beside = nothing_beside,
    look: lookups.Look = lookups.look,
) -> list[Found]:
    """The records that this name means, at least one; `path` is that of the project file.

    With each state, the keys of the merge that begin with one of `beside(record id)` are looked up. Raises
    RecordMissingError, BrokerError.
    """
    if entity is not None and entity not in composed.rules:
        raise RecordMissingError(name, tuple(composed.rules), f" (there is no entity {entity})")
    search, found = _Search(composed, path, look), list[Found]()
    entities = (entity,) if entity else tuple(composed.rules)
    for each in entities:
        for record_id in dict.fromkeys(await search.record_ids(each, name)):
            key = record_id.encode()
            place = lookups.place_of(composed, "merge", each, key)
            content = await look(composed.kafka, path, place, keys=(key,), prefixes=beside(record_id))
            if key in content:
                found.append(Found(each, record_id, place.partition, content.pop(key), content))
    if not found:
        raise RecordMissingError(name, entities, "".join(f"; {text}" for text in search.waiting))
    return found
