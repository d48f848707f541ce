"""The claims processor of an entity: says which record owns a natural key."""

from collections.abc import Iterable, Sequence

import msgspec

from schemas.codec import Codec
from schemas.identifiers import row_key
from schemas.messages import Claim
from schemas.topics import Topics
from streams.identity.keys import ClaimEvent, KeyState, decide
from streams.processors.records import Decided, Output, Record, each
from streams.processors.stores import Store


class ClaimsProcessor:
    """See `streams.identity.keys`. State by natural key."""

    def __init__(self, topics: Topics, entity: str, codec: Codec | None = None) -> None:
        self.name = f"claims.{entity}"
        self.inputs = (topics.claims(entity),)
        self.outputs = (topics.links(entity),)
        self.free_outputs = (topics.conflicts,)
        self.state_topic: str | None = topics.state("claims", entity)
        self._topics = topics
        self._entity = entity
        self._codec = codec or Codec()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(KeyState).decode

    def apply(self, records: Sequence[Record], store: Store) -> list[Decided]:
        """Answer every claim."""
        return each(records, lambda record: self._one(record, store))

    def _one(self, record: Record, store: Store) -> Iterable[Decided]:
        if record.value is None:
            return ()
        claim = self._codec.decode_as(record.value, Claim)
        key = claim.natural_key.encode()
        found = store.get(key)
        state = KeyState() if found is None else self._decode(found)
        answers = decide(state, ClaimEvent(claim, record.partition, record.offset))
        store.put(key, self._encode(state))
        links = [
            (self._topics.links(self._entity), row_key(link.system, link.local_id), link) for link in answers.links
        ]
        conflicts = [(self._topics.conflicts, each.record_id.encode(), each) for each in answers.conflicts]
        return [Output(topic, key, self._codec.encode(it), cause=record) for topic, key, it in (*links, *conflicts)]
