"""Which systems' initial loads have passed a partition of the record log, and the rules that follow from it."""

from dataclasses import replace

import msgspec

from schemas.messages import Change, Loaded
from streams.merge.rules import Rules
from streams.processors.reserved import LOADS
from streams.processors.stores import Store


class Passed(msgspec.Struct, array_like=True):
    """Per system: the partitions of its changes whose load has passed here; the systems of which all have; and the
    offset at which each of those was complete.
    """

    parts: dict[str, list[int]] = {}
    complete: list[str] = []
    at: dict[str, int] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Passed).decode


def read(found: bytes | None) -> Passed:
    """What the store's value says; None: no load has passed."""
    return Passed() if found is None else _decode(found)


class Loads:
    """Keeps count in the partition's own state, so that it is recovered with it.

    Where all systems share the primary key, sources write to the record log themselves, and one marker is all.
    """

    def __init__(self, rules: Rules) -> None:
        self._all = rules
        self._variants: dict[tuple[bytes | None, str | None], Rules] = {}

    def passed(self, store: Store, message: Loaded | Change, offset: int = -1) -> bool:
        """Take a barrier; True if it completes a system's load here, the first time that it does."""
        state = read(store.get(LOADS))
        if message.system in state.complete:
            return False
        parts = state.parts.setdefault(message.system, [])
        part, of = (message.partition, message.partitions) if isinstance(message, Loaded) else (0, 1)
        if part not in parts:
            parts.append(part)
        if complete := len(parts) >= of:
            state.complete.append(message.system)
            state.at[message.system] = offset
        store.put(LOADS, _encode(state))
        return complete

    def rules(self, store: Store, braking: str | None = None) -> Rules:
        """The entity's rules, with the systems that are not to be told anything yet, and one whose deletes are held."""
        place = (store.get(LOADS), braking)
        known = self._variants.get(place)
        if known is None:
            known = self._variants[place] = self.after(frozenset(read(place[0]).complete), braking)
        return known

    def after(self, complete: frozenset[str], braking: str | None = None) -> Rules:
        """The rules when the loads of these systems have passed."""
        loading, held = frozenset(self._all.systems) - complete, frozenset((braking,) if braking else ())
        return replace(self._all, loading=loading, braking=held)
