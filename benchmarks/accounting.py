"""CPU seconds of whole process trees, beside wall time."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]

Roots = Mapping[str, Sequence[int]]


def cpu_s(roots: Sequence[int]) -> float:
    """User and system seconds of these processes, their descendants, and descendants already reaped."""
    return sum(sum(_times(process)) for root in roots for process in _tree(root))


def _tree(root: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _times(process: psutil.Process) -> tuple[float, ...]:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return ()
    return (times.user, times.system, times.children_user, times.children_system)


@dataclass(slots=True)
class Used:
    """What the block took: seconds, and CPU seconds by name. Filled in at the block's end."""

    wall_s: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)

    def us_per(self, events: int) -> dict[str, float]:
        """CPU microseconds per event, by name."""
        return {name: seconds * 1e6 / events for name, seconds in self.cpu_s.items()}


@contextmanager
def metered(roots: Callable[[], Roots]) -> Iterator[Used]:
    """Meter the processes that `roots` names at the block's start and at its end."""
    used, before, started = Used(), _each(roots()), time.perf_counter()
    yield used
    used.wall_s = time.perf_counter() - started
    used.cpu_s = {name: seconds - before.get(name, 0.0) for name, seconds in _each(roots()).items()}


def _each(roots: Roots) -> dict[str, float]:
    return {name: cpu_s(pids) for name, pids in roots.items()}
