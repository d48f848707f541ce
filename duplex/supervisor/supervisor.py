"""Keeps the children running: starts them, starts them again when they fall, stops them in order."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from duplex.supervisor import backoff, child, health

GRACE_S = 15.0
Say = Callable[[str], None]


class Supervisor:
    """Runs programs as child processes until told to stop.

    A child that ends without being told to is a failure, whatever its exit code. It is started again after a
    growing delay (`backoff`), without a last attempt: a database may come back tomorrow. `say` gets a sentence
    for each such event, `lines` what the children write, with the child's name.
    """

    def __init__(
        self,
        programs: Sequence[child.Program],
        *,
        environment: Mapping[str, str],
        lines: child.LineSink,
        say: Say,
        grace_s: float = GRACE_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._programs = tuple(programs)
        self._environment = environment
        self._lines = lines
        self._say = say
        self._grace_s = grace_s
        self._jitter = jitter
        self._children: dict[str, child.Child] = {}
        self._exits: dict[str, str] = {}
        self._restarts = {program.name: 0 for program in programs}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run all programs until `stop` is called, then stop every child before returning."""
        async with asyncio.TaskGroup() as tasks:
            for program in self._programs:
                tasks.create_task(self._keep(program))

    def stop(self) -> None:
        """Begin to stop. May be called from a signal handler, and more than once."""
        self._stop.set()

    def views(self) -> list[health.View]:
        """What is known of each child now."""
        return [self._view(program.name) for program in self._programs]

    def pids(self) -> dict[str, int]:
        """The process id of each child that is alive."""
        return {name: running.pid for name, running in self._children.items() if running.alive}

    def metrics(self) -> Iterator[Metric]:
        """The supervisor's own metrics."""
        up = GaugeMetricFamily("duplex_child_up", "Is the child process alive (1) or not (0).", labels=["process"])
        restarts = CounterMetricFamily(
            "duplex_child_restarts", "How often a child process that fell was started again.", labels=["process"]
        )
        for view in self.views():
            up.add_metric([view.name], float(view.alive))
            restarts.add_metric([view.name], self._restarts[view.name])
        yield up
        yield restarts

    def _view(self, name: str) -> health.View:
        running = self._children.get(name)
        alive = running is not None and running.alive
        metrics = running.metrics.decode() if running is not None and alive else ""
        return health.View(name, alive, metrics, self._exits.get(name, ""))

    async def _keep(self, program: child.Program) -> None:
        failures = 0
        while not self._stop.is_set():
            began_s = time.monotonic()
            reason = await self._once(program)
            if self._stop.is_set():
                return
            failures = backoff.failures_after(failures, time.monotonic() - began_s)
            delay_s = backoff.delay_s(failures, self._jitter())
            self._exits[program.name] = reason
            self._restarts[program.name] += 1
            self._say(f"{program.name} {reason}; attempt {failures + 1} in {delay_s:.1f} s")
            await self._pause(delay_s)

    async def _once(self, program: child.Program) -> str:
        try:
            running = await child.start(program, self._environment, self._lines)
        except OSError as error:
            return f"could not be started ({error.strerror})"
        self._children[program.name] = running
        code = await self._until_end(running)
        # A process that was killed had no chance to say why.
        said = gist(running.last_line) if code > 0 else ""
        return f"{ending(code)} (it said: {said})" if said else ending(code)

    async def _until_end(self, running: child.Child) -> int:
        ended = asyncio.create_task(running.ended())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._end(running)
            return await ended
        except asyncio.CancelledError:
            await running.stop(0)
            raise
        finally:
            stopping.cancel()

    async def _end(self, running: child.Child) -> None:
        code = await running.stop(self._grace_s)
        if code == -signal.SIGKILL:
            self._say(f"{running.program.name} did not stop within {self._grace_s:.0f} s and was killed")

    async def _pause(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), delay_s)


def ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.strsignal(-code) or f'signal {-code}'} (signal {-code})"


def gist(line: str) -> str:
    """What a log line says: of a JSON line its event, and of an exception in it the last one's type and text."""
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return line
    if not isinstance(found, dict) or "event" not in found:
        return line
    exceptions = [each for each in found.get("exception") or [] if isinstance(each, dict)]
    cause = f": {exceptions[-1].get('exc_type')}: {exceptions[-1].get('exc_value')}" if exceptions else ""
    return f"{found['event']}{cause}"
