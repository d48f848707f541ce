"""What a running relay does now and then: ranges made ahead and dropped, and a look at the triggers."""

import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import structlog
from prometheus_client import Gauge

from connectors.base import Problem, TableSpec
from connectors.postgres import checks

log = structlog.get_logger(__name__)

PROBLEMS = Gauge("duplex_capture_problems", "What is wrong with the capture of a system now.", ["system"])
SEGMENTS_AHEAD = 4
ROTATE_EVERY_S = 2.0
CHECK_EVERY_S = 20.0


class Upkeep:
    """Keeps its own times; `when_due` is called every round."""

    def __init__(
        self,
        system: str,
        specs: Sequence[TableSpec],
        *,
        rotate_every_s: float = ROTATE_EVERY_S,
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        self._system = system
        self._specs = specs
        self._rotate_every_s = rotate_every_s
        self._check_every_s = check_every_s
        self._rotate_at = 0.0
        self._check_at = 0.0
        self._known: frozenset[Problem] = frozenset()

    async def when_due(self, connection: Any, mark: int) -> None:
        """Rotate the log, given the stored low mark, and check the capture, each if its time has come."""
        now = time.monotonic()
        if now >= self._rotate_at:
            self._rotate_at = now + self._rotate_every_s
            await rotate(connection, mark)
        if now >= self._check_at:
            self._check_at = now + self._check_every_s
            await self._check(connection)

    async def _check(self, connection: Any) -> None:
        found = frozenset(await checks.problems(connection, self._system, self._specs))
        PROBLEMS.labels(system=self._system).set(len(found))
        for problem in sorted(found - self._known, key=lambda one: one.what):
            log.error(problem.what, system=self._system, entity=problem.entity, remedy=problem.remedy)
        for problem in sorted(self._known - found, key=lambda one: one.what):
            log.info("mended: " + problem.what, system=self._system, entity=problem.entity)
        self._known = found


async def rotate(connection: Any, mark: int) -> None:
    """Make ranges of the log ahead and drop those at or below the mark. Whatever is locked is left for next time."""
    for query, argument in (
        ("select duplex.clear_overflow($1)", mark),
        ("select duplex.extend_log($1)", SEGMENTS_AHEAD),
        ("select duplex.empty_segments($1)", mark),
        ("select duplex.drop_segment($1)", mark),
    ):
        try:
            await connection.fetchval(query, argument)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            log.debug("the log is in use; its rotation waits", step=query, reason=str(error))
