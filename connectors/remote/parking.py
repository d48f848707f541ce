"""Commands whose own row makes trouble while the application works: they wait, and nothing waits for them.

A row for which the application always answers with an error that is worth a retry would hold up everybody behind it.
So such a command is set aside, noted, and tried again, less and less often, until it can be answered.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from connectors.base import Effect
from connectors.errors import UnreachableError
from connectors.remote import metrics
from connectors.remote.surroundings import Notes
from schemas.messages import Command

log = structlog.get_logger(__name__)

FIRST_PAUSE_US = 2_000_000
LONGEST_PAUSE_US = 600_000_000
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Command)


@dataclass(slots=True)
class _Waiting:
    command: Command
    next_us: int = 0
    tries: int = 0
    effect: Effect | None = None


def pause_us(tries: int, chance: float) -> int:
    """How long to wait (us) after so many tries in vain. It doubles up to `LONGEST_PAUSE_US`; `chance` in [0, 1) takes
    up to half of it away, so that commands that failed together are not tried again together."""
    return int(min(LONGEST_PAUSE_US, FIRST_PAUSE_US * 2 ** min(tries, 16)) * (1 - chance / 2))


class Parking:
    """The commands of a system that wait, by record: at most one each, for there is one out per record. `chance` makes
    numbers from 0 to 1."""

    def __init__(self, system: str, notes: Notes, chance: Callable[[], float] = random.random) -> None:
        self._system = system
        self._notes = notes
        self._chance = chance
        self._waiting: dict[str, _Waiting] = {}
        self._perhaps_noted: set[str] = set()
        for name in notes.names("parked/"):
            if (data := notes.get(name)) is not None:
                self._waiting[name] = _Waiting(_decoder.decode(data))
        self._count()

    async def park(self, command: Command, why: str, now_us: int) -> None:
        """Let a command wait. Raises UnreachableError; then it does not."""
        name = _name(command)
        try:
            await self._notes.put({name: _encode(command)})
        except UnreachableError:
            self._perhaps_noted.add(name)
            raise
        self._perhaps_noted.discard(name)
        self._waiting[name] = _Waiting(command, now_us + pause_us(0, self._chance()))
        self._count()
        log.warning("a command waits, for its row makes trouble", system=self._system, command=command.id, error=why)

    async def carried_out(self, command: Command) -> None:
        """It was carried out without waiting. If a note says that it waits, that goes: the next process would carry it
        out once more. Raises UnreachableError."""
        name = _name(command)
        if name in self._perhaps_noted:
            # Forgetting what was never kept, as far as anybody knows, would be no news to the notes.
            await self._notes.put({name: _encode(command)})
            await self._notes.put({name: None})
            self._perhaps_noted.discard(name)

    def commands(self) -> set[str]:
        """The ids of those that wait, or whose answers are not known to be published."""
        return {one.command.id for one in self._waiting.values()}

    def holds(self, command: Command) -> bool:
        """Whether this very command waits."""
        found = self._waiting.get(_name(command))
        return found is not None and found.command.id == command.id

    def superseded(self, command: Command) -> Command | None:
        """The command of the same record that waits and that nobody waits for any more, since there is a new one."""
        found = self._waiting.get(_name(command))
        return None if found is None or found.command.number >= command.number else found.command

    def due(self, now_us: int) -> list[Command]:
        """Those to be tried now."""
        return [one.command for one in self._waiting.values() if one.effect is None and one.next_us <= now_us]

    def failed(self, command: Command, now_us: int) -> None:
        """It was tried, and the trouble goes on."""
        if not self.holds(command):
            return
        waiting = self._waiting[_name(command)]
        waiting.tries += 1
        waiting.next_us = now_us + pause_us(waiting.tries, self._chance())

    def answered(self, effect: Effect, command: Command) -> bool:
        """It is carried out; the answer is kept until it is known to be published. False: a newer command of the record
        has taken its place meanwhile, and nobody keeps the answer."""
        if not self.holds(command):
            return False
        self._waiting[_name(command)].effect = effect
        return True

    def unreported(self) -> list[Effect]:
        """Answers that are not known to be published."""
        return [one.effect for one in self._waiting.values() if one.effect is not None]

    async def forget(self, commands: Sequence[str]) -> None:
        """These need wait no more (ids). Raises UnreachableError."""
        done = {name: one for name, one in self._waiting.items() if one.command.id in commands}
        if done:
            await self._notes.put(dict.fromkeys(done))
        for name, one in done.items():
            # Meanwhile somebody else may have done the same, or another command of the record waits.
            if self._waiting.get(name) is one:
                del self._waiting[name]
        self._count()

    def _count(self) -> None:
        metrics.PARKED.labels(self._system).set(len(self._waiting))


def _name(command: Command) -> str:
    return f"parked/{command.entity}/{command.record_id}"
