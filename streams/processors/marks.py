"""Where in a partition its rules changed: what it takes to merge a record's events again as they were merged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streams.processors import brake, loads
from streams.processors.regimes import EpochMark, mark_of
from streams.processors.reserved import BRAKE, EPOCHS, LOADS

KEYS = (LOADS,)
PREFIXES = (EPOCHS, BRAKE)


@dataclass(frozen=True, slots=True)
class Marks:
    """The offset at which each system's load was complete; the epochs, by number; and the spans of offsets within
    which each system's deletes were held (the last hundred: first, first no more, -1: holds on).
    """

    loads: Mapping[str, int] = field(default_factory=dict)
    epochs: tuple[EpochMark, ...] = ()
    braking: Mapping[str, tuple[brake.Span, ...]] = field(default_factory=dict)

    def epoch_at(self, offset: int) -> EpochMark | None:
        """The epoch that held at a place; None: the rules of the start."""
        return max((mark for mark in self.epochs if mark.offset < offset), key=lambda mark: mark.number, default=None)

    def loaded_at(self, offset: int) -> frozenset[str]:
        """The systems whose load was complete at a place."""
        return frozenset(system for system, at in self.loads.items() if at < offset)

    def held_at(self, system: str, offset: int) -> bool:
        """Whether deletes of a system were held at a place."""
        return brake.held_at(self.braking.get(system, ()), offset)


def marks_of(items: Mapping[bytes, bytes]) -> Marks:
    """The marks among the entries of a partition's store: those under KEYS and PREFIXES."""
    passed = loads.read(items.get(LOADS))
    return Marks(
        loads={system: passed.at.get(system, -1) for system in passed.complete},
        epochs=tuple(sorted(_epochs(items.items()), key=lambda mark: mark.number)),
        braking={
            key.removeprefix(BRAKE).decode(): tuple((first, end) for first, end in brake.read(value).spans)
            for key, value in items.items()
            if key.startswith(BRAKE)
        },
    )


def _epochs(items: Iterable[tuple[bytes, bytes]]) -> list[EpochMark]:
    return [mark_of(value) for key, value in items if key.startswith(EPOCHS)]
