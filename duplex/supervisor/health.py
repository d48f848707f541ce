"""Whether the program does its work: judged from what the children report, never from the fact that they run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

HEARTBEAT = "duplex_heartbeat_timestamp_seconds"
STUCK_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class View:
    """What is known of one child: is it alive, and its last report in Prometheus' text format (empty: none yet)."""

    name: str
    alive: bool
    metrics: str
    last_exit: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """`reasons` has one sentence for each thing that is wrong; none means healthy."""

    reasons: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.reasons


def heartbeats(metrics: str) -> dict[str, float]:
    """When each loop of a child last made progress, in seconds since the epoch."""
    return {
        sample.labels.get("loop", "?"): sample.value
        for family in text_string_to_metric_families(metrics)
        if family.name == HEARTBEAT
        for sample in family.samples
    }


def judge(children: Iterable[View], now_s: float) -> Health:
    """Healthy when every child is alive and each of its loops made progress, or was rightly idle, lately."""
    return Health(tuple(reason for child in children for reason in _reasons(child, now_s)))


def _reasons(child: View, now_s: float) -> Iterator[str]:
    if not child.alive:
        yield f"{child.name} is not running{child.last_exit and ': ' + child.last_exit}"
        return
    beats = heartbeats(child.metrics)
    if not any(beats.values()):
        yield f"{child.name} is starting: none of its loops has made progress yet"
    for loop, at_s in sorted(beats.items()):
        if at_s and now_s - at_s > STUCK_AFTER_S:
            yield f"{child.name} is stuck: its loop {loop} made no progress for {now_s - at_s:.0f} s"


class Merged(Collector):
    """The children's metrics as one set: each sample gets a `process` label."""

    def __init__(self, children: Iterable[View]) -> None:
        self._children = list(children)

    def collect(self) -> Iterator[Metric]:
        families: dict[tuple[str, str], Metric] = {}
        for child in self._children:
            for family in text_string_to_metric_families(child.metrics):
                merged = families.setdefault(
                    (family.name, family.type), Metric(family.name, family.documentation, family.type)
                )
                merged.samples += [_labelled(sample, child.name) for sample in family.samples]
        yield from families.values()


def _labelled(sample: Sample, process: str) -> Sample:
    return sample._replace(labels={**sample.labels, "process": process})


def exposition(children: Iterable[View], own: Iterable[Metric] = ()) -> bytes:
    """All children's metrics in Prometheus' text format, and the supervisor's own."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Merged(children))
    registry.register(_Given(own))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics
