"""The links processor of an entity: gives every row's events to its record's log."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from schemas.codec import Codec
from schemas.identifiers import row_key
from schemas.messages import Change, Link, Result
from schemas.topics import Topics
from streams.identity import loads
from streams.identity.glances import Glancer
from streams.identity.matched import KeyOf
from streams.identity.results import as_change
from streams.identity.rows import Admits, Effects, NaturalKey, RowEvent, RowLinker, RowState, passes
from streams.processors.records import Decided, Output, Record, UnprocessableError, each
from streams.processors.stores import Store


class LinksProcessor:
    """See `streams.identity.rows`. State by row key; reads the changes of every system, and its own answers.

    `natural_key` is None where the entity has none: every row is a record of its own then. `admits` is None where
    every row takes part, `is_gone` where no row that is there counts as deleted. `keys` tell the natural key of an
    image, for systems of which no row that is there counts as deleted: an update of a linked row is passed on without
    being decoded then.
    """

    def __init__(
        self,
        topics: Topics,
        entity: str,
        systems: Sequence[str],
        natural_key: NaturalKey | None = None,
        admits: Admits | None = None,
        codec: Codec | None = None,
        is_gone: Admits | None = None,
        keys: Mapping[str, KeyOf] | None = None,
    ) -> None:
        self.name = f"links.{entity}"
        self.inputs = (topics.links(entity), *(topics.changes(system, entity) for system in systems))
        self.outputs = (topics.records(entity), topics.claims(entity))
        self.free_outputs: tuple[str, ...] = ()
        self.state_topic: str | None = topics.state("links", entity)
        self._topics = topics
        self._entity = entity
        self._codec = codec or Codec()
        self._look = Glancer(self._codec).look
        self._keys = keys or {}
        self._records = topics.records(entity)
        self._linker = RowLinker(entity, natural_key or _no_key, self._change, admits, is_gone)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(RowState).decode

    def apply(self, records: Sequence[Record], store: Store) -> list[Decided]:
        """Link what can be linked; keep the rest waiting."""
        return each(records, lambda record: self._one(record, store))

    def _one(self, record: Record, store: Store) -> Iterable[Decided]:
        if record.value is None:
            return ()
        passed = self._passed_on(record, record.value, store)
        if passed is not None:
            return (passed,)
        message = self._codec.decode(record.value)
        if isinstance(message, Change):
            if message.op == "t":
                return ()
            if message.op == "l":
                return self._passed(record, message.system) if loads.begin(store, message.system) else ()
            return self._event(record, store, message)
        if isinstance(message, Result):
            return self._event(record, store, as_change(message))
        if isinstance(message, Link):
            row_id = (message.system, message.local_id)
            return self._row(record, store, row_id, lambda row: self._linker.on_link(row, message))
        raise UnprocessableError(f"a {type(message).__name__} where a Change, a Result or a Link belongs", "decode")

    def _passed_on(self, record: Record, data: bytes, store: Store) -> Output | None:
        """The event as it came, to its record, if that is all that there is to do."""
        seen = self._look(data)
        key_of = None if seen is None else self._keys.get(seen.system)
        if seen is None or key_of is None:
            return None
        key = row_key(seen.system, seen.local_id)
        found = store.get(key)
        if found is None:
            return None
        row = self._decode(found)
        if not passes(row, seen.place, key_of(seen.after), seen.record_id):
            return None
        row.place = seen.place
        store.put(key, self._encode(row))
        return Output(self._records, (row.record_id or "").encode(), data, cause=record)

    def _event(self, record: Record, store: Store, change: Change) -> Iterable[Decided]:
        event = RowEvent(change, record.value or b"")
        local_id = change.local_id if change.before_id is None else change.before_id
        return self._row(record, store, (change.system, local_id), lambda row: self._linker.on_change(row, event))

    def _row(
        self, record: Record, store: Store, row_id: tuple[str, str], decide: Callable[[RowState], Effects]
    ) -> Iterable[Decided]:
        key = row_key(*row_id)
        found = store.get(key)
        row = RowState() if found is None else self._decode(found)
        effects = decide(row)
        after = self._encode(row)
        if after != found:
            store.put(key, after)
        outputs = list(self._outputs(record, effects))
        if not loads.waits(row) and loads.resolve(store, row_id[0], key):
            outputs += self._passed(record, row_id[0])
        return outputs

    def _passed(self, record: Record, system: str) -> list[Output]:
        """Tell every partition of the record log, behind all rows that went there before."""
        topic, barriers = self._topics.records(self._entity), loads.barriers
        passed = barriers(self._entity, system, record.partition, self._topics.partitions)
        return [
            Output(topic, None, self._codec.encode(one), partition=partition, cause=record)
            for partition, one in enumerate(passed)
        ]

    def _outputs(self, record: Record, effects: Effects) -> Iterable[Decided]:
        # Links and claims go second: who learns a link from them must find the earlier events in the record's log.
        topics, entity, encode = self._topics, self._entity, self._codec.encode
        for record_id, data in effects.forwards:
            yield Output(topics.records(entity), record_id.encode(), data, cause=record)
        for link in effects.links:
            key = row_key(link.system, link.local_id)
            yield Output(topics.links(entity), key, encode(link), stage=1, cause=record)
        for system, local_id in effects.unlinked:
            yield Output(topics.links(entity), row_key(system, local_id), None, stage=1, cause=record)
        for claim in effects.claims:
            yield Output(topics.claims(entity), claim.natural_key.encode(), encode(claim), stage=1, cause=record)

    def _change(self, data: bytes) -> Change:
        message = self._codec.decode(data)
        return as_change(message) if isinstance(message, Result) else self._codec.decode_as(data, Change)


def _no_key(system: str, image: str) -> str | None:
    return None
