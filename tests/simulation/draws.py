"""What chance decides before a history begins: the systems, their lenses, the rules, and how things will go."""

import random
from dataclasses import dataclass

from streams.merge.rules import Manual, Newest, Owner, Policy, Priority, Rules
from streams.merge.values import Value
from tests.simulation.lenses import Piece, SimpleLens
from tests.simulation.tables import Mistakes, Table
from tests.simulation.tokens import NUMBER

FIELDS = ("a", "b", "c", "d", "g")
MEMBERS = 2
BANNED_EVERY = 7
SKEWS_US = {"mixed": (0, 0, 0, -40, 40, -3000, 3000), "clocks": (-3000, -1500, 0), "approvals": (0, -40)}
THEMES = ("mixed", "mixed", "clocks", "approvals")


@dataclass
class Profile:
    """How a history runs: weights of what happens next, and how often things go wrong."""

    theme: str
    steps: int
    weights: dict[str, float]
    repeat: float
    crash: float
    delete: float
    revert: float
    batch: int


def profile(pick: random.Random) -> Profile:
    """How this history will run."""
    weights = {
        "user": pick.choice((1.0, 2.0, 4.0)),
        "transport": pick.choice((1.0, 3.0)),
        "hub": pick.choice((1.0, 3.0)),
        "sink": pick.choice((0.5, 1.0, 3.0)),
        "look": pick.choice((0.2, 1.0)),
        "decide": pick.choice((0.1, 0.3, 1.0)),
    }
    theme = pick.choice(THEMES)
    return Profile(
        theme=theme,
        steps=pick.choice((40, 80, 140)),
        weights=weights,
        repeat=pick.choice((0.0, 0.1, 0.3)),
        crash=pick.choice((0.0, 0.1, 0.3)),
        delete=pick.choice((0.0, 0.05, 0.15, 0.3)) if theme != "clocks" else 0.0,
        revert=pick.choice((0.1, 0.3, 0.5)),
        batch=pick.choice((1, 3, 6)),
    )


def tables(pick: random.Random, mistakes: Mistakes) -> dict[str, Table]:
    """The systems, each with its own columns and habits."""
    count = pick.choice((2, 2, 3, 3, 5))
    new_keys = pick.random() < 0.5
    return {name: _table(pick, mistakes, name, new_keys) for name in "stuvw"[:count]}


def _table(pick: random.Random, mistakes: Mistakes, name: str, new_keys: bool) -> Table:
    lens = _lens(pick)
    loud = frozenset(column for column in lens.columns if pick.random() < 0.06)
    table = Table(name, lens, mistakes, new_keys, loud)
    if pick.random() < 0.15:
        table.banned = is_banned
    return table


def _lens(pick: random.Random) -> SimpleLens:
    def single(name: str) -> Piece:
        return Piece(pick.choice(("plain", "plain", "upper", "trim")), (name,), (f"{name}_column",))

    group = Piece("group", ("g",), tuple(f"g{member}" for member in range(MEMBERS)))
    last = [Piece("joined", ("c", "d"), ("cd",))] if pick.random() < 0.3 else [single("c"), single("d")]
    pieces = (single("a"), single("b"), group, *last)
    together = frozenset(pick.choice(((), (), (0, 1), (1, 2), (0, 3))))
    inward = frozenset("a") if pick.random() < 0.06 else frozenset()
    outward = frozenset("b") if pick.random() < 0.06 else frozenset()
    return SimpleLens(pieces, together, inward, outward)


def rules(pick: random.Random, tables: dict[str, Table], theme: str) -> Rules:
    """A policy for every field, and for the record's life."""
    names = tuple(tables)
    policies: dict[str, Policy] = {name: _policy(pick, names, theme) for name in FIELDS}
    return Rules(
        entity="thing",
        fields=FIELDS,
        systems=tuple(pick.sample(names, len(names))),
        policies=policies,
        lenses={name: table.lens for name, table in tables.items()},
        existence="manual" if theme == "approvals" else pick.choice(("update_wins", "delete_wins", "manual")),
        deletes={name: "ignore" for name in names if pick.random() < 0.06},
    )


def _policy(pick: random.Random, names: tuple[str, ...], theme: str) -> Policy:
    choice = pick.random()
    if theme != "mixed" and choice < 0.8:
        return Newest() if theme == "clocks" else Manual()
    if choice < 0.4:
        return Newest()
    if choice < 0.6:
        return Priority(tuple(pick.sample(names, len(names))))
    return Manual() if choice < 0.9 else Owner(pick.choice(names))


def is_banned(value: Value) -> bool:
    """What a picky target's constraint forbids."""
    return any(int(number) % BANNED_EVERY == 0 for number in NUMBER.findall(str(value)))
