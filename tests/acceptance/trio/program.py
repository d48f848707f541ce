"""Three databases under the real program, which tests may kill."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from duplex import broker
from duplex.demo import databases as demo
from duplex.demo import history
from duplex.demo.history import History
from schemas.topics import Topics
from tests.acceptance.showings import Showing, commands_with_two_effects
from tests.acceptance.trio import databases
from tests.acceptance.trio.databases import COLUMNS, SYSTEMS, Databases
from tests.acceptance.trio.judge import Case
from tests.waiting import eventually

PROJECT = Path(__file__).parent / "project.yaml"
STILL_S = 10.0


class Trio(Showing):
    """A project folder, three databases, and the program's commands on them."""

    def __init__(self, folder: Path, pipeline: str, bootstrap: str, dsn_of: Mapping[str, str]) -> None:
        super().__init__(folder, pipeline, bootstrap, demo.Pair(dsn_of["crm"], dsn_of["erp"]))
        self.dsn_of = dict(dsn_of)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "WEB_DSN": self.dsn_of["web"]}

    @classmethod
    @asynccontextmanager
    async def made(
        cls, folder: Path, pipeline: str, bootstrap: str, dsn_of: Mapping[str, str], records: int
    ) -> AsyncIterator[tuple["Trio", Databases]]:
        """The program running on three databases that hold as many records, all of them in step."""
        await databases.make(dsn_of)
        (folder / "duplex.yaml").write_text(PROJECT.read_text().replace("PIPELINE", pipeline))
        trio = cls(folder, pipeline, bootstrap, dsn_of)
        async with databases.users(dsn_of) as users:
            for place, system in enumerate(SYSTEMS):
                await users.insert(system, [_email(number) for number in range(records) if number % 3 in (place, 0)])
            await trio.call("apply")
            await trio.start()
            try:
                await trio.at_rest(users)
                yield trio, users
            finally:
                await trio.stop()

    async def at_rest(self, users: Databases, timeout_s: float = 120.0) -> None:
        """Wait until the databases agree, no command waits, and every one has its echo."""

        async def quiet() -> bool:
            before, found = await users.moved(), await users.all_records()
            agreed = bool(found["crm"]) and found["crm"] == found["erp"] == found["web"]
            return agreed and not await users.parked() and await self._answered_all() and await users.moved() == before

        try:
            await eventually(quiet, timeout_s, "the databases do not come to rest")
        except AssertionError as error:
            log = (self.folder / "run.log").read_text()[-4000:]
            raise AssertionError(f"{error}\n{await _differences(users)}\nrun.log ends:\n{log}") from error

    async def stays_at_rest(self, users: Databases) -> bool:
        """Whether for ten seconds no row is written and no command, record or conflict is sent."""
        before, over = await self._places(users), time.monotonic() + STILL_S
        while time.monotonic() < over:
            if await self._places(users) != before:
                return False
            await asyncio.sleep(1.0)
        return True

    async def case(self, users: Databases) -> Case:
        """What the judge is to look at."""
        past = await self.past()
        writes = [write for system in SYSTEMS for write in await users.history(system)]
        return Case(writes, await users.all_records(), past.conflicts.values(), _emails(past))

    async def doubled(self) -> list[str]:
        """Commands that took effect twice."""
        return [command for dsn in self.dsn_of.values() for command in await commands_with_two_effects(dsn)]

    async def past(self) -> History:
        """What the topics hold."""
        return await history.read(Topics(self.pipeline), "contact", SYSTEMS, self._kafka)

    async def _answered_all(self) -> bool:
        past = await self.past()
        return past.commands.keys() <= {entry.change.origin.command for entry in past.echoes if entry.change.origin}

    async def _places(self, users: Databases) -> tuple[int, ...]:
        names = Topics(self.pipeline)
        topics = [names.records("contact"), names.conflicts, *(names.commands(system) for system in SYSTEMS)]
        return (*await users.moved(), *[await broker.count(self._kafka, topic) for topic in topics])

    @property
    def _kafka(self) -> dict[str, str]:
        return {"bootstrap_servers": self.bootstrap}


def _email(number: int) -> str:
    return f"person.{number}@example.com"


def _emails(past: History) -> dict[str, str]:
    """Whose record each is, by the rows in its log."""
    found = {}
    for entry in past.changes:
        image = entry.change.after or entry.change.before
        if image is not None:
            found[entry.record_id] = msgspec.json.decode(image)[COLUMNS[entry.change.system][0]]
    return found


async def _differences(users: Databases) -> str:
    found = await users.all_records()
    emails = sorted(set().union(*found.values()))
    apart = [email for email in emails if len({str(found[system].get(email)) for system in SYSTEMS}) > 1]
    shown = [f"{email}: " + " | ".join(f"{name} {found[name].get(email)}" for name in SYSTEMS) for email in apart[:5]]
    return "\n".join([f"{len(apart)} records differ, {await users.parked()} commands wait", *shown])
