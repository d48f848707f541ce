"""How a processor is hosted: the broker, the group, and the limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.processors.spilled import Spill


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """Settings shared by every service of a process.

    `kafka` is passed to each aiokafka client as it is: `bootstrap_servers`, and where wanted `security_protocol`,
    `ssl_context`, `sasl_mechanism`, `sasl_plain_username`, `sasl_plain_password`. `instance` names this process
    among all that run the same pipeline: the same name after a restart, never the same name twice at a time.
    `due_interval_ms` is how often a partition looks for what time alone makes due; `mark_ms` how long a batch's mark
    waits for the next batch, to be written with it. `spill` is where state goes that memory does not hold; None: memory
    holds all of it.
    """

    kafka: Mapping[str, Any]
    pipeline: str
    instance: str = "worker-0"
    spill: Spill | None = None
    batch_records: int = 1000
    session_timeout_ms: int = 10_000
    heartbeat_interval_ms: int = 2_000
    commit_interval_ms: int = 250
    poll_ms: int = 500
    mark_ms: int = 100
    drain_timeout_ms: int = 8_000
    delivery_timeout_ms: int = 120_000
    recovery_timeout_ms: int = 30_000
    topics_timeout_ms: int = 5_000
    batch_bytes: int = 512_000
    output_bytes: int = 1_000_000
    due_interval_ms: int = 15_000
    attempts: int = 6
    backoff_ms: int = 200


def group_id(pipeline: str, processor: str) -> str:
    """The consumer group of a processor."""
    return f"{pipeline}.processor.{processor}"
