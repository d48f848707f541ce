"""Places in a record log as people name them: the start, an offset, a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic_core import PydanticCustomError

from duplex import broker
from duplex.replaying import logs
from duplex.replaying.errors import PlaceError
from schemas.project import durations


@dataclass(frozen=True, slots=True)
class Place:
    """An offset, the same in every partition, or a moment (milliseconds, UTC). Neither: the start."""

    offset: int | None = None
    ts_ms: int | None = None

    async def in_partitions(
        self, options: broker.Options, topic: str, bounds: Mapping[int, logs.Bounds], partitions: Sequence[int]
    ) -> dict[int, int]:
        """The offset that this is in each partition. Raises BrokerError."""
        if self.ts_ms is not None:
            return await logs.offsets_at(options, topic, partitions, self.ts_ms)
        return {each: bounds[each].first if self.offset is None else self.offset for each in partitions}


START = Place()


def parse(option: str, text: str, now_us: int) -> Place:
    """The place that this text means. Raises PlaceError."""
    word = text.strip()
    if word.lower() == "start":
        return START
    if word.isdigit():
        return Place(offset=int(word))
    try:
        return Place(ts_ms=(now_us - durations.parse(word)) // 1000)
    except PydanticCustomError:
        pass
    try:
        found = datetime.fromisoformat(word)
    except ValueError as error:
        raise PlaceError(option, text, "it is neither `start`, nor an offset, nor a time") from error
    return Place(ts_ms=int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000))
