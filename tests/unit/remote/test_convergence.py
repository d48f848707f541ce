"""Two applications without a log, kept in step through the real merge, whatever they and the processes do.

Each field is edited in one application only, so nothing can be in conflict: what was typed last must be everywhere.
"""

import random

import pytest

from connectors.remote.api import Abilities
from connectors.remote.memory import Habits, able
from tests.unit.remote.bench import FakeClock
from tests.unit.remote.hub import Hub, Side, some_turns, until

TURNS = 60_000
ABILITIES = {
    "bare": Abilities(),
    "since": able(since=True, conditional=True),
    "marker": able(since=True, idempotent=True),
}


def faulty() -> Habits:
    return Habits(
        busy=0.05, lost_before=0.05, lost_after=0.1, empty=0.05, coalesce=0.3, repeat=0.2, overtake=0.3, drop=0.2
    )


class World:
    """Two applications, their users, and the hub between them."""

    def __init__(self, seed: int, abilities: Abilities, versioned: bool) -> None:
        self.chance = random.Random(seed)
        self.hub, clock = Hub(), FakeClock()
        self.blog = Side("blog", self.hub, clock, seed, abilities, versioned=versioned)
        self.shop = Side("shop", self.hub, clock, seed + 1, Abilities())
        self.typed: dict[str, dict[str, str]] = {}
        self.count = 0

    def act(self) -> None:
        """A user types something: names in the blog, phones in the shop, new contacts in either."""
        self.count += 1
        side, column = self.chance.choice([(self.blog, "name"), (self.shop, "phone")])
        rows = side.members.rows()
        if not rows or self.chance.random() < 0.2:
            email = f"{self.count}@example.org"
            side.members.insert(email=email, **{column: str(self.count)})
            self.typed[email] = {column: str(self.count)}
            return
        local_id = self.chance.choice(sorted(rows))
        side.members.update(local_id, **{column: str(self.count)})
        self.typed[str(rows[local_id]["email"])][column] = str(self.count)

    def shown(self, side: Side) -> dict[str, dict[str, str]]:
        """What an application shows, by e-mail address; blanks left out. Rows that are there twice do not hide."""
        rows = list(side.members.rows().values())
        assert len({one["email"] for one in rows}) == len(rows), f"{side.name} has a row twice: {rows}"
        return {
            str(one["email"]): {name: str(one[name]) for name in ("name", "phone") if one[name] is not None}
            for one in rows
        }

    def is_settled(self) -> bool:
        return not any(self.hub.waiting.values()) and self.shown(self.blog) == self.shown(self.shop) == self.typed

    async def play(self, acts: int, crashes: float) -> None:
        sides = (self.blog, self.shop)
        for side in sides:
            await side.start()
        for _ in range(acts):
            self.act()
            await some_turns(self.chance, 60)
            if self.chance.random() < crashes:
                side = self.chance.choice(sides)
                await side.crash()
                await side.start()
        for side in sides:
            side.application.habits = Habits()
        await until(self.is_settled, TURNS, self.differences)
        for side in sides:
            await side.crash()

    def differences(self) -> str:
        blog, shop = self.shown(self.blog), self.shown(self.shop)
        emails = sorted({*self.typed, *blog, *shop})
        told = [(one, self.typed.get(one), blog.get(one), shop.get(one)) for one in emails]
        return f"typed, blog, shop: {[one for one in told if not one[1] == one[2] == one[3]]}; {self.hub.waiting}"


class Crowd(World):
    """Users of both applications who write all fields, delete rows, and create the same contact on both sides."""

    def __init__(self, seed: int, abilities: Abilities, versioned: bool) -> None:
        super().__init__(seed, abilities, versioned)
        self.gone: set[str] = set()

    def act(self) -> None:
        self.count += 1
        side = self.chance.choice([self.blog, self.shop])
        rows, what = side.members.rows(), self.chance.random()
        if rows and what < 0.2:
            local_id = self.chance.choice(sorted(rows))
            self.gone.add(str(rows[local_id]["email"]))
            side.members.delete(local_id)
        elif not rows or what < 0.4:
            self._create(side, f"{self.chance.randint(1, 15)}@example.org")
        else:
            column = self.chance.choice(["name", "phone"])
            side.members.update(self.chance.choice(sorted(rows)), **{column: str(self.count)})

    def _create(self, side: Side, email: str) -> None:
        """Nobody uses the address of a row that was deleted: which record that is, is identity's to say."""
        if email not in {*self.gone, *(one["email"] for one in side.members.rows().values())}:
            side.members.insert(email=email, name=str(self.count))

    def is_settled(self) -> bool:
        return not any(self.hub.waiting.values()) and self.shown(self.blog) == self.shown(self.shop)


@pytest.mark.parametrize("how", ABILITIES)
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_a_crowd_does_both_show_the_same_in_the_end(how: str, seed: int) -> None:
    world = Crowd(seed, ABILITIES[how], versioned=seed % 2 == 1)
    world.blog.application.habits, world.shop.application.habits = faulty(), faulty()
    await world.play(acts=25, crashes=0.1)
    assert world.hub.commands > 5


@pytest.mark.parametrize("how", ABILITIES)
@pytest.mark.parametrize("seed", range(3))
async def test_what_was_typed_last_is_everywhere(how: str, seed: int) -> None:
    world = World(seed, ABILITIES[how], versioned=seed % 2 == 1)
    world.blog.application.habits, world.shop.application.habits = faulty(), faulty()
    await world.play(acts=25, crashes=0.15)
    assert world.hub.commands > 5


async def test_without_faults_nobody_is_told_more_than_there_was_to_tell() -> None:
    world = World(7, Abilities(), versioned=False)
    await world.play(acts=25, crashes=0.0)
    assert world.hub.commands <= 25
    assert world.hub.verdicts == 0


@pytest.mark.parametrize("seed", range(2))
async def test_silent_normalising_settles(seed: int) -> None:
    world = World(seed, Abilities(), versioned=False)
    world.blog.application.habits = Habits(normalise=lambda one: one | {"phone": one["phone"] or None})
    await world.play(acts=15, crashes=0.0)
