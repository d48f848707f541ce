"""Which stage the pipeline waits for: the one that needs longest for what lies before it, at its rate of now."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from duplex.status.facts import Hop, Stage

# Fewer than these are no backlog: they are what is on its way.
FEWEST = 1_000
# The processes tell their counts every second.
BETWEEN_S = 3.0
HTTP_TIMEOUT_S = 5.0
SINKS, SOURCES, PROCESSORS = "duplex_commands_total", "duplex_source_events_total", "duplex_processor_records_total"
LABELS = {SINKS: "system", SOURCES: "system", PROCESSORS: "processor"}
Done = Mapping[tuple[str, str], float]


async def measured(base: str, hops: Sequence[Hop], unpublished: Mapping[str, int]) -> Stage | None:
    """Look at the counters of the program at this address twice, if there is a backlog at all."""
    if max([*unpublished.values(), *(hop.behind for hop in hops)], default=0) < FEWEST:
        return None
    timeout = aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(base, timeout=timeout) as client:
            before, since = await _look(client), time.monotonic()
            await asyncio.sleep(BETWEEN_S)
            after = await _look(client)
    except (aiohttp.ClientError, TimeoutError):
        return None
    return bottleneck(stages(hops, unpublished, before, after, time.monotonic() - since))


async def _look(client: aiohttp.ClientSession) -> Done:
    async with client.get("/metrics") as response:
        return done(await response.text())


def done(metrics: str) -> Done:
    """How much each stage has done since it started, by the counter and the system's or the processor's name."""
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name in LABELS:
                key = (sample.name, sample.labels.get(LABELS[sample.name], ""))
                found[key] = found.get(key, 0.0) + sample.value
    return found


def stages(
    hops: Iterable[Hop], unpublished: Mapping[str, int], before: Done, after: Done, elapsed_s: float
) -> Iterator[Stage]:
    """Every stage with its backlog and its rate between two looks at the counters."""

    def rate(counter: str, name: str) -> float:
        return max(0.0, after.get((counter, name), 0.0) - before.get((counter, name), 0.0)) / elapsed_s

    for system, count in unpublished.items():
        yield Stage(f"the source of {system}", count, rate(SOURCES, system))
    behind: dict[str, int] = {}
    for hop in hops:
        behind[hop.name] = behind.get(hop.name, 0) + hop.behind
    for name, count in behind.items():
        kind, _, rest = name.partition(" ")
        sink = kind == "sink"
        named = f"the sink of {rest}" if sink else name
        yield Stage(named, count, rate(SINKS, rest) if sink else rate(PROCESSORS, f"{kind}.{rest.removeprefix('of ')}"))


def bottleneck(found: Iterable[Stage]) -> Stage | None:
    """The stage that holds the others up; None where none has a backlog."""
    behind = [stage for stage in found if stage.behind >= FEWEST]
    return max(behind, key=lambda stage: (stage.seconds, stage.behind), default=None)


def sentence(stage: Stage) -> str:
    """Where the pipeline waits, and for how long."""
    what = f"The bottleneck is {stage.name}: {stage.behind:,} wait for it"
    if stage.per_second <= 0:
        return f"{what}, and nothing moves. They are kept; see what it waits for."
    return f"{what}, and it does {stage.per_second:,.0f} a second: about {_length(stage.seconds)} of work."


def _length(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 120 else f"{round(seconds / 60):,} min"
