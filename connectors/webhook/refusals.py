"""What the bridge's own limits refuse, before it is known which system is meant: counted, and said now and then."""

from collections.abc import Callable
from typing import Literal

import structlog
from prometheus_client import Counter

log = structlog.get_logger(__name__)

REFUSALS = Counter("duplex_webhook_refusals", "Requests and connections that a limit of the bridge refused.", ["limit"])
Limit = Literal["connections", "connections_per_address", "head_timeout", "strangers", "malformed"]
"""The settings of `bridge` that refuse; `malformed`: what is no HTTP."""
PAUSE_S = 1.0


class Refusals:
    """Counts all, and says at most one a second. `clock`: seconds of any origin."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said_s = float("-inf")

    def count(self, limit: Limit, address: str) -> None:
        """One more was refused, from this address."""
        REFUSALS.labels(limit).inc()
        now_s = self._clock()
        if now_s >= self._said_s + PAUSE_S:
            self._said_s = now_s
            log.warning("the bridge refuses somebody", limit=limit, address=address)
