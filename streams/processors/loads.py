"""Which systems' initial loads have passed a partition of the record log, and the rules that follow from it."""

from dataclasses import replace

import msgspec

from schemas.messages import Change, Loaded
from streams.merge.rules import Rules
from streams.processors.stores import Store

MARK = b"\x00"
KEY = MARK + b"loads"


class Passed(msgspec.Struct, array_like=True):
    """Per system: the partitions of its changes whose load has passed here, and the systems of which all have."""

    parts: dict[str, list[int]] = {}
    complete: list[str] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Passed).decode


class Loads:
    """Keeps count in the partition's own state, so that it is recovered with it.

    Where all systems share the primary key, sources write to the record log themselves, and one marker is all.
    """

    def __init__(self, rules: Rules) -> None:
        self._all = rules
        self._variants: dict[bytes | None, Rules] = {}

    def passed(self, store: Store, message: Loaded | Change) -> bool:
        """Take a barrier; True if it completes a system's load here, the first time that it does."""
        state = self._state(store)
        if message.system in state.complete:
            return False
        parts = state.parts.setdefault(message.system, [])
        part, of = (message.partition, message.partitions) if isinstance(message, Loaded) else (0, 1)
        if part not in parts:
            parts.append(part)
        if complete := len(parts) >= of:
            state.complete.append(message.system)
        store.put(KEY, _encode(state))
        return complete

    def rules(self, store: Store) -> Rules:
        """The entity's rules, with the systems that are not to be told anything yet."""
        found = store.get(KEY)
        known = self._variants.get(found)
        if known is None:
            loading = frozenset(self._all.systems) - set(self._state(store).complete)
            known = self._variants[found] = replace(self._all, loading=loading)
        return known

    def _state(self, store: Store) -> Passed:
        found = store.get(KEY)
        return Passed() if found is None else _decode(found)
