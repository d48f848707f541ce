"""When the application does not answer: since when, and what it said last. Noted, so that `duplex status` can tell.

Reading and writing are told apart: an application may give its rows and take none.
"""

from typing import Literal, Protocol

import msgspec

from connectors.errors import ConnectorsError, RefusedError, UnreachableError
from connectors.remote import metrics
from connectors.remote.surroundings import Notes

Side = Literal["reading", "writing"]
SIDES: tuple[Side, ...] = ("reading", "writing")
PREFIX = "down/"
NOTED_AGAIN_US = 60_000_000
LONGEST_REASON = 500


class Outage(msgspec.Struct, frozen=True, array_like=True):
    """One side of an application that does not answer: since when, when that was last tried (us UTC; noted once a
    minute), what came of it, and the key of the project file to look at."""

    since_us: int
    last_us: int
    reason: str
    setting: str


class Clock(Protocol):
    """The wall clock."""

    def now_us(self) -> int: ...


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Outage)


def read(data: bytes) -> Outage:
    """A note (`down/<side>`) as it was put."""
    return _decoder.decode(data)


class Reach:
    """Whether one application answers; shared by its source and its sink. An outage lasts across restarts."""

    def __init__(self, system: str, notes: Notes, clock: Clock) -> None:
        self._system = system
        self._notes = notes
        self._clock = clock
        self._away: set[Side] = set()
        noted = ((side, notes.get(PREFIX + side)) for side in SIDES)
        self._outages = {side: read(data) for side, data in noted if data is not None}

    async def lost(self, side: Side, error: ConnectorsError) -> None:
        """This was not answered, or we are not let in. Errors of others, such as Kafka's, count for nothing."""
        setting, reason = self._fault(error)
        if not setting:
            return
        self._away.add(side)
        metrics.DOWN.labels(self._system).set(1)
        known, now_us = self._outages.get(side), self._clock.now_us()
        if known is not None and known.reason == reason and now_us < known.last_us + NOTED_AGAIN_US:
            return
        self._outages[side] = Outage(known.since_us if known else now_us, now_us, reason, setting)
        await self._note(side, _encode(self._outages[side]))

    async def back(self, side: Side) -> None:
        """The application answers."""
        self._away.discard(side)
        if not self._away:
            metrics.DOWN.labels(self._system).set(0)
        if side in self._outages and await self._note(side, None):
            self._outages.pop(side, None)

    def _fault(self, error: ConnectorsError) -> tuple[str, str]:
        """The setting to look at, empty if this is not of the application, and the reason."""
        own = f"systems.{self._system}"
        if isinstance(error, UnreachableError):
            return "" if error.setting.startswith("kafka.") else error.setting or own, error.reason[:LONGEST_REASON]
        if isinstance(error, RefusedError):
            named = error.what.removeprefix("setting ")
            return named if named.startswith(own) else own, error.why[:LONGEST_REASON]
        return "", ""

    async def _note(self, side: Side, data: bytes | None) -> bool:
        """Whether it is safe. Where it is not, Kafka is away: that is said where it matters, and this goes on."""
        try:
            await self._notes.put({PREFIX + side: data})
        except UnreachableError:
            return False
        return True
