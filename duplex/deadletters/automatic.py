"""What a processor of the project's own could not do for a while is given to it again, without anybody asking.

The pipeline's own processors and sinks wait, in place, for what is away; what they set aside fails the same way each
time. A project's own processor may call a service that is away for longer than its attempts last: then the error says
so by its class, and the message is sent again after a minute, five, half an hour, two hours and eight. What fails after
that is left to a person. Where several machines run the processors, each may send it: a processor meets a message more
than once anyhow.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import structlog

from duplex import broker, topics
from duplex.deadletters import obstacles, retrying
from duplex.deadletters.book import Book, Entry
from duplex.errors import DuplexError
from schemas.heartbeats import beat
from schemas.project.kafka import client_options
from schemas.project.model import Project
from streams.processors.user_processors import FOLDER

log = structlog.get_logger(__name__)

LOOP = "dead letters"
WAITS_MS = (60_000, 300_000, 1_800_000, 7_200_000, 28_800_000)
PASSING = ("Timeout", "TimeoutError", "ConnectionError", "ConnectError", "ConnectorError", "ServerDisconnectedError")
PASSING_NAMES = frozenset(
    {"ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError", "gaierror"}
)
NEWEST = 20_000
AT_ONCE = 500
LOOK_S, BEAT_S, ROUND_S = 15.0, 5.0, 300.0
BY = "duplex"


def passes(error_class: str) -> bool:
    """Whether an error of this class may be gone by itself: something did not answer, or was not there."""
    name = error_class.rpartition(".")[2]
    return name in PASSING_NAMES or name.endswith(PASSING)


def ripe_ms(entry: Entry) -> int | None:
    """When a letter is to be sent again (ms, UTC); None: not without a person."""
    tries, failure = len(entry.letters), entry.failure
    if not failure.component.startswith(obstacles.USER) or tries > len(WAITS_MS) or not passes(failure.error_class):
        return None
    return entry.last.at_ms + WAITS_MS[tries - 1] if entry.state == "open" else None


class Keeper:
    """Sends again what is ripe, among the newest letters. What is not to be sent it remembers, and leaves alone."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._kafka, self._topic = client_options(project.kafka), topics.names(project).deadletters
        self._left: set[str] = set()
        self._count = 0
        self._next_ms: int | None = None

    async def once(self, now_ms: int) -> int:
        """Send what is ripe now; how many. Reads nothing where nothing can be. Raises BrokerError."""
        count = await broker.count(self._kafka, self._topic)
        if count == self._count and (self._next_ms is None or now_ms < self._next_ms):
            return 0
        messages = [each async for batch in broker.read_all(self._kafka, self._topic, last=NEWEST) for each in batch]
        ripe = self._ripe(Book(messages), now_ms)
        self._count = count
        return await self._send(ripe, now_ms) if ripe else 0

    def _ripe(self, book: Iterable[Entry], now_ms: int) -> list[Entry]:
        """The letters whose time has come, as they first stood; notes when that of the next comes.

        One that failed again waits longer than those behind it: of one key, they wait with it, so that none overtakes.
        """
        due: dict[str, int] = {}
        latest: dict[tuple[object, ...], int] = {}
        waiting = sorted((entry for entry in book if self._waits(entry)), key=retrying.place)
        for entry in waiting:
            of_key = (entry.failure.component, *retrying.place(entry)[:2], entry.last.key or entry.id)
            due[entry.id] = latest[of_key] = max(latest.get(of_key, 0), ripe_ms(entry) or 0)
        self._next_ms = min(due.values(), default=None)
        return [entry for entry in waiting if due[entry.id] <= now_ms][:AT_ONCE]

    def _waits(self, entry: Entry) -> bool:
        return ripe_ms(entry) is not None and entry.id not in self._left

    async def _send(self, ripe: Sequence[Entry], now_ms: int) -> int:
        planned = await retrying.plan(self._project, ripe, (), {})
        self._left |= planned.held.keys()
        if planned.sent:
            signed = retrying.Signed(BY, "the error may have passed", now_ms)
            await retrying.retry(self._project, planned, signed, lambda _: None)
            log.info("dead letters were sent again", count=len(planned.sent))
        return len(planned.sent)


@contextlib.asynccontextmanager
async def beside(project: Project, project_path: Path) -> AsyncIterator[None]:
    """Do so for the time of the block, where the project has processors of its own."""
    if not any((project_path.parent / FOLDER).glob("*.py")):
        yield
        return
    tasks = [asyncio.create_task(each) for each in (_looking(project), _beating())]
    # Who has stopped looking must not go on saying that all is well: the supervisor then starts this process anew.
    tasks[0].add_done_callback(lambda _: tasks[1].cancel())
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if not tasks[0].cancelled():
            tasks[0].result()


async def _looking(project: Project) -> None:
    keeper = Keeper(project)
    while True:
        try:
            async with asyncio.timeout(ROUND_S):
                await keeper.once(time.time_ns() // 1_000_000)
        except (DuplexError, TimeoutError) as error:
            log.warning("dead letters were not looked at; trying again", error=str(error) or "it took too long")
        await asyncio.sleep(LOOK_S)


async def _beating() -> None:
    while True:
        beat(LOOP)
        await asyncio.sleep(BEAT_S)
