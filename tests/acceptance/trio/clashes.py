"""What three users do to each other in the same instant: edits of one field, of different ones, deletes."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.acceptance.trio.databases import FIELDS, SYSTEMS, Databases, at_once


@dataclass(frozen=True, slots=True)
class Plan:
    """How many clashes of each kind, on how many records; those of deletes are others."""

    same: int
    different: int
    deletes: int
    records: int
    deleted_records: int

    def all_records(self) -> int:
        """How many records there must be."""
        return self.records + self.deleted_records

    def shuffled(self, chance: random.Random) -> list[str]:
        """The kinds of all clashes, in an order of chance."""
        kinds = ["same"] * self.same + ["different"] * self.different + ["delete"] * self.deletes
        chance.shuffle(kinds)
        return kinds


async def clashes(users: Databases, plan: Plan, chance: random.Random) -> AsyncIterator[int]:
    """Do one after the other; yields how many are done."""
    emails = sorted((await users.records("crm")).keys())
    edited, deleted = emails[: plan.records], emails[plan.records :]
    for done, kind in enumerate(plan.shuffled(chance), start=1):
        if kind == "delete":
            await _delete(users, await _there(users, deleted, chance), chance)
        else:
            names = [chance.choice(FIELDS)] * 3 if kind == "same" else chance.sample(FIELDS, 3)
            email = chance.choice(edited)
            await at_once(*(users.edit(system, email, name) for system, name in zip(SYSTEMS, names, strict=True)))
        yield done


async def _there(users: Databases, emails: list[str], chance: random.Random) -> str:
    """A record that the most databases hold now: while one is on its way back, there is nothing to clash about."""
    found = await users.all_records()
    shuffled = chance.sample(emails, len(emails))
    return max(shuffled, key=lambda email: sum(email in rows for rows in found.values()))


async def _delete(users: Databases, email: str, chance: random.Random) -> None:
    """One deletes what the others edit."""
    deleting = chance.choice(SYSTEMS)
    others = [system for system in SYSTEMS if system != deleting]
    edits = [users.edit(system, email, chance.choice(FIELDS)) for system in others]
    await at_once(users.delete(deleting, email), *edits)
