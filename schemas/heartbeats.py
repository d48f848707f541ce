"""The heartbeat of every long-running loop, in one place, because a metric can be registered only once."""

from prometheus_client import Gauge

HEARTBEAT = Gauge(
    "duplex_heartbeat_timestamp_seconds",
    "When a loop last made progress or was rightly idle, in seconds since the epoch.",
    ["loop"],
)


def beat(loop: str) -> None:
    """Say that this loop makes progress, or is rightly idle, now."""
    HEARTBEAT.labels(loop).set_to_current_time()
