"""What chance decides before a history begins: the systems, their lenses, the rules, and how things will go."""

import random
from dataclasses import dataclass

from streams.merge.rules import Deciding, Function, Guard, Manual, Newest, Owner, Policy, Priority, Rules, Sum, Union
from streams.merge.values import Value
from tests.simulation.lenses import Piece, SimpleLens
from tests.simulation.tables import Mistakes, Table
from tests.simulation.themes import DOINGS, Theme
from tests.simulation.tokens import NUMBER, atoms, token

FIELDS = ("a", "b", "c", "d", "g")
COUNTER, LIST = "n", "l"
MEMBERS = 2
BANNED_EVERY = 7
ANOTHER_WORLD = 1 << 40
HOUR_US = 3_600_000_000
SKEWS_US: dict[str, tuple[int, ...]] = {
    "mixed": (0, 0, 0, -40, 40, -3000, 3000, -HOUR_US, HOUR_US),
    "clocks": (-3000, -1500, 0, -HOUR_US),
}
AN_HOUR_OR_NONE = (0, 0, -40, 40, -HOUR_US, HOUR_US)


@dataclass(frozen=True)
class Profile:
    """How a history runs: weights of what happens next, and how often things go wrong."""

    theme: Theme
    steps: int
    weights: dict[str, float]
    repeat: float
    crash: float
    delete: float
    revert: float
    batch: int

    @property
    def fields(self) -> tuple[str, ...]:
        """The entity's fields."""
        return (*FIELDS, COUNTER, LIST) if self.theme == "counters" else FIELDS

    @property
    def skews_us(self) -> tuple[int, ...]:
        """How far the systems' clocks may be off."""
        return SKEWS_US.get(self.theme, AN_HOUR_OR_NONE)


def profile(pick: random.Random, theme: Theme) -> Profile:
    """How this history will run."""
    weights = {
        "user": pick.choice((1.0, 2.0, 4.0)),
        "transport": pick.choice((1.0, 3.0)),
        "hub": pick.choice((1.0, 3.0)),
        "sink": pick.choice((0.5, 1.0, 3.0)),
        "look": pick.choice((0.2, 1.0)),
        "decide": pick.choice((0.1, 0.3, 1.0)),
        "haunt": 0.2,
        **DOINGS.get(theme, {}),
    }
    deletes = {"clocks": (0.0,), "counters": (0.0, 0.0, 0.1), "brakes": (0.1, 0.3)}
    return Profile(
        theme=theme,
        steps=pick.choice((40, 80, 140)),
        weights=weights,
        repeat=pick.choice((0.0, 0.1, 0.3)),
        crash=pick.choice((0.0, 0.1, 0.3)),
        delete=pick.choice(deletes.get(theme, (0.0, 0.05, 0.15, 0.3))),
        revert=pick.choice((0.1, 0.3, 0.5)),
        batch=pick.choice((1, 3, 6)),
    )


def tables(pick: random.Random, mistakes: Mistakes, theme: Theme) -> dict[str, Table]:
    """The systems, each with its own columns and habits."""
    count = pick.choice((2, 2, 3, 3, 5))
    new_keys = pick.random() < 0.5 and theme != "remotes"
    return {name: _table(pick, mistakes, name, new_keys, theme) for name in "stuvw"[:count]}


def refer(tables: tuple[Table, ...], theme: Theme, pick: random.Random) -> None:
    """Where records come back from the dead, some tables have rows that other rows refer to: they may not go.

    By draws of their own, so that the rest of a history is as it would be without.
    """
    if theme in ("approvals", "amendments"):
        for table in tables:
            table.referenced = pick.random() < 0.1


def _table(pick: random.Random, mistakes: Mistakes, name: str, new_keys: bool, theme: Theme) -> Table:
    lens = _lens(pick, theme)
    loud = frozenset(column for column in lens.columns if pick.random() < 0.06)
    table = Table(name, lens, mistakes, new_keys, loud)
    if pick.random() < 0.15:
        table.banned = is_banned
    return table


def _lens(pick: random.Random, theme: Theme) -> SimpleLens:
    def single(name: str) -> Piece:
        return Piece(pick.choice(("plain", "plain", "upper", "trim")), (name,), (f"{name}_column",))

    group = Piece("group", ("g",), tuple(f"g{member}" for member in range(MEMBERS)))
    last = [Piece("joined", ("c", "d"), ("cd",))] if pick.random() < 0.3 else [single("c"), single("d")]
    pieces = (single("a"), single("b"), group, *last)
    together = frozenset(pick.choice(((), (), (0, 1), (1, 2), (0, 3))))
    inward = frozenset("a") if pick.random() < 0.06 else frozenset()
    outward = frozenset("b") if pick.random() < 0.06 else frozenset()
    if theme == "counters":
        counter = Piece(pick.choice(("plain", "plain", "round")), (COUNTER,), (f"{COUNTER}_column",))
        pieces = (*pieces, counter, Piece("plain", (LIST,), (f"{LIST}_column",)))
    return SimpleLens(pieces, together, inward, outward)


def rules(pick: random.Random, tables: dict[str, Table], profile: Profile) -> Rules:
    """A policy for every field, and for the record's life."""
    names, theme = tuple(tables), profile.theme
    policies = {name: policy(pick, names, theme) for name in profile.fields}
    policies.update({COUNTER: Sum(), LIST: Union()} if theme == "counters" else {})
    return Rules(
        entity="thing",
        fields=profile.fields,
        systems=tuple(pick.sample(names, len(names))),
        policies=policies,
        lenses={name: table.lens for name, table in tables.items()},
        existence="manual" if theme == "approvals" else pick.choice(("update_wins", "delete_wins", "manual")),
        deletes={name: "ignore" for name in names if pick.random() < 0.06},
        guard=Guard(pick.choice((3, 5, 8)), HOUR_US) if theme == "automations" else Guard(1000, 1),
        horizon_us=pick.choice((1, 300)) if theme == "retries" else None,
    )


def policy(pick: random.Random, names: tuple[str, ...], theme: Theme) -> Policy:
    """What decides one field."""
    choice = pick.random()
    if theme in ("clocks", "automations") and choice < 0.8:
        return Newest()
    if theme == "approvals" and choice < 0.8:
        return Manual()
    if theme == "counters" and choice < 0.4:
        return Function("greatest", greatest) if choice < 0.3 else Function("greatest of even", greatest_of_even)
    if theme == "deadlines" and choice < 0.8:
        return Manual(pick.choice((50, 200, 1000)), _deciding(pick, names))
    return Manual() if choice > (0.5 if theme in ("epochs", "amendments") else 0.85) else _deciding(pick, names)


def _deciding(pick: random.Random, names: tuple[str, ...]) -> Deciding:
    choice = pick.random()
    if choice < 0.5:
        return Newest()
    return Priority(tuple(pick.sample(names, len(names)))) if choice < 0.85 else Owner(pick.choice(names))


def greatest(current: Value, incoming: Value, base: Value) -> Value:
    """The value with the greater numbers: commutative, associative, idempotent."""
    return max(current, incoming, key=lambda value: (sorted(atoms(token(value)), reverse=True), repr(value)))


def greatest_of_even(current: Value, incoming: Value, base: Value) -> Value:
    """As `greatest`, but it will have nothing to do with odd numbers."""
    if any(number % 2 for number in atoms(token(incoming))):
        raise ValueError("an odd number came")
    return greatest(current, incoming, base)


def is_banned(value: Value) -> bool:
    """What a picky target's constraint forbids."""
    return any(int(number) % BANNED_EVERY == 0 for number in NUMBER.findall(str(value)))
